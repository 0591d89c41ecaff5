// SPDX-License-Identifier: BSD-3-Clause
// The log, driven as the core that owns it does, turn by turn: bytes come in,
// log_turn(), the cursor takes what may be viewed, and when nothing moves it sleeps until the disk
// has news.
//
//   logged_turn() -> logged_go() -> bytes_give(), log_turn(), bytes_take(), logged_sleep()
#include "tests/bench/spill.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/log/log.h"

#define RECEIVE_LEN      (128u * 1024) // at once, as the source does
#define RECEIVES_MAX     8             // in a turn
#define PACED_LEN        (64u * 1024)  // a paced source gives no less
#define NOISE_LEN        4096u
#define NOISE_AT         2560u // a word of a page that no mark is ever written over
#define SYNC_INTERVAL_MS 1000
#define SLEEP_NS_MAX     100000000ull
#define REPLID           "0123456789abcdef0123456789abcdef01234567"

struct logged {
	const struct spill_options *options;
	struct log log;
	int wake_fd;
	unsigned cursor;
	uint64_t bytes; // of a run
	char noise[NOISE_LEN];
	uint64_t later_ms; // added to the clock that the log is told
};

// What a part of a run is to do.
struct aim {
	uint64_t give_to;    // offset
	uint64_t give_per_s; // bytes; 0: as fast as it can
	bool take;
	uint64_t take_to;              // offset; with `take`
	bool durable;                  // all that was given
	uint64_t begin_ns, given_from; // of the paced source
	uint64_t gave_all_ns;          // out: when it had given all
	uint64_t taken_then;           // out: where the cursor was
};

struct logged *logged_new(const struct spill_options *o, const char *path)
{
	char text[LOG_TEXT_LEN];
	struct logged *g = calloc(1, sizeof(*g));
	if (!g)
		give_up("memory", -ENOMEM);
	g->options = o;
	g->bytes = o->bytes & ~(NOISE_LEN - 1ull);
	for (unsigned i = 0; i < NOISE_LEN; i++)
		g->noise[i] = (char)(1 + (mrand48() & 127));
	g->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct log_config c = {.window_len = o->window_len,
			       .folder = path,
			       .disk_limit = 4 * o->bytes + (1ull << 30),
			       .sync = LOG_SYNC_INTERVAL,
			       .sync_interval_ms = SYNC_INTERVAL_MS,
			       .owner = "spill",
			       .wake_fd = g->wake_fd,
			       .disk = o->choice};
	int rc = g->wake_fd < 0 ? -errno : log_init(&g->log, &c, text);
	if (rc)
		give_up(g->wake_fd < 0 ? "eventfd" : text, rc);
	g->cursor = log_cursor_add(&g->log);
	return g;
}

void logged_free(struct logged *g)
{
	log_reset(&g->log, REPLID, 0); // so that nothing is kept on disk
	log_fini(&g->log);
	close(g->wake_fd);
	free(g);
}

// ---- Bytes

static uint64_t mark_of(uint64_t offset)
{
	return (offset / NOISE_LEN + 1) * 0x9e3779b97f4a7c15ull;
}

static uint64_t mark_next(uint64_t offset)
{
	return (offset + NOISE_LEN - 1) & ~(NOISE_LEN - 1ull);
}

// Memory that was never used gets bytes that a clever disk has to store. Later runs find them
// there: a copy of every byte is what a socket costs, not what the log costs.
static void noise_make(const struct logged *g, char *p, size_t len)
{
	char *page = (char *)((uintptr_t)p & ~(uintptr_t)(NOISE_LEN - 1));
	for (; page < p + len; page += NOISE_LEN) {
		char *from = page < p ? p : page;
		char *to = page + NOISE_LEN < p + len ? page + NOISE_LEN : p + len;
		bool inside = page + NOISE_AT >= from && page + NOISE_AT < to;
		if (inside && !page[NOISE_AT])
			memcpy(from, g->noise, (size_t)(to - from));
	}
}

