// SPDX-License-Identifier: BSD-3-Clause
#include "tools/wan/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BUFFER (16 << 20)

static int set_up(const char *name)
{
	struct ifreq request = {0};
	int rc = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		rc = -errno;
	request.ifr_flags |= IFF_UP;
	if (!rc && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int open_tap(struct port *p)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	p->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	memcpy(request.ifr_name, p->name, sizeof(p->name));
	if (ioctl(p->fd, TUNSETIFF, &request) < 0)
		return -errno;
	return set_up(p->name);
}

static int open_device(struct port *p)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int one = 1, len = SOCKET_BUFFER;

	at.sll_ifindex = (int)if_nametoindex(p->name);
	if (!at.sll_ifindex)
		return -ENODEV;
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	struct packet_mreq all = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	if (setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		return -errno;
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof(len));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &len, sizeof(len));
	return bind(p->fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
}

int port_open(struct port *p, const char *text)
{
	bool is_tap = !strncmp(text, "tap:", 4), is_device = !strncmp(text, "dev:", 4);
	int rc;

	*p = (struct port){.fd = -1};
	if ((!is_tap && !is_device) || !text[4] || strlen(text + 4) >= sizeof(p->name))
		return -EINVAL;
	snprintf(p->name, sizeof(p->name), "%s", text + 4);
	rc = is_tap ? open_tap(p) : open_device(p);
	if (rc)
		port_close(p);
	return rc;
}

void port_close(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

int port_read(struct port *p, uint8_t *frame)
{
	for (;;) {
		ssize_t n = read(p->fd, frame, PORT_FRAME_MAX);
		if (n > 0 && n < PORT_FRAME_MAX)
			return (int)n;
		if (n >= 0) {
			p->oversize++;
			continue;
		}
		if (errno == EINTR)
			continue;
		// A packet socket says once that its interface went down; it may come back.
		if (errno == EAGAIN || errno == ENETDOWN || errno == EIO)
			return 0;
		return -errno;
	}
}

void port_write(struct port *p, const uint8_t *frame, uint32_t len)
{
	while (write(p->fd, frame, len) < 0) {
		if (errno == EINTR)
			continue;
		*(errno == EMSGSIZE ? &p->oversize : &p->full) += 1;
		return;
	}
}
