// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/net.h"

#include <netinet/in.h>

#include "tests/e2e/harness.h"
#include "tests/unit/tap_rig.h"

#define HERE       "10.98.0.1"
#define TAP_MAX    250
#define IFACE_TEXT "fly%u"

enum net_kind { NET_HOST, NET_OF_KERNEL, NET_OF_DPDK };

static enum net_kind net_kind(void)
{
	const char *wanted = getenv("FLYOVER_TEST_NET");

	if (!wanted || !*wanted)
		return NET_HOST;
	return strcmp(wanted, "dpdk") ? NET_OF_KERNEL : NET_OF_DPDK;
}

const char *here(void)
{
	return net_kind() == NET_HOST ? "127.0.0.1" : HERE;
}

uint32_t listen_address(void)
{
	return net_kind() == NET_HOST ? INADDR_LOOPBACK : INADDR_ANY;
}

const char *net_enter(void)
{
	static bool entered;
	static const char *why;

	if (net_kind() == NET_HOST || entered)
		return why;
	entered = true;
	why = tap_namespace();
	if (why)
		return why;
	tap_up("lo", "127.0.0.1", 0);
	tap_up("lo:1", HERE, 0);
	return NULL;
}

// ---- Jobs

// One device of a test.
struct tap {
	struct tap *next;
	unsigned n;
	char key[300]; // what the programs on it have in common
};

// What tells one host from another: the state folder, else the configuration, else nothing.
static const char *host_key(struct world *w, const char *const *arguments)
{
	const char *state = NULL, *config = NULL;

	for (; *arguments; arguments++)
		if (!strcmp(*arguments, "--state-dir"))
			state = arguments[1];
		else if (!strcmp(*arguments, "--config"))
			config = arguments[1];
	if (state)
		return state;
	return config ? config : text("job %u", w->n_processes);
}

static unsigned tap_of(struct world *w, const char *key)
{
	struct tap *t = w->taps;

	while (t && strcmp(t->key, key))
		t = t->next;
	if (t)
		return t->n;
	t = calloc(1, sizeof(*t));
	assert_non_null(t);
	t->n = w->taps ? w->taps->n + 1 : 1;
	t->next = w->taps;
	w->taps = t;
	snprintf(t->key, sizeof(t->key), "%s", key);
	assert_true(t->n < TAP_MAX);
	tap_make(text(IFACE_TEXT, t->n), true);
	tap_up(text(IFACE_TEXT, t->n), text("10.99.%u.1", t->n), 0);
	return t->n;
}

// A test that says --net knows what it wants.
static bool opens_links(const char *program, const char *const *arguments)
{
	for (const char *const *a = arguments; *a; a++)
		if (!strncmp(*a, "--net=", 6))
			return false;
	if (!strcmp(program, "flyoverd"))
		return true;
	return *arguments && (!strcmp(*arguments, "sync") || !strcmp(*arguments, "restore"));
}

unsigned net_arguments(struct world *w, const char *program, const char *const *arguments,
		       const char **out)
{
	unsigned n = 0;

	if (net_kind() != NET_OF_DPDK || !opens_links(program, arguments))
		return 0;
	unsigned tap = tap_of(w, host_key(w, arguments));
	out[n++] = "--net=dpdk";
	out[n++] = text("--nic=net_tap0,iface=" IFACE_TEXT, tap);
	out[n++] = text("--addr=10.99.%u.2/24", tap);
	out[n++] = text("--gw=10.99.%u.1", tap);
	return n;
}

void net_leave(struct world *w)
{
	while (w->taps) {
		struct tap *t = w->taps;
		w->taps = t->next;
		tap_remove(text(IFACE_TEXT, t->n), true);
		free(t);
	}
}
