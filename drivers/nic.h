// SPDX-License-Identifier: BSD-3-Clause
// The nic seam: Ethernet frames in bursts. DPDK's devices stand behind it (nic_dpdk.h), and a wire
// in memory with seeded faults (nic_wire.h).
//
// One struct nic is one pair of queues of a device and belongs to one core. Nobody keeps a frame:
// what is received is read before the next burst, what is sent is copied (or handed to the device)
// before nic_send() returns. So nothing that waits for an acknowledgement lies in a driver.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define NIC_BURST       32  // most frames of one nic_receive()
#define NIC_HEAD_MAX    192 // most bytes of headers of a frame that is sent
#define NIC_RSS_KEY_MAX 64
#define NIC_RETA_MAX    512

// What a device does for us. What it does not, the caller does in software.
enum nic_offload {
	NIC_TX_IP_SUM = 1,  // fills in the checksum of an IPv4 header
	NIC_TX_TCP_SUM = 2, // fills in that of TCP; the field holds the pseudo-header's sum
	NIC_TSO = 4,        // cuts a long TCP segment into many
	NIC_TX_VLAN = 8,    // puts an 802.1Q tag in
	NIC_RX_VLAN = 16,   // takes it out
};

// What the device says of a received checksum.
enum nic_sum {
	NIC_SUM_UNKNOWN, // it did not look: verify
	NIC_SUM_GOOD,
	NIC_SUM_BAD,
	NIC_SUM_NONE, // the bytes are good though the field is not (they never left this host)
};

// Of the device; the same for all its queues.
struct nic_info {
	char name[64];  // of the device, for people
	uint8_t mac[6]; // ours
	uint16_t mtu;   // most bytes of an IP packet
	uint16_t n_queues;
	uint32_t offloads; // enum nic_offload
	uint32_t tso_max;  // most bytes of payload of one segment to be cut; 0 without NIC_TSO
	// How a received flow finds its queue: reta[toeplitz(rss_key, tuple) & (n_reta - 1)].
	uint8_t rss_key[NIC_RSS_KEY_MAX];
	uint16_t rss_key_len; // bytes; 0: not known, or one queue
	uint16_t n_reta;      // a power of two
	uint16_t reta[NIC_RETA_MAX];
};

// One received frame. Bytes are the driver's, until the next nic_receive(); the reader may change
// them.
struct nic_frame {
	uint8_t *p; // Ethernet header first, without FCS
	uint32_t len;
	uint16_t vlan;          // the tag control information that the device took out; 0: none
	uint8_t ip_sum, l4_sum; // enum nic_sum
	uint16_t n_merged;      // segments that the device made one of, at least 1
};

// One frame to be sent.
struct nic_packet {
	const uint8_t *head; // Ethernet header to the end of the last header
	uint16_t head_len;   // at most NIC_HEAD_MAX
	uint8_t l2_len, l3_len,
		l4_len;   // bytes of the headers; l2 with its tag if that is in `head`
	uint8_t offloads; // enum nic_offload that are asked for, of those that the device has
	uint16_t vlan;    // with NIC_TX_VLAN: the tag control information
	uint16_t mss;     // with NIC_TSO: bytes of payload of each segment
	bool is_ip6;
	uint8_t n_body;
	struct iovec body[2]; // the payload; Ethernet's padding is the driver's to add
};

// What happened at a queue. Writer: its core.
struct nic_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t tx_full;   // frames refused because the queue was full; the caller tries again
	uint64_t rx_missed; // frames that the device dropped as nobody took them
	uint64_t rx_no_memory;
	uint64_t rx_too_long; // frames longer than the MTU
	uint64_t tx_refused;  // frames that the device would never take; dropped
};

struct nic;

struct nic_ops {
	const char *name; // "dpdk", "wire"

	// @param max  at most NIC_BURST
	// @return frames, 0 when there are none
	int (*receive)(struct nic *n, struct nic_frame *frames, int max);

	// @return 0; -ENOBUFS: the queue is full, nothing was taken; -EMSGSIZE: longer than the MTU
	// and not to be cut
	int (*send)(struct nic *n, const struct nic_packet *p);

	// Give what was sent to the device now. After each burst.
	void (*flush)(struct nic *n);

	// Ask to be told of the next frame by a file descriptor that gets readable. Off again
	// before the next receive(). NULL: this device cannot.
	//
	// @return the descriptor, which stays the driver's, or 0 when turned off; -EAGAIN: frames
	// have come meanwhile, so it was not armed; or -errno
	int (*arm)(struct nic *n, bool on);

	// Bring the device's own counters (missed, no memory) up to date. Not on the fast path.
	void (*count)(struct nic *n);

	// Close this queue; the last one closes the device.
	void (*close)(struct nic *n);
};

// First member of every driver's nic.
struct nic {
	const struct nic_ops *ops;
	const struct nic_info *info;
	uint16_t queue;
	struct nic_counters counters;
};

static inline int nic_receive(struct nic *n, struct nic_frame *frames, int max)
{
	return n->ops->receive(n, frames, max);
}

static inline int nic_send(struct nic *n, const struct nic_packet *p)
{
	return n->ops->send(n, p);
}

static inline void nic_flush(struct nic *n)
{
	n->ops->flush(n);
}

static inline void nic_close(struct nic *n)
{
	n->ops->close(n);
}
