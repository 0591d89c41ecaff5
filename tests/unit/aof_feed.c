// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/aof_feed.h"

#include "parsers/crc64.h"

static void word_write(FILE *out, struct span word)
{
	bool plain = word.len <= 40;
	for (size_t i = 0; i < word.len && plain; i++)
		plain = word.p[i] > ' ' && word.p[i] < 0x7f;
	if (plain)
		fprintf(out, " %.*s", (int)word.len, word.p);
	else
		fprintf(out, " [%zu:%016" PRIx64 "]", word.len, crc64(0, word.p, word.len));
}

static void event_write(FILE *out, const struct aof_event *ev)
{
	static const char *const kinds[] = {"rdb",    "command",   "big",       "word",
					    "bigend", "timestamp", "annotation"};
	fprintf(out, "%" PRIu64 " %s", ev->begin, kinds[ev->kind]);
	if (ev->db)
		fprintf(out, " db%" PRIu64, ev->db);
	if (ev->at_s != -1)
		fprintf(out, " @%" PRId64, ev->at_s);
	if (ev->in_multi)
		fputs(" multi", out);
	if (ev->kind == AOF_COMMAND)
		for (uint32_t i = 0; i < ev->argc; i++)
			word_write(out, ev->argv[i]);
	if (ev->kind == AOF_BIG_BEGIN || ev->kind == AOF_BIG_END)
		fprintf(out, " n=%u", ev->argc);
	if (ev->kind == AOF_BIG_WORD)
		fprintf(out, " %u %" PRIu64 "+%" PRIu64, ev->index, ev->word_len, ev->word_at);
	if (ev->kind == AOF_BIG_WORD || ev->kind == AOF_ANNOTATION)
		word_write(out, ev->word);
	if (ev->kind == AOF_COMMAND || ev->kind >= AOF_BIG_END)
		fprintf(out, " ..%" PRIu64, ev->end);
	fputc('\n', out);
}

static size_t slice_next(struct aof_feed *f)
{
	return f->random ? 1 + (size_t)random_below(f->random, f->slice) : f->slice;
}

// The window is a copy of just its bytes, so that a sanitizer sees what is read behind it.
static enum aof_result step(struct aof_reader *r, struct span window, FILE *out, size_t *used)
{
	struct aof_event ev;
	char *copy = malloc(window.len + 1);
	if (window.len)
		memcpy(copy, window.p, window.len);
	enum aof_result result = aof_next(r, (struct span){copy, window.len}, &ev, used);
	if (result == AOF_EVENT)
		event_write(out, &ev);
	free(copy);
	return result;
}

void aof_feed_run(struct aof_feed *f, struct span file, size_t preamble_len)
{
	size_t at = 0, shown = f->slice && f->slice < file.len ? 0 : file.len, used, trace_len;
	FILE *out = open_memstream(&f->trace, &trace_len);
	struct aof_reader r;
	assert_int_equal(aof_reader_init(&r, FEED_BIG_LEN), 0);
	for (;;) {
		f->result = step(&r, (struct span){file.p + at, shown - at}, out, &used);
		assert_true(used <= shown - at);
		at += used;
		if (f->result == AOF_EVENT && r.state == AOF_AT_START) {
			aof_rdb_passed(&r, preamble_len);
			at = preamble_len;
			shown = shown > at ? shown : at;
		}
		assert_int_equal(r.pos, at);
		assert_true(r.good <= at);
		if (f->result == AOF_BAD)
			break;
		if (f->result == AOF_EVENT)
			continue;
		assert_int_equal(used, 0);
		assert_true(r.need_len > shown - at);
		assert_true(r.need_len <= FEED_BIG_LEN + AOF_LINE_MAX);
		if (shown == file.len)
			break;
		size_t n = slice_next(f);
		shown = n < file.len - shown ? shown + n : file.len;
	}
	f->ending = f->result == AOF_MORE ? aof_end(&r, shown - at) : AOF_WHOLE;
	f->good = r.good;
	f->n_commands = r.n_commands;
	memcpy(f->error, r.error, sizeof(f->error));
	aof_reader_fini(&r);
	fclose(out);
}

static void assert_same(const struct aof_feed *a, const struct aof_feed *b)
{
	assert_string_equal(a->trace, b->trace);
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->ending, b->ending);
	assert_int_equal(a->good, b->good);
	assert_int_equal(a->n_commands, b->n_commands);
}

struct aof_feed aof_feed_all_ways(struct span file, size_t preamble_len, struct random *random)
{
	struct aof_feed whole = {.slice = 0};
	aof_feed_run(&whole, file, preamble_len);
	struct aof_feed others[] = {{.slice = 1},
				    {.slice = 50, .random = random},
				    {.slice = 9000, .random = random}};
	for (size_t i = file.len > 30000; i < 3; i++) {
		aof_feed_run(&others[i], file, preamble_len);
		assert_same(&whole, &others[i]);
		free(others[i].trace);
	}
	return whole;
}
