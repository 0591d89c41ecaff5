// SPDX-License-Identifier: BSD-3-Clause
// Records what the masters of a real cluster send to their replicas while slots move from one to
// another, key by key, and a client writes that follows redirects. See recording.h for the form.
//
//   record FOLDER [SEED]
//
// The recordings in tests/e2e/recordings were made so, with the redis-server that is in their
// names and the seed 1:
//
//   FLYOVER_BUILD=$PWD/build build/tests/e2e/record tests/e2e/recordings/redis-7.0.15-three-shards
//
// record() -> tapes_start(), moves_make() -> steps_write() -> tapes_follow(), recording_save().
// After each command the tapes are read up to where the servers are, so that the order of the
// chunks is that in which everything was written.
#include "tests/e2e/harness.h"
#include "tests/e2e/recording.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define SHARDS       3
#define KEYS         100 // of each kind, every other one in a slot that moves
#define SLOTS        100 // that the moves are about, from 0 on
#define TAPE_LEN     (1 << 20)
#define ACK_EVERY_MS 20
#define STEPS_FIRST  700
#define STEPS_REST   300

struct tape {
	struct server *server;
	char name[2];
	int fd;
	char *bytes;
	size_t len, stream_at, saved; // saved: told of by a chunk
	long long offset;             // of the first byte of the stream
};

static struct {
	const char *folder;
	unsigned long long random;
	struct cluster *source;
	struct tape tapes[SHARDS];
	json_t *chunks, *events;
	struct timespec start;
} r;

static const struct {
	unsigned from, to, first, last;
} moves[] = {{0, 1, 0, 79}, {1, 2, 20, 49}, {2, 0, 20, 34}, {1, 0, 50, 69}};

static double ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - r.start.tv_sec) * 1e3 +
	       (double)(t.tv_nsec - r.start.tv_nsec) / 1e6;
}

static void event_add(const char *said)
{
	json_array_append_new(r.events, json_pack("[f, s]", ms_now(), said));
}

static unsigned below(unsigned n)
{
	r.random = r.random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(r.random >> 33) % n;
}

// ---- Tapes

static void tape_say(struct tape *t, const char *said)
{
	assert_int_equal(send(t->fd, said, strlen(said), 0), strlen(said));
}

// A master sends nothing before it has heard of its replica after the snapshot, and it listens only
// when its child has ended.
static void tape_read(struct tape *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	while (poll(&p, 1, ACK_EVERY_MS) == 0)
		if (t->stream_at)
			tape_say(t, "REPLCONF ACK 0\r\n");
	ssize_t n = recv(t->fd, t->bytes + t->len, TAPE_LEN - t->len, 0);
	if (n <= 0)
		fail_msg("the stream of %s ends", t->server->name);
	t->len += (size_t)n;
}

// Up to the second time that the mark of the snapshot's end stands there.
static void snapshot_read(struct tape *t)
{
	const char *mark = NULL, *end = NULL;

	while (!end) {
		tape_read(t);
		mark = memmem(t->bytes, t->len, "$EOF:", 5);
		if (!mark || t->bytes + t->len < mark + 45)
			continue;
		end = memmem(mark + 45, (size_t)(t->bytes + t->len - mark) - 45, mark + 5, 40);
	}
	t->stream_at = (size_t)(end + 40 - t->bytes);
	assert_int_equal(sscanf(t->bytes, "+FULLRESYNC %*s %lld", &t->offset), 1);
}

// What came since the last time is a chunk.
static void tape_follow(struct tape *t)
{
	long long at = server_offset(t->server) - t->offset;

	while (t->len < t->stream_at + (size_t)at)
		tape_read(t);
	if (t->len > t->saved)
		json_array_append_new(r.chunks, json_pack("[f, s, I]", ms_now(), t->name,
							  (json_int_t)(t->len - t->saved)));
	t->saved = t->len;
}

static void tapes_follow(void)
{
	for (unsigned i = 0; i < SHARDS && r.tapes[i].server; i++)
		tape_follow(&r.tapes[i]);
}

static void tape_start(struct tape *t, unsigned number)
{
	*t = (struct tape){.server = r.source->nodes.list[number],
			   .name = {(char)('a' + number)},
			   .bytes = malloc(TAPE_LEN)};
	t->fd = loopback_connect(t->server->port);
	assert_true(t->fd >= 0 && t->bytes);
	tape_say(t, "REPLCONF capa eof capa psync2\r\n");
	while (t->len < 5)
		tape_read(t);
	assert_memory_equal(t->bytes, "+OK\r\n", 5);
	t->len = 0;
	tape_say(t, "PSYNC ? -1\r\n");
	snapshot_read(t);
}

// ---- What is written

static struct server *server_at(const char *error)
{
	const char *colon = strrchr(error, ':');
	int port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;

	for (unsigned i = 0; i < SHARDS; i++)
		if (r.source->nodes.list[i]->port == port)
			return r.source->nodes.list[i];
	fail_msg("%s", error);
	return NULL;
}