// Every mark lies in one piece: the log cuts its bytes at multiples of 1024.
static void bytes_mark(const struct logged *g, char *p, uint64_t offset, size_t len)
{
	noise_make(g, p, len);
	for (uint64_t at = mark_next(offset); at < offset + len; at += NOISE_LEN) {
		uint64_t mark = mark_of(at);
		memcpy(p + (at - offset), &mark, sizeof(mark));
	}
}

static void bytes_check(const char *p, uint64_t offset, size_t len)
{
	for (uint64_t at = mark_next(offset); at < offset + len; at += NOISE_LEN) {
		uint64_t mark;
		memcpy(&mark, p + (at - offset), sizeof(mark));
		if (mark != mark_of(at))
			give_up("the log brought other bytes than it got", -EIO);
	}
}

// How many bytes the source has by now, up to what it is asked for.
static uint64_t source_has(const struct aim *a, uint64_t now_ns)
{
	if (!a->give_per_s)
		return a->give_to;
	double has = (double)(now_ns - a->begin_ns) * 1e-9 * (double)a->give_per_s;
	uint64_t to = a->given_from + ((uint64_t)has & ~(PACED_LEN - 1ull));
	return to < a->give_to ? to : a->give_to;
}

// @return whether anything came in
static bool bytes_give(struct logged *g, const struct aim *a, const struct clock_reading *now)
{
	struct log *l = &g->log;
	uint64_t to = source_has(a, now->mono_ns);
	bool gave = false;
	for (unsigned i = 0; i < RECEIVES_MAX && l->tail < to; i++) {
		size_t len;
		char *p = log_space(l, &len);
		if (!len)
			break;
		len = len < RECEIVE_LEN ? len : RECEIVE_LEN;
		len = len < to - l->tail ? len : (size_t)(to - l->tail);
		bytes_mark(g, p, l->tail, len);
		log_received(l, len, now->mono_ns, now->wall_ms);
		gave = true;
	}
	return gave;
}

// @return whether anything went out
static bool bytes_take(struct logged *g, uint64_t to)
{
	struct log *l = &g->log;
	uint64_t from = l->slowest, at = from;
	while (at < log_end(l) && at < to) {
		size_t len;
		const char *p = log_view(l, at, &len);
		len = len < to - at ? len : (size_t)(to - at);
		bytes_check(p, at, len);
		at += len;
	}
	if (at > from)
		log_cursor_set(l, g->cursor, at);
	return at > from;
}

// ---- The loop

