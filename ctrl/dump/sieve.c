// SPDX-License-Identifier: BSD-3-Clause
// sieve_feed() -> all_pass() | some_pass() -> passed_split(), event_take() -> event_judge()
#include "ctrl/dump/sieve.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/crc64.h"
#include "parsers/rdb_string.h"

#define MB          (1024ull * 1024)
#define WINDOW_MAX  (1024 * MB) // above the longest name or library
#define BUF_LEN     (256 * 1024)
#define HELD_MAX    MB
#define HEADER_LEN  9
#define SUM_VERSION_MIN 5

int sieve_init(struct sieve *s, const struct decode_filter *filter, rdb_write_sink *sink, void *arg)
{
	const struct rdb_settings set = {.window_len = WINDOW_MAX,
					 .big_len = MB,
					 .scratch_len = WINDOW_MAX,
					 .skim = true,
					 .lenient = true};
	*s = (struct sieve){.filter = filter, .sink = sink, .arg = arg};
	int rc = rdb_reader_init(&s->reader, &set);
	assert(rc == 0);
	s->buf = filter ? malloc(BUF_LEN) : NULL;
	rdb_write_init(&s->writer, s->buf, BUF_LEN, sink, arg);
	return filter && !s->buf ? -ENOMEM : 0;
}

void sieve_fini(struct sieve *s)
{
	rdb_reader_fini(&s->reader);
	free(s->buf);
	free(s->held);
	s->buf = NULL;
	s->held = NULL;
}

static int bad(struct sieve *s, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return -EBADMSG;
}

// ---- Everything passes

static void sum_feed(struct sieve_sum *m, struct span bytes)
{
	size_t all = m->n + bytes.len, out = all > sizeof(m->last) ? all - sizeof(m->last) : 0;
	size_t old = out < m->n ? out : m->n, now = out - old;
	m->crc = crc64(crc64(m->crc, m->last, old), bytes.p, now);
	memmove(m->last, m->last + old, m->n - old);
	m->n -= old;
	memcpy(m->last + m->n, bytes.p + now, bytes.len - now);
	m->n += bytes.len - now;
}

static bool sum_is_right(const struct sieve_sum *m)
{
	uint64_t told = m->n == sizeof(m->last) ? rdb_le64(m->last) : 0;
	return told != 0 && told == m->crc;
}

static void end_take(struct sieve *s, const struct rdb_event *ev)
{
	s->ended = true;
	s->unsummed = ev->crc == RDB_CRC_NONE;
	if (ev->crc == RDB_CRC_WRONG)
		bad(s, s->reader.error);
}

// What the reader does not understand is no reason to keep a file from its owner: the bytes are
// copied on, and the checksum tells in the end whether they are what the source wrote.
static int all_pass(struct sieve *s, struct span in, size_t *used)
{
	struct rdb_event ev;
	enum rdb_result rc = RDB_EVENT;
	size_t n;
	while (rc == RDB_EVENT && !s->unread && !s->ended) {
		rc = rdb_next(&s->reader, (struct span){in.p + *used, in.len - *used}, &ev, &n);
		*used += n;
		if (rc == RDB_EVENT && ev.kind == RDB_SKIPPED && ev.key.p)
			s->n_kept = ++s->n_keys;
		if (rc == RDB_EVENT && ev.kind == RDB_EOF)
			end_take(s, &ev);
		if (rc == RDB_BAD) {
			s->unread = true;
			bad(s, s->reader.error);
		}
	}
	if (s->ended)
		s->n_behind += in.len - *used;
	if (s->ended || s->unread)
		*used = in.len;
	sum_feed(&s->sum, (struct span){in.p, *used});
	return *used ? s->sink(s->arg, (struct span){in.p, *used}) : 0;
}

// ---- Some keys pass

static int hold(struct sieve *s, struct span bytes)
{
	if (bytes.len == 0)
		return 0;
	if (s->n_held + bytes.len > HELD_MAX)
		return bad(s, "there is more than 1 MB of data about one key before it");
	if (s->n_held + bytes.len > s->held_room) {
		size_t room = 2 * (s->n_held + bytes.len);
		char *more = realloc(s->held, room);
		if (!more)
			return -ENOMEM;
		s->held = more;
		s->held_room = room;
	}
	memcpy(s->held + s->n_held, bytes.p, bytes.len);
	s->n_held += bytes.len;
	return 0;
}

static int give(struct sieve *s, enum sieve_fate fate, struct span bytes)
{
	if (fate == SIEVE_HOLD)
		return hold(s, bytes);
	if (fate == SIEVE_KEEP) {
		rdb_write_bytes(&s->writer, (struct span){s->held, s->n_held});
		rdb_write_bytes(&s->writer, bytes);
	}
	s->n_held = 0;
	return s->writer.error;
}

