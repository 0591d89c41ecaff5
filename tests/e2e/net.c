// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/net.h"

#include <netinet/in.h>
#include <unistd.h>

#include "tests/e2e/harness.h"
#include "tests/e2e/net_device.h"
#include "tests/unit/tap_rig.h"

#define HERE       "10.98.0.1"
#define HERE6      "fd98::1"
#define DEVICE_MAX 250

static bool net_has(const char *word)
{
	const char *words = getenv("FLYOVER_TEST_NET");
	size_t len = strlen(word);

	for (const char *at = words; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && !strncmp(at, word, len))
			return true;
	return false;
}

bool net_is_ours(void)
{
	const char *words = getenv("FLYOVER_TEST_NET");
	return words && *words;
}

const char *here(void)
{
	if (!net_is_ours())
		return "127.0.0.1";
	return net_has("ip6") ? "[" HERE6 "]" : HERE;
}

const char *here_address(void)
{
	return net_is_ours() && net_has("ip6") ? HERE6 : here();
}

bool net_is_dpdk(void)
{
	return net_has("dpdk");
}

bool net_has_ip6(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a));

	if (fd >= 0)
		close(fd);
	return has;
}

static enum net_device_kind device_kind(void)
{
	if (net_has("packet"))
		return NET_DEVICE_PACKET;
	return net_has("xdp") ? NET_DEVICE_XDP : NET_DEVICE_TAP;
}

const char *net_enter(void)
{
	static bool entered;
	static const char *why;

	if (!net_is_ours() || entered)
		return why;
	entered = true;
	why = tap_namespace();
	if (!why && net_has("dpdk"))
		why = net_device_missing(device_kind());
	if (why)
		return why;
	tap_up("lo", "127.0.0.1", 0);
	tap_up("lo:1", HERE, 0);
	if (net_has("ip6"))
		why = ip_try("-6 addr add " HERE6 "/128 dev lo nodad") ? "no IPv6" : NULL;
	return why;
}

int net_listen(int *port)
{
	bool is_ip6 = net_is_ours() && net_has("ip6");
	struct sockaddr_in a4 = {.sin_family = AF_INET,
				 .sin_addr.s_addr =
					 htonl(net_is_ours() ? INADDR_ANY : INADDR_LOOPBACK)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	struct sockaddr *a = is_ip6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
	socklen_t len = is_ip6 ? sizeof(a6) : sizeof(a4);
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), no = 0;

	assert_true(fd >= 0);
	if (is_ip6) // our own connections to it come by IPv4
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	assert_int_equal(bind(fd, a, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, a, &len), 0);
	*port = ntohs(is_ip6 ? a6.sin6_port : a4.sin_port);
	return fd;
}

// ---- Jobs

// One device of a test.
struct tap {
	struct tap *next;
	unsigned n;
	struct net_device *device;
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

static const struct tap *tap_of(struct world *w, const char *key)
{
	struct tap *t = w->taps;

	while (t && strcmp(t->key, key))
		t = t->next;
	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	assert_non_null(t);
	t->n = w->taps ? w->taps->n + 1 : 1;
	t->next = w->taps;
	w->taps = t;
	snprintf(t->key, sizeof(t->key), "%s", key);
	assert_true(t->n < DEVICE_MAX);
	t->device = net_device_make(device_kind(), t->n, net_has("vlan"));
	tap_up(net_device_iface(t->device), text("10.99.%u.1", t->n), 0);
	if (net_has("ip6"))
		assert_int_equal(ip_try(text("-6 addr add fd99:0:0:%x::1/64 dev %s nodad", t->n,
					     net_device_iface(t->device))),
				 0);
	return t;
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

	if (!net_has("dpdk") || !opens_links(program, arguments))
		return 0;
	const struct tap *t = tap_of(w, host_key(w, arguments));
	bool is_ip6 = net_has("ip6");
	out[n++] = "--net=dpdk";
	out[n++] = net_device_words(t->device);
	out[n++] = text(is_ip6 ? "--addr=fd99:0:0:%x::2/64" : "--addr=10.99.%u.2/24", t->n);
	out[n++] = text(is_ip6 ? "--gw=fd99:0:0:%x::1" : "--gw=10.99.%u.1", t->n);
	if (net_has("vlan"))
		out[n++] = text("--vlan=%u", NET_DEVICE_VLAN);
	return n;
}

void net_leave(struct world *w)
{
	while (w->taps) {
		struct tap *t = w->taps;
		w->taps = t->next;
		net_device_remove(t->device);
		free(t);
	}
}
