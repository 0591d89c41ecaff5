// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

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

// ---- Interfaces

static int address_set(int fd, struct ifreq *r, unsigned long request, const char *address)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&r->ifr_addr;

	memset(&r->ifr_addr, 0, sizeof(r->ifr_addr));
	a->sin_family = AF_INET;
	inet_pton(AF_INET, address, &a->sin_addr);
	return ioctl(fd, request, r);
}

// Give an interface an address and bring it up. @return 0, or -errno
static int interface_up(const char *name, const char *address, const char *mask)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	int rc = fd < 0 ? -1 : address_set(fd, &r, SIOCSIFADDR, address);
	rc = rc ? rc : address_set(fd, &r, SIOCSIFNETMASK, mask);
	rc = rc ? rc : ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	rc = rc ? rc : ioctl(fd, SIOCSIFFLAGS, &r);
	rc = rc ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

// A TAP device that stays when nobody has it open, or no more. @return 0, or -errno
static int tap_keep(const char *name, bool keep)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	int rc = fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETPERSIST, keep) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

const char *net_enter(void)
{
	static bool entered;
	static const char *why;

	if (net_kind() == NET_HOST || entered)
		return why;
	entered = true;
	if (unshare(CLONE_NEWNET))
		why = text("no network namespace of its own: %s", strerror(errno));
	else if (interface_up("lo", "127.0.0.1", "255.0.0.0") ||
		 interface_up("lo:1", HERE, "255.255.255.255"))
		why = "the loopback of the namespace does not come up";
	else if (net_kind() == NET_OF_DPDK && tap_keep("flytry", false))
		why = text("no TAP device: %s", strerror(errno));
	return why;
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
	const char *key = NULL;

	for (; *arguments; arguments++)
		if (!strcmp(*arguments, "--state-dir") && arguments[1])
			return arguments[1];
		else if (!strcmp(*arguments, "--config") && arguments[1])
			key = arguments[1];
	return key ? key : text("job %u", w->n_processes);
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
	int rc = tap_keep(text(IFACE_TEXT, t->n), true);
	rc = rc ? rc
		: interface_up(text(IFACE_TEXT, t->n), text("10.99.%u.1", t->n), "255.255.255.0");
	if (rc)
		fail_msg("no device " IFACE_TEXT ": %s", t->n, strerror(-rc));
	return t->n;
}

static bool opens_links(const char *program, const char *const *arguments)
{
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
		tap_keep(text(IFACE_TEXT, t->n), false);
		free(t);
	}
}
