// SPDX-License-Identifier: BSD-3-Clause
// recording_load() -> node_load() of each, times_move(), recording_follow()
#include "tests/e2e/recording.h"

#include <time.h>

#include "parsers/resp.h"
#include "tests/e2e/harness.h"

#define MARK_LEN   40
#define DIGITS_LEN 13                      // of a time in ms, until the year 2286
#define TTL_MS_MAX (100ull * 86400 * 1000) // nothing that is recorded lives longer

static struct recorded_node *node_of(struct recording *r, const char *name)
{
	for (unsigned i = 0; i < r->n_nodes; i++)
		if (r->nodes[i].name == name[0])
			return &r->nodes[i];
	fail_msg("%s: there is no node %s", r->folder, name);
	return NULL;
}

// ---- Streams

// "+FULLRESYNC id offset", newlines, "$EOF:mark" or "$length", the snapshot.
static void head_read(const struct recording *r, struct recorded_node *n)
{
	unsigned long long offset = 0;
	char *line = strstr(n->bytes, "\r\n"), *end;

	if (!line || sscanf(n->bytes, "+FULLRESYNC %40s %llu", n->replid, &offset) != 2)
		fail_msg("%s/%c.stream does not begin with FULLRESYNC", r->folder, n->name);
	n->offset = offset;
	for (line += 2; *line == '\n';)
		line++;
	end = strstr(line, "\r\n");
	assert_true(end && *line == '$');
	size_t at = (size_t)(end + 2 - n->bytes);
	if (strncmp(line, "$EOF:", 5) != 0) {
		n->stream_at = at + strtoull(line + 1, NULL, 10);
	} else {
		const char *mark = memmem(n->bytes + at, n->len - at, line + 5, MARK_LEN);
		assert_non_null(mark);
		n->stream_at = (size_t)(mark - n->bytes) + MARK_LEN;
	}
	assert_true(n->stream_at <= n->len);
}

static void node_load(struct recording *r, const char *name, const char *slots)
{
	struct recorded_node *n = &r->nodes[r->n_nodes++];
	unsigned first, last;

	assert_true(r->n_nodes <= RECORDED_NODES_MAX);
	assert_int_equal(sscanf(slots, "%u-%u", &first, &last), 2);
	n->name = name[0];
	n->first = (uint16_t)first;
	n->last = (uint16_t)last;
	memset(n->id, name[0], CLUSTER_ID_LEN); // unless its stream tells another
	n->bytes = file_read(text("%s/%s.stream", r->folder, name), &n->len);
	assert_non_null(n->bytes);
	head_read(r, n);
}

static void chunks_read(struct recording *r)
{
	const json_t *chunks = json_object_get(r->timeline, "chunks"), *chunk;
	size_t i;

	for (unsigned k = 0; k < r->n_nodes; k++) {
		r->nodes[k].chunks = calloc(json_array_size(chunks), sizeof(struct recorded_chunk));
		assert_non_null(r->nodes[k].chunks);
	}
	json_array_foreach((json_t *)chunks, i, chunk)
	{
		struct recorded_node *n = node_of(r, json_string_value(json_array_get(chunk, 1)));
		size_t before = n->n_chunks ? n->chunks[n->n_chunks - 1].end : 0;

		n->chunks[n->n_chunks++] = (struct recorded_chunk){
			.ms = json_number_value(json_array_get(chunk, 0)),
			.end = before + (size_t)json_integer_value(json_array_get(chunk, 2))};
		r->end_ms = n->chunks[n->n_chunks - 1].ms;
	}
	for (unsigned k = 0; k < r->n_nodes; k++)
		assert_int_equal(r->nodes[k].chunks[r->nodes[k].n_chunks - 1].end, r->nodes[k].len);
}

void recorded_commands(const struct recorded_node *n, recorded_visit *visit, void *arg)
{
	struct resp_stream *s = resp_stream_new(n->stream_at);
	const struct recorded_chunk *chunk = n->chunks;
	struct resp_frame f;
	enum resp_verdict verdict;

	assert_non_null(s);
	for (;;) {
		uint64_t at = resp_stream_position(s);
		verdict = resp_stream_next(s, (struct span){n->bytes + at, n->len - at}, &f);
		if (verdict != RESP_OK)
			break;
		struct recorded_command c = {.at = f.begin, .argc = f.argc};
		while (chunk->end < f.end)
			chunk++;
		c.ms = chunk->ms;
		for (unsigned i = 0; i < f.argc && i < RECORDED_WORDS_MAX; i++)
			c.argv[i] = (struct span){n->bytes + f.begin + f.argv[i].at, f.argv[i].len};
		if (f.argc)
			visit(arg, &c);
	}
	assert_int_equal(verdict, RESP_MORE);
	resp_stream_free(s);
}

