// SPDX-License-Identifier: BSD-3-Clause
// aof_next() -> start_step() | between_step() -> annotation_step() | aof_command_step()
//            -> aof_big_step()
#include "parsers/aof.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/aof_priv.h"

#define ARGV_FIRST 64
#define SHOWN_LEN  16 // bytes of a file that an error shows

int aof_reader_init(struct aof_reader *r, size_t big_len)
{
	if (big_len < AOF_BIG_LEN_MIN)
		return -EINVAL;
	*r = (struct aof_reader){.at_s = -1, .big_len = big_len, .argv_max = ARGV_FIRST};
	r->resp = resp_stream_new(0);
	r->argv = malloc(ARGV_FIRST * sizeof(*r->argv));
	if (r->resp && r->argv)
		return 0;
	aof_reader_fini(r);
	return -ENOMEM;
}

void aof_reader_fini(struct aof_reader *r)
{
	resp_stream_free(r->resp);
	free(r->argv);
	r->resp = NULL;
	r->argv = NULL;
}

// The bytes as one can print them.
static void bytes_show(struct span s, char *out, size_t out_len)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < s.len && i < SHOWN_LEN; i++) {
		uint8_t c = (uint8_t)s.p[i];
		const char *form = c == '\r'                                        ? "\\r"
				   : c == '\n'                                      ? "\\n"
				   : c < ' ' || c >= 0x7f || c == '"' || c == '\\' ? "\\x%02x"
										    : "%c";
		n += (size_t)snprintf(out + n, out_len - n, form, c);
	}
}

enum aof_result aof_fail(struct aof_reader *r, struct span in, size_t at, const char *what)
{
	char shown[4 * SHOWN_LEN + 1];
	at = at < in.len ? at : in.len;
	bytes_show((struct span){in.p + at, in.len - at}, shown, sizeof(shown));
	snprintf(r->error, sizeof(r->error), "%s (at byte %" PRIu64 " of the AOF, where \"%s\" is)",
		 what, r->pos + at, shown);
	r->state = AOF_BROKEN;
	return AOF_BAD;
}

enum aof_result aof_more(struct aof_reader *r, size_t need_len)
{
	assert(need_len <= r->big_len + AOF_LINE_MAX);
	r->need_len = need_len;
	return AOF_MORE;
}

enum aof_result aof_take(struct aof_reader *r, struct aof_event *ev, size_t n, size_t *used)
{
	r->pos += n;
	*used = n;
	ev->end = r->pos;
	return AOF_EVENT;
}

// ---- Preamble

static const struct span magics[] = {{"REDIS", 5}, {"VALKEY", 6}};

static enum aof_result start_step(struct aof_reader *r, struct span in, struct aof_event *ev)
{
	if (!in.len)
		return aof_more(r, 1);
	for (size_t i = 0; i < 2; i++) {
		size_t n = in.len < magics[i].len ? in.len : magics[i].len;
		if (memcmp(in.p, magics[i].p, n))
			continue;
		if (n < magics[i].len)
			return aof_more(r, magics[i].len);
		ev->kind = AOF_RDB;
		return AOF_EVENT; // again and again, until aof_rdb_passed()
	}
	r->state = AOF_BETWEEN;
	return AOF_MORE;
}

void aof_rdb_passed(struct aof_reader *r, uint64_t len)
{
	assert(r->state == AOF_AT_START);
	r->pos = r->good = len;
	r->state = AOF_BETWEEN;
	resp_stream_reset(r->resp, len);
}

// ---- Annotations

#define TS_DIGITS 15 // no overflow when somebody wants ms

// "TS:1700000000", as far as it is one.
static bool timestamp_read(struct span line, int64_t *at_s)
{
	struct span digits = {line.p + 3, line.len - 3};
	if (line.len < 4 || line.len > 3 + TS_DIGITS || memcmp(line.p, "TS:", 3))
		return false;
	for (size_t i = 0; i < digits.len; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	*at_s = (int64_t)span_digits(digits);
	return true;
}

static enum aof_result annotation_step(struct aof_reader *r, struct span in, struct aof_event *ev,
				       size_t *used)
{
	size_t most = in.len < AOF_LINE_MAX ? in.len : AOF_LINE_MAX;
	const char *end = memchr(in.p, '\n', most);
	if (!end)
		return in.len < AOF_LINE_MAX
			       ? aof_more(r, in.len + 1)
			       : aof_fail(r, in, 0, "an annotation is longer than servers take");
	size_t len = (size_t)(end - in.p);
	ev->word = (struct span){in.p + 1, len - 1};
	if (ev->word.len && end[-1] == '\r')
		ev->word.len--;
	ev->kind = timestamp_read(ev->word, &r->at_s) ? AOF_TIMESTAMP : AOF_ANNOTATION;
	ev->at_s = r->at_s;
	aof_take(r, ev, len + 1, used);
	if (!r->in_multi)
		r->good = r->pos;
	return AOF_EVENT;
}

// ----

static enum aof_result between_step(struct aof_reader *r, struct span in, struct aof_event *ev,
				    size_t *used)
{
	if (!in.len)
		return aof_more(r, 1);
	if (in.p[0] == '#')
		return annotation_step(r, in, ev, used);
	if (in.p[0] == '*')
		return aof_command_step(r, in, ev, used);
	return aof_fail(r, in, 0, "neither a command nor an annotation begins");
}

enum aof_result aof_next(struct aof_reader *r, struct span in, struct aof_event *ev, size_t *used)
{
	*used = 0;
	if (r->state == AOF_BROKEN)
		return AOF_BAD;
	if (r->state != AOF_IN_BIG)
		r->begin = r->pos;
	*ev = (struct aof_event){
		.begin = r->begin, .db = r->db, .at_s = r->at_s, .in_multi = r->in_multi};
	if (r->state == AOF_AT_START) {
		enum aof_result result = start_step(r, in, ev);
		if (r->state == AOF_AT_START)
			return result;
	}
	return r->state == AOF_IN_BIG ? aof_big_step(r, in, ev, used)
				      : between_step(r, in, ev, used);
}

enum aof_ending aof_end(struct aof_reader *r, size_t n_unused)
{
	uint64_t len = r->pos + n_unused;
	if (!len) {
		snprintf(r->error, sizeof(r->error), "the file is empty");
		return AOF_EMPTY;
	}
	if (r->in_multi) {
		snprintf(r->error, sizeof(r->error),
			 "the transaction that begins at byte %" PRIu64
			 " has no EXEC: the file ends %" PRIu64 " bytes behind its last good point",
			 r->good, len - r->good);
		return AOF_OPEN_MULTI;
	}
	if (n_unused || r->state == AOF_IN_BIG) {
		snprintf(r->error, sizeof(r->error),
			 "the file ends within what begins at byte %" PRIu64 ", %" PRIu64
			 " bytes behind its last good point", r->good, len - r->good);
		return AOF_CUT;
	}
	return AOF_WHOLE;
}
