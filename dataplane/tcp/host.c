// SPDX-License-Identifier: BSD-3-Clause
// What the connections of a core share, and the birth and death of one.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/siphash.h"
#include "dataplane/tcp/tcp_priv.h"

#define BLOCKS_KEPT   1024 // free ones: 64 MB
#define RTO_FIRST_NS  NS_PER_S
#define RTO_MAX_NS    (60 * NS_PER_S)
#define PEER_DELAY_NS (200 * NS_PER_MS) // its worst delayed acknowledgement (RFC 8985, 7.2)
#define RECORDS_MIN   (1u << 19)        // segments in flight: 25 Gbit/s at 200 ms
#define QUICK_ACKS    16
#define SEND_FIRST    (64u << 10)

// Of all connections in a second, give or take a half: RFC 5961, 7 wants a limit, and that nobody
// can count by it what others get (CVE-2016-5696).
#define CHALLENGES 100

// Segments in flight: a full send buffer of short ones, as on an IPv6 path of 1280 bytes.
static uint32_t records_for(uint64_t send_max)
{
	return (uint32_t)max_u64(send_max / MSS_DEFAULT_6, RECORDS_MIN);
}

static uint8_t scale_for(uint64_t receive_max)
{
	uint8_t scale = 0;

	while (scale < SCALE_MAX && (uint64_t)UINT16_MAX << scale < receive_max)
		scale++;
	return scale;
}

struct tcp_host *tcp_host_new(const struct tcp_settings *set, const uint8_t secret[16],
			      uint64_t seed)
{
	struct tcp_host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->set = *set;
	h->recovery = (struct recovery_settings){
		.rto_min_ns = set->rto_min_ns,
		.rto_max_ns = RTO_MAX_NS,
		.rto_first_ns = RTO_FIRST_NS,
		.ack_delay_ns = PEER_DELAY_NS,
		.records_max = records_for(set->send_max),
	};
	h->pool.n_free_max = BLOCKS_KEPT;
	memcpy(h->secret, secret, sizeof(h->secret));
	h->random = seed;
	h->scale = scale_for(set->receive_max);
	return h;
}

void tcp_host_free(struct tcp_host *h)
{
	if (h == NULL)
		return;
	block_pool_fini(&h->pool);
	free(h);
}

// splitmix64
uint64_t host_random(struct tcp_host *h)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

bool host_may_challenge(struct tcp_host *h, uint64_t now_ns)
{
	if (now_ns >= h->challenge_until_ns) {
		h->challenge_until_ns = now_ns + NS_PER_S;
		h->challenge_left = CHALLENGES / 2 + (unsigned)(host_random(h) % CHALLENGES);
	}
	if (h->challenge_left == 0)
		return false;
	h->challenge_left--;
	return true;
}

uint64_t host_promise(struct tcp_host *h, uint64_t have, uint64_t want)
{
	uint64_t room = UINT64_MAX;

	if (h->set.memory_max)
		room = h->set.memory_max > h->promised ? h->set.memory_max - h->promised : 0;
	want = have + min_u64(want - have, room);
	h->promised += want - have;
	return want;
}

// RFC 6528: a clock of 4 us, and a place of its own for each pair of ends. Hashed with another word
// in front it gives the offset of the timestamps (RFC 7323, 5.4).
static uint64_t tuple_hash(const struct tcp_host *h, const struct tcp_tuple *tuple, uint8_t word)
{
	uint8_t p[2 + 16 + 16 + 4] = {word, tuple->family};

	memcpy(p + 2, tuple->local, 16);
	memcpy(p + 18, tuple->remote, 16);
	memcpy(p + 34, &tuple->local_port, 2);
	memcpy(p + 36, &tuple->remote_port, 2);
	return siphash(h->secret, p, sizeof(p));
}

struct seq isn_choose(const struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns)
{
	return seq_of((uint32_t)(now_ns / 4000) + (uint32_t)tuple_hash(h, tuple, 'i'));
}

static uint32_t mss_default(const struct tcp_tuple *tuple)
{
	return tuple->family == 6 ? MSS_DEFAULT_6 : MSS_DEFAULT_4;
}

static void congestion_begin(struct tcp *t, enum tcp_congestion what, uint64_t now_ns)
{
	const struct congestion_ops *ops = what == TCP_BBR ? &congestion_bbr : &congestion_cubic;

	congestion_init(&t->congestion, ops, t->snd.mss, CWND_FIRST, host_random(t->host), now_ns);
	t->congestion.slow_start_after_idle = t->host->set.slow_start_after_idle;
}

void tcp_set_congestion(struct tcp *t, enum tcp_congestion what)
{
	assert(tcp_is_opening(t));
	congestion_begin(t, what, t->opened_ns);
}

static int machines_init(struct tcp *t, uint64_t now_ns)
{
	congestion_begin(t, t->host->set.congestion, now_ns);
	return recovery_init(&t->recovery, &t->host->recovery, &t->congestion, t->snd.iss);
}

struct tcp *tcp_new(struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns)
{
	struct tcp *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);

	if (t == NULL)
		return NULL;
	*t = (struct tcp){.host = h, .tuple = *tuple, .opened_ns = now_ns};
	t->snd.iss = isn_choose(h, tuple, now_ns);
	t->ts_offset = (uint32_t)tuple_hash(h, tuple, 't');
	t->snd.una = t->snd.nxt = POSITION_SYN;
	t->snd.end = POSITION_DATA;
	t->snd.edge = POSITION_DATA; // the SYN may go
	t->snd.mss_peer = mss_default(tuple);
	t->snd.mss = t->snd.mss_peer;
	t->snd.limit = min_u64(SEND_FIRST, h->set.send_max);
	t->rcv.acked = t->rcv.edge = POSITION_DATA;
	// Less than two units of the window could not be told to the peer.
	t->rcv.limit = max_u64(min_u64(h->set.receive_first, h->set.receive_max), 2ull << h->scale);
	t->rcv.mss = MSS_DEFAULT_4;
	t->drain.since_ns = now_ns;
	t->drain.read = POSITION_DATA;
	t->ack.at_ns = TCP_NO_DEADLINE;
	t->ack.quick = QUICK_ACKS;
	t->timer.persist_ns = t->timer.end_ns = TCP_NO_DEADLINE;
	t->timer.heard_ns = now_ns;
	t->path.mss = mss_most(t);
	t->path.raise_ns = TCP_NO_DEADLINE;
	buffer_init(&t->send, &h->pool, POSITION_DATA);
	receive_init(&t->receive, &h->pool);
	if (machines_init(t, now_ns)) {
		free(t);
		return NULL;
	}
	h->promised += t->snd.limit + t->rcv.limit;
	h->n_connections++;
	return t;
}

void tcp_free(struct tcp *t)
{
	if (t == NULL)
		return;
	t->host->promised -= t->snd.limit + t->rcv.limit;
	t->host->n_connections--;
	recovery_fini(&t->recovery);
	receive_fini(&t->receive);
	buffer_fini(&t->send);
	free(t);
}