static void logged_sleep(struct logged *g, uint64_t now_ns, uint64_t deadline_ns)
{
	uint64_t left = deadline_ns > now_ns ? deadline_ns - now_ns : 0, n;
	struct timespec t = {.tv_nsec = (long)(left < SLEEP_NS_MAX ? left : SLEEP_NS_MAX)};
	struct pollfd p = {.fd = g->wake_fd, .events = POLLIN};
	if (ppoll(&p, 1, &t, NULL) > 0 && read(g->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		give_up("eventfd", -errno);
}

static bool aim_reached(const struct logged *g, const struct aim *a)
{
	const struct log *l = &g->log;
	return l->tail >= a->give_to && (!a->take || l->slowest >= a->take_to) &&
	       (!a->durable || log_durable(l) >= l->tail);
}

static void trouble_check(const struct logged *g)
{
	const char *text = log_trouble(&g->log);
	if (text[0] || log_damage(&g->log, &text))
		give_up(text, -EIO);
}

static struct clock_reading logged_now(const struct logged *g)
{
	struct clock_reading now = clock_kernel.read();
	now.mono_ns += 1000000 * g->later_ms;
	return now;
}

static void logged_go(struct logged *g, struct aim *a)
{
	a->begin_ns = logged_now(g).mono_ns;
	a->given_from = g->log.tail;
	while (!aim_reached(g, a)) {
		struct clock_reading now = logged_now(g);
		bool moved = bytes_give(g, a, &now);
		if (g->log.tail >= a->give_to && !a->gave_all_ns) {
			a->gave_all_ns = now.mono_ns;
			a->taken_then = g->log.slowest;
		}
		uint64_t deadline_ns = now.mono_ns + SLEEP_NS_MAX;
		if (a->give_per_s && g->log.tail < a->give_to)
			deadline_ns = now.mono_ns + 1000000000ull * PACED_LEN / a->give_per_s;
		bool more = log_turn(&g->log, &now, &deadline_ns);
		trouble_check(g);
		if (a->take)
			moved |= bytes_take(g, a->take_to);
		log_settle(&g->log, g->log.slowest);
		if (!moved && !more && !aim_reached(g, a))
			logged_sleep(g, now.mono_ns, deadline_ns);
	}
}

// ---- What is measured

// The last sync is not waited for: the log is told that its time has come.
static void logged_spill(struct logged *g, uint64_t bytes, double *f)
{
	struct aim all = {.give_to = bytes}, durable = {.give_to = bytes, .durable = true};
	struct spill_meter begin = meter_read();
	logged_go(g, &all);
	struct spill_meter given = meter_read();
	g->later_ms += SYNC_INTERVAL_MS;
	logged_go(g, &durable);
	struct spill_meter write = meter_since(begin), sync = meter_since(given);
	if (!f)
		return;
	f[SPILL_log_write_mb_s] = (double)bytes / 1e6 / write.wall_s;
	f[SPILL_log_write_cpu_us_per_mb] = 1e12 * write.cpu_s / (double)bytes;
	f[SPILL_log_sync_ms] = 1e3 * sync.wall_s;
}

// What memory still has in front comes first and is not counted, only what the disk brings back.
static void logged_drain(struct logged *g, double *f)
{
	uint64_t front = log_end(&g->log), bytes = g->log.tail - front;
	struct aim all = {.give_to = g->log.tail, .take = true, .take_to = g->log.tail};
	struct spill_meter begin = meter_read();
	logged_go(g, &all);
	struct spill_meter read = meter_since(begin);
	f[SPILL_log_read_mb_s] = (double)bytes / 1e6 / read.wall_s;
	f[SPILL_log_read_cpu_us_per_mb] = 1e12 * read.cpu_s / (double)bytes;
}

static void logged_both(struct logged *g, double source_mb_s, double *f)
{
	uint64_t half = g->bytes / 2 & ~(NOISE_LEN - 1ull);
	logged_spill(g, half, NULL);
	uint64_t front = log_end(&g->log);
	struct aim a = {.give_to = 2 * half,
			.give_per_s = (uint64_t)(source_mb_s * 1e6),
			.take = true,
			.take_to = 2 * half};
	struct spill_meter begin = meter_read();
	logged_go(g, &a);
	struct spill_meter both = meter_since(begin);
	double mb = (double)(2 * half - front) / 1e6;
	f[SPILL_both_asked_mb_s] = source_mb_s;
	f[SPILL_both_source_mb_s] =
		(double)half / 1e6 / (1e-9 * (double)(a.gave_all_ns - a.begin_ns));
	f[SPILL_both_read_mb_s] = mb / both.wall_s;
	f[SPILL_both_cpu_us_per_mb] = 1e6 * both.cpu_s / mb;
}

void logged_turn(struct logged *g, double source_mb_s, double *f)
{
	log_reset(&g->log, REPLID, 0);
	logged_spill(g, g->bytes, f);
	if (log_end(&g->log) == g->log.tail)
		give_up("all fits the window: nothing to measure", -ERANGE);
	logged_drain(g, f);
	log_reset(&g->log, REPLID, 0);
	logged_both(g, source_mb_s, f);
	log_reset(&g->log, REPLID, 0);
}
