// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/vlan.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "tests/e2e/harness.h"
#include "tests/unit/tap_rig.h"

#define FRAME_MAX   10000
#define MACS_LEN    12
#define TAG_LEN     4
#define TRUNK_QUEUE (8 << 20) // bytes: what a burst of the sender takes up

struct vlan {
	int trunk, tap, stop;
	uint16_t id;
	pthread_t thread;
};

// The kernel takes tags out of frames before anybody sees them, and tells of them beside.
static int frame_vlan(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci & 0xfff : -1;
	}
	return -1;
}

static void from_trunk(const struct vlan *v)
{
	uint8_t frame[FRAME_MAX];
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = {frame, sizeof(frame)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(v->trunk, &m, MSG_DONTWAIT);

	// One that the interface does not take is lost, as frames are.
	if (len > 0 && frame_vlan(&m) == v->id && write(v->tap, frame, (size_t)len) < 0)
		return;
}

static void from_tap(const struct vlan *v)
{
	uint8_t frame[FRAME_MAX];
	ssize_t len = read(v->tap, frame + TAG_LEN, sizeof(frame) - TAG_LEN);

	if (len < ETH_HLEN)
		return;
	memmove(frame, frame + TAG_LEN, MACS_LEN);
	frame[MACS_LEN] = ETHERTYPE_VLAN >> 8;
	frame[MACS_LEN + 1] = ETHERTYPE_VLAN & 255;
	frame[MACS_LEN + 2] = (uint8_t)(v->id >> 8);
	frame[MACS_LEN + 3] = (uint8_t)v->id;
	if (send(v->trunk, frame, (size_t)len + TAG_LEN, 0) < 0)
		return;
}

static void *vlan_loop(void *arg)
{
	const struct vlan *v = arg;
	struct pollfd fds[] = {{v->stop, POLLIN, 0}, {v->trunk, POLLIN, 0}, {v->tap, POLLIN, 0}};

	while (poll(fds, 3, -1) >= 0 && !fds[0].revents) {
		if (fds[1].revents)
			from_trunk(v);
		if (fds[2].revents)
			from_tap(v);
	}
	return NULL;
}

static int trunk_open(const char *name)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = (int)if_nametoindex(name)};
	int yes = 1, queue = TRUNK_QUEUE;
	// Of no protocol until it is bound: else it would hear every interface.
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && a.sll_ifindex);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	struct packet_mreq promiscuous = {.mr_ifindex = a.sll_ifindex,
					  .mr_type = PACKET_MR_PROMISC};
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
				    sizeof(promiscuous)),
			 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int tap_open(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	return fd;
}

struct vlan *vlan_start(const char *trunk, const char *iface, uint16_t id)
{
	struct vlan *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	v->id = id;
	v->trunk = trunk_open(trunk);
	v->tap = tap_open(iface);
	v->stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&v->thread, NULL, vlan_loop, v), 0);
	return v;
}

void vlan_stop(struct vlan *v)
{
	assert_int_equal(eventfd_write(v->stop, 1), 0);
	pthread_join(v->thread, NULL);
	close(v->trunk);
	close(v->tap);
	close(v->stop);
	free(v);
}
