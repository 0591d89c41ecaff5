// SPDX-License-Identifier: BSD-3-Clause
// Frames through a device of DPDK.
//
//   receive(): free what was given last -> rte_eth_rx_burst() -> frame_fill()
//   send():    spare_take() -> packet_copy() -> out[] -> flush(): rte_eth_tx_burst()
#include "drivers/nic_dpdk.h"

#include <assert.h>
#include <errno.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/nic_dpdk_eal.h"
#include "drivers/nic_dpdk_module.h"
#include "drivers/nic_dpdk_port.h"

#define FRAME_MIN   60 // without FCS
#define TX_ATTEMPTS 4
#define PREFETCH    4

// A thread of ours gets a number of DPDK's, and by it a cache of buffers: without one every buffer
// goes through a queue that all cores share. Numbers may run out; then it is only slower.
static void thread_register(struct dpdk_queue *q)
{
	q->is_registered = true;
	if (rte_lcore_id() == LCORE_ID_ANY)
		rte_thread_register();
}

// ---- Receive

static enum nic_sum sum_of(uint64_t flags, uint64_t mask, uint64_t good, uint64_t bad)
{
	flags &= mask;
	if (flags == mask)
		return NIC_SUM_NONE;
	return flags == good ? NIC_SUM_GOOD : flags == bad ? NIC_SUM_BAD : NIC_SUM_UNKNOWN;
}

static void frame_fill(struct nic_frame *f, struct rte_mbuf *m)
{
	uint64_t flags = m->ol_flags;
	*f = (struct nic_frame){
		.p = rte_pktmbuf_mtod(m, uint8_t *),
		.len = m->data_len,
		.vlan = flags & RTE_MBUF_F_RX_VLAN_STRIPPED ? m->vlan_tci : 0,
		.ip_sum = sum_of(flags, RTE_MBUF_F_RX_IP_CKSUM_MASK, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
				 RTE_MBUF_F_RX_IP_CKSUM_BAD),
		.l4_sum = sum_of(flags, RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
				 RTE_MBUF_F_RX_L4_CKSUM_BAD),
		.n_merged = 1,
	};
	if (flags & RTE_MBUF_F_RX_LRO && m->tso_segsz)
		f->n_merged = (uint16_t)((m->pkt_len + m->tso_segsz - 1) / m->tso_segsz);
}

static void held_free(struct dpdk_queue *q)
{
	if (q->n_held)
		rte_pktmbuf_free_bulk(q->held, q->n_held);
	q->n_held = 0;
}

// Frames into held[]. What came while the queue was armed goes first.
static unsigned burst_take(struct dpdk_queue *q, unsigned max)
{
	if (!q->n_early)
		return rte_eth_rx_burst(q->port_id, q->nic.queue, q->held, (uint16_t)max);
	unsigned n = RTE_MIN(q->n_early, max);
	memcpy(q->held, q->early, n * sizeof(*q->held));
	q->n_early -= n;
	memmove(q->early, q->early + n, q->n_early * sizeof(*q->early));
	return n;
}

// Our buffers take a whole frame. One in pieces comes from a neighbour in this process with smaller
// ones, or is longer than the MTU.
static bool is_whole(struct dpdk_queue *q, struct rte_mbuf *m)
{
	if (likely(m->nb_segs == 1) || !rte_pktmbuf_linearize(m))
		return true;
	q->nic.counters.rx_too_long++;
	return false;
}

static int dpdk_receive(struct nic *n, struct nic_frame *frames, int max)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	if (unlikely(!q->is_registered))
		thread_register(q);
	held_free(q);
	q->n_held = burst_take(q, (unsigned)RTE_MIN(max, NIC_BURST));
	for (unsigned i = 0; i < RTE_MIN(q->n_held, PREFETCH); i++)
		rte_prefetch0(rte_pktmbuf_mtod(q->held[i], void *));
	int n_frames = 0;
	for (unsigned i = 0; i < q->n_held; i++) {
		if (i + PREFETCH < q->n_held)
			rte_prefetch0(rte_pktmbuf_mtod(q->held[i + PREFETCH], void *));
		if (unlikely(!is_whole(q, q->held[i])))
			continue;
		frame_fill(&frames[n_frames], q->held[i]);
		n->counters.rx_bytes += frames[n_frames++].len;
	}
	n->counters.rx_frames += (unsigned)n_frames;
	return n_frames;
}

// ---- Send

// Offer out[0..n) to the device. @return how many it took
static unsigned burst_send(struct dpdk_queue *q)
{
	unsigned done = 0;
	for (int i = 0; i < TX_ATTEMPTS && done < q->n_out; i++)
		done += rte_eth_tx_burst(q->port_id, q->nic.queue, q->out + done,
					 (uint16_t)(q->n_out - done));
	return done;
}