static bool is_place(struct span aux)
{
	return span_eq(aux, SPAN_LIT("repl-id")) || span_eq(aux, SPAN_LIT("repl-offset")) ||
	       span_eq(aux, SPAN_LIT("repl-stream-db"));
}

static enum sieve_fate passed_judge(const struct sieve *s, const struct rdb_event *ev, bool by_key)
{
	if (ev->key.p)
		return filter_wants(s->filter, s->db, ev) ? SIEVE_KEEP : SIEVE_DROP;
	if (!strcmp(ev->name, "KEY_META"))
		return SIEVE_HOLD;
	if (!strcmp(ev->name, "HASH_TEMPLATE"))
		return SIEVE_KEEP; // any key may need it
	return !strcmp(ev->name, "MODULE_AUX") && !by_key ? SIEVE_KEEP : SIEVE_DROP;
}

static enum sieve_fate event_judge(const struct sieve *s, const struct rdb_event *ev)
{
	const struct decode_filter *f = s->filter;
	bool by_key = f->match || f->type, here = !f->one_db || f->db == s->db, kept = false;
	if (ev->kind == RDB_SKIPPED)
		return passed_judge(s, ev, by_key);
	if (ev->kind == RDB_SELECTDB)
		kept = here;
	else if (ev->kind == RDB_RESIZEDB)
		kept = here && !by_key;
	else if (ev->kind == RDB_AUX)
		kept = !is_place(ev->key);
	else if (ev->kind == RDB_FUNCTION)
		kept = !by_key || (f->type && !strcasecmp(f->type, "function"));
	return kept ? SIEVE_KEEP : SIEVE_DROP;
}

static int event_take(struct sieve *s, const struct rdb_event *ev, struct span bytes)
{
	if (ev->kind == RDB_COMMAND)
		return bad(s, "the snapshot holds commands between its keys, of which nobody can "
			      "tell which keys they change: take it without a filter");
	if (ev->kind == RDB_EOF) {
		s->n_held = 0;
		end_take(s, ev);
		return ev->crc == RDB_CRC_WRONG ? -EBADMSG : 0;
	}
	if (ev->kind == RDB_SELECTDB)
		s->db = ev->db;
	enum sieve_fate fate = event_judge(s, ev);
	if (ev->kind == RDB_SKIPPED) {
		s->passing = true;
		s->passing_fate = fate;
		s->passing_from = s->reader.pos;
		s->n_keys += ev->key.p != NULL;
		s->n_kept += ev->key.p != NULL && fate == SIEVE_KEEP;
	}
	return give(s, fate, bytes);
}

// How many of the bytes that were used belong to what is being passed over.
static size_t passed_split(struct sieve *s, size_t used)
{
	if (!s->passing)
		return 0;
	if (s->reader.skip_end <= s->passing_from)
		return used;
	s->passing = false;
	return (size_t)(s->reader.skip_end - (s->reader.pos - used));
}

// The header comes without an event; our writer makes the same one.
static size_t header_split(struct sieve *s, size_t used)
{
	if (s->writer.version || !s->reader.version)
		return 0;
	rdb_write_magic(&s->writer, s->reader.magic, s->reader.version);
	assert(used >= HEADER_LEN);
	return HEADER_LEN;
}

static int some_pass(struct sieve *s, struct span in, size_t *used)
{
	struct rdb_event ev;
	enum rdb_result result = RDB_EVENT;
	int rc = 0;
	while (result == RDB_EVENT && rc == 0 && !s->ended) {
		size_t n;
		const char *at = in.p + *used;
		result = rdb_next(&s->reader, (struct span){at, in.len - *used}, &ev, &n);
		*used += n;
		size_t head = header_split(s, n), passed = passed_split(s, n);
		if (passed)
			rc = give(s, s->passing_fate, (struct span){at, passed});
		// Only the first step takes the header, and it passes over nothing.
		struct span now = {at + head + passed, n - head - passed};
		if (rc == 0)
			rc = result == RDB_EVENT ? event_take(s, &ev, now) : hold(s, now);
	}
	if (s->ended) {
		s->n_behind += in.len - *used;
		*used = in.len;
	}
	return rc ? rc : result == RDB_BAD ? bad(s, s->reader.error) : 0;
}

int sieve_feed(struct sieve *s, struct span in, size_t *used)
{
	*used = 0;
	return s->filter ? some_pass(s, in, used) : all_pass(s, in, used);
}

int sieve_end(struct sieve *s, size_t n_unused)
{
	if (s->unread)
		return s->reader.version >= SUM_VERSION_MIN && sum_is_right(&s->sum) ? 0 : -EBADMSG;
	if (!s->ended)
		return bad(s, rdb_truncated(&s->reader, n_unused));
	if (s->why[0])
		return -EBADMSG;
	return s->filter ? rdb_write_eof(&s->writer) : 0;
}
