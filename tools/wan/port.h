// SPDX-License-Identifier: BSD-3-Clause
// One side of the emulated link: a TAP device, or an interface of the host by a packet socket.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORT_FRAME_MAX 65600

struct port {
	int fd;
	char name[16];     // of the interface
	uint64_t oversize; // frames that were longer than PORT_FRAME_MAX, or refused as too long
	uint64_t full;     // frames that the kernel had no room for
};

// @param text  "tap:NAME" (made if it is not there) or "dev:NAME"
// @return 0; -EINVAL: another form; -errno
int port_open(struct port *p, const char *text);
void port_close(struct port *p);

// @return bytes of the next frame; 0: none; -errno: the interface has gone
int port_read(struct port *p, uint8_t *frame);

// Drops and counts what the kernel does not take.
void port_write(struct port *p, const uint8_t *frame, uint32_t len);