static void out_drop(struct dpdk_queue *q, unsigned from, unsigned n)
{
	q->n_out -= n;
	memmove(q->out + from, q->out + from + n, (q->n_out - from) * sizeof(*q->out));
}

// Drivers set up in the headers what their device wants there. A frame that one refuses is ours to
// drop: it would be refused again.
static void out_prepare(struct dpdk_queue *q)
{
	for (;;) {
		uint16_t n =
			rte_eth_tx_prepare(q->port_id, q->nic.queue, q->out, (uint16_t)q->n_out);
		if (likely(n == q->n_out))
			return;
		q->nic.counters.tx_refused++;
		rte_pktmbuf_free(q->out[n]);
		out_drop(q, n, 1);
	}
}

static void dpdk_flush(struct nic *n)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	if (!q->n_out)
		return;
	if (q->out_has_offload)
		out_prepare(q);
	uint64_t before = 0, after = 0; // the device owns what it takes
	for (unsigned i = 0; i < q->n_out; i++)
		before += q->out[i]->pkt_len;
	unsigned done = burst_send(q);
	out_drop(q, 0, done);
	for (unsigned i = 0; i < q->n_out; i++)
		after += q->out[i]->pkt_len;
	n->counters.tx_frames += done;
	n->counters.tx_bytes += before - after;
	if (!q->n_out)
		q->out_has_offload = false;
}

static struct rte_mbuf *spare_take(struct dpdk_queue *q)
{
	if (unlikely(!q->n_spare)) {
		if (rte_pktmbuf_alloc_bulk(q->pool, q->spare, NIC_BURST))
			return NULL;
		q->n_spare = NIC_BURST;
	}
	return q->spare[--q->n_spare];
}

// Continue the frame in another buffer. Every buffer but the last is full, and its length even: a
// driver that sums in software goes through them one by one.
static struct rte_mbuf *chain_grow(struct dpdk_queue *q, struct rte_mbuf *head,
				   struct rte_mbuf *tail)
{
	struct rte_mbuf *m = spare_take(q);
	if (!m)
		return NULL;
	tail->next = m;
	head->nb_segs++;
	return m;
}

static bool body_copy(struct dpdk_queue *q, struct rte_mbuf *head, const struct nic_packet *p)
{
	struct rte_mbuf *tail = head;
	for (unsigned i = 0; i < p->n_body; i++) {
		const uint8_t *from = p->body[i].iov_base;
		size_t left = p->body[i].iov_len;
		while (left) {
			size_t room = q->port->room - tail->data_len;
			if (unlikely(!room)) {
				tail = chain_grow(q, head, tail);
				if (!tail)
					return false;
				continue;
			}
			size_t n = RTE_MIN(room, left);
			memcpy(rte_pktmbuf_mtod_offset(tail, uint8_t *, tail->data_len), from, n);
			tail->data_len = (uint16_t)(tail->data_len + n);
			head->pkt_len += (uint32_t)n;
			from += n;
			left -= n;
		}
	}
	return true;
}

static void offloads_set(struct rte_mbuf *m, const struct nic_packet *p)
{
	uint64_t flags = p->is_ip6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	flags |= p->offloads & NIC_TX_IP_SUM ? RTE_MBUF_F_TX_IP_CKSUM : 0;
	flags |= p->offloads & NIC_TX_TCP_SUM ? RTE_MBUF_F_TX_TCP_CKSUM : 0;
	flags |= p->offloads & NIC_TSO ? RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM : 0;
	flags |= p->offloads & NIC_TX_VLAN ? RTE_MBUF_F_TX_VLAN : 0;
	m->ol_flags |= flags;
	m->l2_len = p->l2_len;
	m->l3_len = p->l3_len;
	m->l4_len = p->l4_len;
	m->tso_segsz = p->offloads & NIC_TSO ? p->mss : 0;
	m->vlan_tci = p->vlan;
}

static bool fits(const struct dpdk_queue *q, const struct nic_packet *p)
{
	size_t body = 0;
	for (unsigned i = 0; i < p->n_body; i++)
		body += p->body[i].iov_len;
	if (p->offloads & NIC_TSO)
		return body <= q->port->info.tso_max;
	return p->head_len - p->l2_len + body <= q->port->info.mtu;
}

