// SPDX-License-Identifier: BSD-3-Clause
// A network namespace of this process's own, and TAP devices in it, with nothing but system calls.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/test.h"

// @return NULL, or why TAP devices cannot be made here
static inline const char *tap_namespace(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return "no right to make a network namespace";
	// Not before: the namespace of a TAP device is that of the opening.
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "no /dev/net/tun";
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "probe"};
	const char *why = ioctl(fd, TUNSETIFF, &r) ? "no right to make a TAP device" : NULL;
	close(fd);
	return why;
}

static inline void tap_ioctl(unsigned long request, struct ifreq *r, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	int rc = ioctl(fd, request, r);
	close(fd);
	assert_int_equal(rc, 0);
}

// One that stays when nobody has it open.
static inline void tap_make(const char *name, bool multi_queue)
{
	struct ifreq r = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0))};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

// Let go of one that nobody has open: it is gone.
static inline void tap_remove(const char *name, bool multi_queue)
{
	struct ifreq r = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0))};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (!ioctl(fd, TUNSETIFF, &r))
		ioctl(fd, TUNSETPERSIST, 0);
	close(fd);
}

// Give the kernel's end an address (/24) and an MTU (0: leave it), and turn it on.
static inline void tap_up(const char *name, const char *address, int mtu)
{
	struct ifreq r = {0};
	struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
	a->sin_family = AF_INET;
	inet_pton(AF_INET, address, &a->sin_addr);
	tap_ioctl(SIOCSIFADDR, &r, name);
	inet_pton(AF_INET, "255.255.255.0", &a->sin_addr);
	tap_ioctl(SIOCSIFNETMASK, &r, name);
	memset(&r, 0, sizeof(r));
	r.ifr_mtu = mtu;
	if (mtu)
		tap_ioctl(SIOCSIFMTU, &r, name);
	memset(&r, 0, sizeof(r));
	tap_ioctl(SIOCGIFFLAGS, &r, name);
	r.ifr_flags |= IFF_UP;
	tap_ioctl(SIOCSIFFLAGS, &r, name);
}

static inline void tap_mac(const char *name, uint8_t mac[6])
{
	struct ifreq r = {0};
	tap_ioctl(SIOCGIFHWADDR, &r, name);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
}

// Tell the kernel where `address` lives, so that it does not ask.
static inline void tap_neighbour(const char *name, const char *address, const uint8_t mac[6])
{
	struct arpreq r = {.arp_flags = ATF_COM | ATF_PERM};
	struct sockaddr_in *a = (struct sockaddr_in *)&r.arp_pa;
	a->sin_family = AF_INET;
	inet_pton(AF_INET, address, &a->sin_addr);
	r.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(r.arp_ha.sa_data, mac, 6);
	snprintf(r.arp_dev, sizeof(r.arp_dev), "%s", name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = ioctl(fd, SIOCSARP, &r);
	close(fd);
	assert_int_equal(rc, 0);
}

// A counter of /proc/net/snmp of this namespace, as {"Tcp", "InCsumErrors"}. -1: there is none
static inline long snmp_count(const char *group, const char *name)
{
	char names[2048], values[2048];
	FILE *f = fopen("/proc/thread-self/net/snmp", "re");
	long count = -1;
	while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		char *n_at, *v_at;
		char *n = strtok_r(names, " \n", &n_at), *v = strtok_r(values, " \n", &v_at);
		if (!n || strncmp(n, group, strlen(group)) || n[strlen(group)] != ':')
			continue;
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &n_at);
			v = strtok_r(NULL, " \n", &v_at);
		}
		count = n && v ? strtol(v, NULL, 10) : -1;
	}
	if (f)
		fclose(f);
	return count;
}
