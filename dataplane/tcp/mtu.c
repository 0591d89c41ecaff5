// SPDX-License-Identifier: BSD-3-Clause
// The size of segments: what the peer and the device allow, and what the path carries. That is
// learnt from ICMP (RFC 1191, 8201), and where tunnels swallow it, from what gets lost (RFC 4821):
// if only full segments do, and again and again, the size falls to a floor; later single larger
// segments try how far it can rise.
#include "dataplane/tcp/tcp_priv.h"

#define RAISE_NS       (600 * NS_PER_S) // RFC 8899, 5.1.1: PMTU_RAISE_TIMER
#define BLACK_HOLE     3                // full segments lost in a row
#define WORTH_A_PROBE  32               // bytes
#define PROBE_SEGMENTS 8                // to be written or in flight, so that a loss shows at once

static uint32_t headers_len(const struct tcp *t)
{
	return t->tuple.family == 6 ? 60 : 40;
}

// RFC 6691: the MSS does not know of options; who sends them has less room for bytes.
static uint32_t payload_of(const struct tcp *t, uint32_t mss)
{
	uint32_t least = MSS_FLOOR / 2;

	mss = t->has_time ? mss - TIME_LEN : mss;
	return mss < least ? least : mss;
}

static uint32_t mss_limit(const struct tcp *t)
{
	return (uint32_t)min_u64(t->snd.mss_peer, mss_most(t));
}

void mss_settle(struct tcp *t, uint64_t now_ns)
{
	uint32_t mss = payload_of(t, (uint32_t)min_u64(mss_limit(t), t->path.mss));

	if (mss == t->snd.mss)
		return;
	trace_put(t->trace, now_ns, TRACE_MSS, 0, 0, trace_clip16(t->snd.mss), trace_clip16(mss));
	t->snd.mss = mss;
	if (tcp_is_opening(t))
		return;
	congestion_mss(&t->congestion, mss);
	recovery_mss(&t->recovery, mss);
}

static void path_lower(struct tcp *t, uint32_t mss, uint64_t now_ns)
{
	t->path.mss_failed = t->path.mss;
	t->path.mss = mss;
	t->path.probe_end = 0;
	t->path.raise_ns = now_ns + RAISE_NS;
	mss_settle(t, now_ns);
}

// No less than what every path carries: a forged one is not to cut us into crumbs.
void mss_told(struct tcp *t, uint32_t mtu, uint64_t now_ns)
{
	uint32_t least = t->tuple.family == 6 ? MSS_DEFAULT_6 : MSS_DEFAULT_4;
	uint32_t mss = mtu > headers_len(t) ? mtu - headers_len(t) : 0;

	mss = mss < least ? least : mss;
	if (mss < t->path.mss)
		path_lower(t, mss, now_ns);
}

// The next size to try: all, then half of what is open.
static uint32_t probe_mss(const struct tcp *t)
{
	uint32_t most = mss_limit(t);

	if (t->path.mss_failed && t->path.mss_failed <= most)
		return (t->path.mss + t->path.mss_failed) / 2;
	return most;
}

uint32_t mss_probe_len(const struct tcp *t, uint64_t now_ns)
{
	uint32_t len = payload_of(t, probe_mss(t));
	uint64_t unacked = t->snd.end - t->snd.una;

	if (t->path.raise_ns > now_ns || t->path.probe_end || recovery_is_on(&t->recovery))
		return 0;
	if (t->snd.nxt + len > min_u64(t->snd.end, t->snd.edge) || unacked < PROBE_SEGMENTS * len)
		return 0;
	return len;
}

void mss_probe_sent(struct tcp *t, uint64_t end)
{
	t->path.probe_mss = probe_mss(t);
	t->path.probe_end = end;
}

static void probe_next(struct tcp *t, uint64_t now_ns)
{
	bool is_done = probe_mss(t) < t->path.mss + WORTH_A_PROBE;

	t->path.probe_end = 0;
	if (!is_done)
		t->path.raise_ns = now_ns + t->recovery.rto_ns;
	else if (t->path.mss >= mss_limit(t))
		t->path.raise_ns = TCP_NO_DEADLINE;
	else
		t->path.raise_ns = now_ns + RAISE_NS;
	if (is_done)
		t->path.mss_failed = 0;
}

void mss_probe_lost(struct tcp *t, uint64_t now_ns)
{
	t->path.mss_failed = t->path.probe_mss;
	probe_next(t, now_ns);
}

// Full segments get lost again and again; or one that is not full, but longer than the floor.
static bool is_black_hole(const struct tcp *t, uint32_t least)
{
	if (recovery_full_size_losses(&t->recovery) >= BLACK_HOLE)
		return true;
	return t->recovery.backoff >= BLACK_HOLE && t->snd.nxt - t->snd.una > payload_of(t, least);
}

void mss_watch(struct tcp *t, uint64_t now_ns)
{
	uint32_t least = t->host->set.mss_min;

	if (is_black_hole(t, least) && least < min_u64(mss_limit(t), t->path.mss)) {
		path_lower(t, least, now_ns);
		return;
	}
	if (t->path.probe_end == 0 || t->snd.una < t->path.probe_end)
		return;
	t->path.mss = t->path.probe_mss;
	probe_next(t, now_ns);
	mss_settle(t, now_ns);
}