static int dpdk_send(struct nic *n, const struct nic_packet *p)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	assert(p->head_len <= NIC_HEAD_MAX && p->head_len >= p->l2_len);
	if (!fits(q, p))
		return -EMSGSIZE;
	if (q->n_out == NIC_BURST)
		dpdk_flush(n);
	struct rte_mbuf *m = q->n_out < NIC_BURST ? spare_take(q) : NULL;
	if (unlikely(!m)) {
		n->counters.tx_full++;
		return -ENOBUFS;
	}
	memcpy(rte_pktmbuf_mtod(m, void *), p->head, p->head_len);
	m->data_len = p->head_len;
	m->pkt_len = p->head_len;
	if (unlikely(!body_copy(q, m, p))) {
		rte_pktmbuf_free(m);
		n->counters.tx_full++;
		return -ENOBUFS;
	}
	if (m->pkt_len < FRAME_MIN) {
		memset(rte_pktmbuf_mtod_offset(m, void *, m->pkt_len), 0, FRAME_MIN - m->pkt_len);
		m->pkt_len = m->data_len = FRAME_MIN;
	}
	if (p->offloads) {
		offloads_set(m, p);
		q->out_has_offload = true;
	}
	q->out[q->n_out++] = m;
	return 0;
}

// ---- Sleep, count, close

static int disarm(struct dpdk_queue *q)
{
	uint64_t count;
	if (q->is_armed)
		rte_eth_dev_rx_intr_disable(q->port_id, q->nic.queue);
	q->is_armed = false;
	if (q->fd_is_event && read(q->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

// A frame that came after the last look and before the device was told has no one to tell of it, so
// there is one more look once it was told.
static int dpdk_arm(struct nic *n, bool on)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	if (!on)
		return disarm(q);
	if (q->n_early)
		return -EAGAIN;
	int rc = rte_eth_dev_rx_intr_enable(q->port_id, n->queue);
	// net_tap has nothing to be turned on: its descriptor is the device itself.
	if (rc && (rc != -ENOTSUP || q->fd_is_event))
		return rc;
	q->is_armed = !rc;
	q->n_early = rte_eth_rx_burst(q->port_id, n->queue, q->early, NIC_BURST);
	if (!q->n_early)
		return q->fd;
	disarm(q);
	return -EAGAIN;
}

// The device counts for all its queues; the first tells.
static void dpdk_count(struct nic *n)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	struct rte_eth_stats s;
	if (n->queue || rte_eth_stats_get(q->port_id, &s))
		return;
	n->counters.rx_missed = s.imissed;
	n->counters.rx_no_memory = s.rx_nombuf;
}

static void dpdk_close(struct nic *n)
{
	struct dpdk_queue *q = (struct dpdk_queue *)n;
	dpdk_flush(n);
	held_free(q);
	rte_pktmbuf_free_bulk(q->early, q->n_early);
	rte_pktmbuf_free_bulk(q->out, q->n_out);
	rte_pktmbuf_free_bulk(q->spare, q->n_spare);
	q->n_early = q->n_out = q->n_spare = 0;
	assert(q->port->n_open);
	if (!--q->port->n_open)
		dpdk_port_close(q->port);
}

const struct nic_ops dpdk_ops = {
	.name = "dpdk",
	.receive = dpdk_receive,
	.send = dpdk_send,
	.flush = dpdk_flush,
	.arm = dpdk_arm,
	.count = dpdk_count,
	.close = dpdk_close,
};

const struct nic_ops dpdk_ops_without_arm = {
	.name = "dpdk",
	.receive = dpdk_receive,
	.send = dpdk_send,
	.flush = dpdk_flush,
	.count = dpdk_count,
	.close = dpdk_close,
};

// ---- Open

static int open_logged(const struct nic_dpdk_settings *set, struct dpdk_device *d,
		       struct dpdk_port **out, char *text)
{
	int rc = dpdk_start(set, d, text);
	if (rc)
		return rc;
	sigset_t before;
	dpdk_signals_hold(&before); // net_vhost has a thread of its own
	rc = dpdk_port_open(set, d, out, text);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc && !text[0])
		dpdk_explain(d, dpdk_log_held(), -rc, text);
	return rc;
}

int nic_dpdk_open(const struct nic_dpdk_settings *set, struct nic **nics, char *text)
{
	struct dpdk_device d;
	struct dpdk_port *port;
	text[0] = 0;
	int rc = dpdk_device_read(set, &d, text);
	if (!rc)
		rc = dpdk_device_check(&d, "", text);
	if (rc)
		return rc;
	dpdk_log_hold();
	rc = open_logged(set, &d, &port, text);
	dpdk_log_release(rc != 0);
	for (unsigned i = 0; !rc && i < set->n_queues; i++)
		nics[i] = &port->queues[i].nic;
	return rc;
}

const char *nic_dpdk_arguments(void)
{
	return dpdk_start_line();
}