// ---- Times

struct times {
	uint64_t from_ms; // when it was recorded
	uint64_t by_ms;   // what to add
};

static bool is_time(const struct times *t, uint64_t ms)
{
	return ms > t->from_ms && ms < t->from_ms + TTL_MS_MAX;
}

static void digits_move(const struct times *t, struct span word)
{
	uint64_t ms = span_digits(word);
	char digits[24];

	if (word.len != DIGITS_LEN || !is_time(t, ms))
		return;
	snprintf(digits, sizeof(digits), "%013llu", (unsigned long long)(ms + t->by_ms));
	memcpy((char *)word.p, digits, DIGITS_LEN);
}

static void command_move(void *arg, const struct recorded_command *c)
{
	const struct times *t = arg;
	bool second = span_caseeq(c->argv[0], "PEXPIREAT") || span_caseeq(c->argv[0], "RESTORE") ||
		      span_caseeq(c->argv[0], "RESTORE-ASKING");

	if (second)
		digits_move(t, c->argv[2]);
	for (unsigned i = 3; i + 1 < c->argc && i + 1 < RECORDED_WORDS_MAX; i++)
		if (span_caseeq(c->argv[i], "PXAT"))
			digits_move(t, c->argv[i + 1]);
}

// In a snapshot: FC and eight bytes. Its checksum becomes 0, which stands for none.
static void snapshot_move(const struct times *t, struct recorded_node *n)
{
	bool marked = strstr(n->bytes, "$EOF:") != NULL;
	size_t end = n->stream_at - (marked ? MARK_LEN : 0) - 8;

	for (size_t i = 0; i + 9 <= end; i++) {
		uint64_t ms;
		memcpy(&ms, n->bytes + i + 1, sizeof(ms));
		if ((uint8_t)n->bytes[i] != 0xfc || !is_time(t, ms))
			continue;
		ms += t->by_ms;
		memcpy(n->bytes + i + 1, &ms, sizeof(ms));
	}
	memset(n->bytes + end, 0, 8);
}

// Auxiliary field ctime of the snapshot, s.
static uint32_t snapshot_time(const struct recorded_node *n)
{
	static const char label[] = "\5ctime\xc2";
	const char *at = memmem(n->bytes, n->stream_at, label, sizeof(label) - 1);
	uint32_t s;

	assert_non_null(at);
	memcpy(&s, at + sizeof(label) - 1, sizeof(s));
	return s;
}

static void times_move(struct recording *r)
{
	for (unsigned i = 0; i < r->n_nodes; i++) {
		struct recorded_node *n = &r->nodes[i];
		struct times t = {.from_ms = snapshot_time(n) * 1000ull};
		t.by_ms = (uint64_t)time(NULL) * 1000 - t.from_ms;
		snapshot_move(&t, n);
		recorded_commands(n, command_move, &t);
	}
}

// ---- All of it

struct recording *recording_load(const char *folder)
{
	static struct recording *all; // so that the leak checker still finds them
	struct recording *r = calloc(1, sizeof(*r));
	const char *name;
	json_t *slots;

	assert_non_null(r);
	r->next = all;
	all = r;
	snprintf(r->folder, sizeof(r->folder), "%s", folder);
	r->timeline = json_load_file(text("%s/timeline.json", folder), 0, NULL);
	r->expected = json_load_file(text("%s/expected.json", folder), 0, NULL);
	if (!r->timeline || !r->expected)
		fail_msg("%s is no recording", folder);
	snprintf(r->server, sizeof(r->server), "%s",
		 json_string_value(json_object_get(r->timeline, "server")));
	snprintf(r->mode, sizeof(r->mode), "%s",
		 json_string_value(json_object_get(r->timeline, "mode")));
	json_object_foreach(json_object_get(r->timeline, "slots_at_start"), name, slots)
		node_load(r, name, json_string_value(slots));
	chunks_read(r);
	times_move(r);
	recording_follow(r);
	return r;
}