static void redirected_write(const char *key, const char *command)
{
	struct server *s = cluster_owner_of(r.source, key);

	for (bool done = false; !done;) {
		redisReply *reply = ask(s, command);
		done = reply->type != REDIS_REPLY_ERROR;
		bool asking = !done && !strncmp(reply->str, "ASK ", 4);
		if (!done && !asking && strncmp(reply->str, "MOVED ", 6) != 0)
			fail_msg("%s: %s", command, reply->str);
		if (!done)
			s = server_at(reply->str);
		freeReplyObject(reply);
		if (asking)
			run(s, "ASKING");
	}
}

static void step_write(void)
{
	static const char *const commands[] = {
		"cINCR %s",
		"lRPUSH %s %u",
		"lLPOP %s",
		"aAPPEND %s x",
		"hHINCRBY %s f %2$u",
		"sSADD %s %u",
		"zZINCRBY %s 1.5 m",
		"dSET %s %u PX 900000000",
		"dDEL %s",
	};
	const char *command = commands[below(sizeof(commands) / sizeof(commands[0]))];
	unsigned k = below(KEYS);
	uint16_t slot = (uint16_t)(k % 2 ? k * SLOTS / KEYS : k * (SLOT_COUNT / KEYS));
	const char *key = text("%c:%u{%s}", command[0], k, cluster_tag(slot));
	char line[120];

	snprintf(line, sizeof(line), command + 1, key, below(100));
	redirected_write(key, line);
	tapes_follow();
}

static void steps_write(unsigned n)
{
	while (n--)
		step_write();
}

// ---- Moves

static void slot_move(uint16_t slot, struct server *to)
{
	slot_move_begin(r.source, slot, to);
	steps_write(2);
	while (slot_move_keys(r.source, slot, to, 1)) {
		tapes_follow();
		steps_write(1);
	}
	slot_move_end(r.source, slot, to);
	steps_write(2);
}

static void moves_make(void)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		event_add(text("%s->%s %u-%u classic MIGRATE begins", r.tapes[moves[i].from].name,
			       r.tapes[moves[i].to].name, moves[i].first, moves[i].last));
		for (unsigned slot = moves[i].first; slot <= moves[i].last; slot++)
			slot_move((uint16_t)slot, r.source->nodes.list[moves[i].to]);
		event_add("done");
		steps_write(STEPS_REST / 4);
	}
}

// ---- Files

static json_t *key_expected(struct server *s, const char *key)
{
	const char *type = ask_text(s, "TYPE %s", key);

	return json_pack("{s:s, s:o}", "type", type, "value", recording_value(s, key, type));
}

static json_t *expected_read(void)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < SHARDS; i++) {
		redisReply *keys = ask(r.source->nodes.list[i], "KEYS *");
		for (size_t k = 0; k < keys->elements; k++)
			json_object_set_new(
				all, keys->element[k]->str,
				key_expected(r.source->nodes.list[i], keys->element[k]->str));
		freeReplyObject(keys);
	}
	return all;
}

static void json_save(json_t *json, const char *name)
{
	size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(7);

	assert_int_equal(json_dump_file(json, text("%s/%s", r.folder, name), flags), 0);
	json_decref(json);
}

static void recording_save(json_t *slots)
{
	const char *version = info_text(r.tapes[0].server, "server", "redis_version");

	for (unsigned i = 0; i < SHARDS; i++) {
		struct tape *t = &r.tapes[i];
		file_write(text("%s/%s.stream", r.folder, t->name), t->bytes, t->len);
		free(t->bytes);
	}
	json_save(json_pack("{s:s, s:s, s:o, s:o, s:o}", "server", text("redis-%s", version),
			    "mode", "classic", "slots_at_start", slots, "events", r.events,
			    "chunks", r.chunks),
		  "timeline.json");
	json_save(expected_read(), "expected.json");
}

// The shares that cluster_start() gives.
static json_t *slots_at_start(void)
{
	json_t *slots = json_object();

	for (unsigned i = 0; i < SHARDS; i++) {
		unsigned first = 0, last = SLOT_COUNT - 1;
		while (cluster_owner(r.source, (uint16_t)first) != r.tapes[i].server)
			first++;
		while (cluster_owner(r.source, (uint16_t)last) != r.tapes[i].server)
			last--;
		json_object_set_new(slots, r.tapes[i].name,
				    json_string(text("%u-%u", first, last)));
	}
	return slots;
}

static void record(struct world *w)
{
	r.source = cluster_start(w, "source", SHARDS, 0, NULL);
	r.chunks = json_array();
	r.events = json_array();
	steps_write(STEPS_FIRST); // for the snapshots
	for (unsigned i = 0; i < SHARDS; i++)
		tape_start(&r.tapes[i], i);
	clock_gettime(CLOCK_MONOTONIC, &r.start);
	json_t *slots = slots_at_start();
	steps_write(STEPS_REST);
	moves_make();
	tapes_follow();
	event_add("end");
	recording_save(slots);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {E2E_TEST(record)};

	if (argc < 2 || (mkdir(argv[1], 0755) && errno != EEXIST)) {
		fprintf(stderr, "usage: record FOLDER [SEED]\n");
		return 2;
	}
	r.folder = argv[1];
	r.random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
