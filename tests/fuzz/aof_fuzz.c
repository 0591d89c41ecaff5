// SPDX-License-Identifier: BSD-3-Clause
// An append-only file of arbitrary bytes. The first byte chooses the slices; the same bytes, whole
// and in slices, must give the same events, which lie one behind the other and are just the file.
#include <stdlib.h>

#include "parsers/aof.h"
#include "parsers/crc64.h"
#include "tests/fuzz/fuzz.h"

#define BIG_LEN AOF_BIG_LEN_MIN

struct verdict {
	uint64_t sum, good, pos, n_commands;
	enum aof_result result;
	enum aof_ending ending;
};

static bool lies_in(struct span part, struct span in)
{
	return part.p >= in.p && part.p + part.len <= in.p + in.len;
}

static uint64_t words_sum(uint64_t sum, const struct aof_event *ev, struct span taken)
{
	if (ev->kind == AOF_COMMAND)
		CHECK(ev->argc > 0);
	for (uint32_t i = 0; ev->kind == AOF_COMMAND && i < ev->argc; i++) {
		CHECK(lies_in(ev->argv[i], taken));
		sum = crc64(sum, ev->argv[i].p, ev->argv[i].len);
	}
	if (ev->kind == AOF_BIG_WORD || ev->kind == AOF_ANNOTATION) {
		CHECK(lies_in(ev->word, taken));
		sum = crc64(sum, ev->word.p, ev->word.len);
	}
	if (ev->kind == AOF_BIG_WORD)
		CHECK(ev->word_at + ev->word.len <= ev->word_len && ev->index < ev->argc);
	return sum;
}

static void event_note(struct verdict *v, const struct aof_reader *r, const struct aof_event *ev,
		       struct span taken)
{
	CHECK(ev->begin <= r->pos && r->good <= r->pos);
	v->sum = words_sum(v->sum, ev, taken);
	v->sum = crc64(v->sum, &ev->kind, sizeof(ev->kind));
	v->sum = crc64(v->sum, &ev->begin, sizeof(ev->begin));
	v->sum = crc64(v->sum, &ev->db, sizeof(ev->db));
	v->sum = crc64(v->sum, &ev->at_s, sizeof(ev->at_s));
	v->sum = crc64(v->sum, &ev->in_multi, sizeof(ev->in_multi));
}

static struct verdict run(const char *p, size_t len, size_t slice)
{
	struct verdict v = {.ending = AOF_WHOLE};
	struct aof_reader r;
	struct aof_event ev;
	size_t at = 0, shown = slice < len ? slice : len, used;
	CHECK(!aof_reader_init(&r, BIG_LEN));
	for (;;) {
		v.result = aof_next(&r, (struct span){p + at, shown - at}, &ev, &used);
		CHECK(used <= shown - at);
		if (v.result == AOF_EVENT)
			event_note(&v, &r, &ev, (struct span){p + at, used});
		at += used;
		if (v.result == AOF_EVENT && ev.kind == AOF_RDB) {
			aof_rdb_passed(&r, 5); // of any length
			at = 5;
			shown = shown > at ? shown : at;
		}
		CHECK(r.pos == at);
		if (v.result == AOF_BAD)
			break;
		if (v.result == AOF_EVENT)
			continue;
		CHECK(!used && r.need_len > shown - at && r.need_len <= BIG_LEN + AOF_LINE_MAX);
		if (shown == len)
			break;
		shown = slice < len - shown ? shown + slice : len;
	}
	if (v.result == AOF_MORE)
		v.ending = aof_end(&r, len - at);
	CHECK((r.error[0] != 0) == (v.result == AOF_BAD || v.ending != AOF_WHOLE));
	v.good = r.good;
	v.pos = r.pos;
	v.n_commands = r.n_commands;
	aof_reader_fini(&r);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (!len)
		return 0;
	const char *bytes = (const char *)p + 1;
	struct verdict a = run(bytes, len - 1, len), b = run(bytes, len - 1, 1 + p[0]);
	CHECK(a.sum == b.sum && a.good == b.good && a.pos == b.pos);
	CHECK(a.n_commands == b.n_commands && a.result == b.result && a.ending == b.ending);
	return 0;
}
