// SPDX-License-Identifier: BSD-3-Clause
// A lane against a small server inside the test: what is applied, in which order, how often.
#pragma once

#include <errno.h>

#include "tests/unit/fake_stream.h"
#include "dataplane/route/place.h"
#include "tests/unit/test.h"

#define APPLIED_MAX 256
#define MS_NS       1000000ull

// The server. It applies what it is sent and keeps markers; the test says what it refuses.
struct server {
	struct resp_stream *reader;
	bool in_multi, abort;
	char applied[APPLIED_MAX][64]; // "SET k1"
	unsigned n_applied;
	char queued[APPLIED_MAX][320]; // name, key and value of what stands in MULTI
	unsigned n_queued;
	char marker[320]; // "" none
	uint64_t epoch; // that a former life has drawn; 0: it answers as ever
	const char *run_id;
	const char *version; // NULL: 7.0.15
	const char *multi_error, *queue_error, *exec_error, *element_error; // "" or the line
	const char *error_key; // queue_error and element_error are for this key
	bool mute;             // it applies but does not answer
	bool garbage;
	unsigned id; // of the connection, 0: 5
	unsigned n_kills, n_mgets, n_kills_before_mget;
	char killed[16]; // the last one
	const char *memory;    // what INFO tells of it, NULL: an error
	unsigned n_asked;
	unsigned oom;          // so many deletes are to come before it takes anything else
	char log[4 * APPLIED_MAX][64]; // all that was applied, with its value: "SADD k1 v"
	unsigned n_log;
};

struct scene {
	struct link_config config;
	struct lane_counters counters;
	struct fake_loop loop;
	struct core core;
	struct whereabouts where;
	struct lane *lane;
	struct park park;
	struct server server;
	unsigned n_parked;
	char parked[600]; // the last one
	uint64_t seq;
};

static struct scene *current; // for the disk, which has no place for it

static inline int park_append_line(const char *path, const void *line, size_t len)
{
	current->n_parked++;
	snprintf(current->parked, sizeof(current->parked), "%.*s", (int)len, (const char *)line);
	return 0;
}

static const struct disk_ops park_disk = {.append_line = park_append_line};

static inline struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	settings_default(&s->config.settings);
	s->config.source.db = s->config.target.db = -1;
	strcpy(s->config.name, "scene");
	strcpy(s->config.target.host, "192.0.2.1");
	s->config.source.db = s->config.target.db = -1;
	fake_loop_init(&s->loop);
	s->core.clock = &fake_clock;
	s->core.loop = &s->loop.base;
	s->server.run_id = "1111111111111111111111111111111111111111";
	park_init(&s->park, &park_disk, "/state");
	s->lane = aligned_alloc(64, sizeof(*s->lane));
	memset(s->lane, 0, sizeof(*s->lane));
	assert_int_equal(lane_init(s->lane, 0, 1, s->lane, &s->config, &s->counters, &s->core,
				   &s->core, &s->park, 99),
			 0);
	assert_int_equal(whereabouts_init(&s->where, &s->core, 0, "target", &s->config.target,
					  &s->config.settings, false),
			 0);
	seek_init(&s->lane->seek, &s->where);
	lane_wish(s->lane, true);
	current = s;
	return s;
}

static inline void scene_free(struct scene *s)
{
	lane_fini(s->lane);
	park_fini(&s->park);
	resp_stream_free(s->server.reader);
	free(s->lane);
	free(s);
}

// ---- The server

static inline void say(struct scene *s, const char *text)
{
	if (!s->server.mute)
		fake_reply(&s->loop, text, strlen(text));
}

static inline void say_bulk(struct scene *s, const char *text)
{
	char out[400];
	if (*text)
		snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
	else
		snprintf(out, sizeof(out), "$-1\r\n");
	say(s, out);
}

static inline bool is_marker(const char *key)
{
	return !strncmp(key, "__flyover:{scene}:0-", 20);
}

static inline void command_apply(struct server *v, const char *name, const char *key,
				 const char *value)
{
	if (is_marker(key))
		snprintf(v->marker, sizeof(v->marker), "%s", value);
	else if (strcmp(name, "SELECT") != 0) {
		snprintf(v->applied[v->n_applied++ % APPLIED_MAX], 64, "%.20s %.40s", name, key);
		assert_true(v->n_log < 4 * APPLIED_MAX);
		snprintf(v->log[v->n_log++], 64, "%.20s %.20s %.20s", name, key, value);
	}
}

#define OOM "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

// Not one of those that a server out of memory refuses.
static inline bool is_light(const char *name)
{
	static const char *const names[] = {"DEL", "SREM", "SELECT", "LTRIM"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static inline bool is_for(const struct server *v, const char *key)
{
	return !v->error_key || !strcmp(v->error_key, key);
}

static inline void exec_do(struct scene *s)
{
	struct server *v = &s->server;
	char head[32], name[64], key[64], value[320];
	v->in_multi = false;
	if (v->abort || v->exec_error) {
		say(s, v->abort ? "-EXECABORT Transaction discarded because of previous errors.\r\n"
				: v->exec_error);
		return;
	}
	snprintf(head, sizeof(head), "*%u\r\n", v->n_queued);
	say(s, head);
	for (unsigned i = 0; i < v->n_queued; i++) {
		key[0] = value[0] = 0;
		sscanf(v->queued[i], "%63s %63s %319[^\n]", name, key, value);
		if (v->element_error && is_for(v, key)) {
			say(s, v->element_error);
			continue;
		}
		command_apply(v, name, key, value);
		say(s, !strcmp(name, "INCR") ? ":1\r\n" : "+OK\r\n");
	}
}

static inline void multi_take(struct scene *s, const char *name, const char *key, const char *value)
{
	struct server *v = &s->server;
	if (!strcmp(name, "EXEC")) {
		exec_do(s);
	} else if (v->oom) {
		v->abort = true;
		say(s, OOM);
	} else if (v->queue_error && is_for(v, key)) {
		v->abort = true;
		say(s, v->queue_error);
	} else {
		snprintf(v->queued[v->n_queued++], 320, "%.63s %.63s %.180s", name, key, value);
		say(s, v->garbage ? "+WHAT\r\n" : "+QUEUED\r\n");
	}
}

static inline void hello_take(struct scene *s, const char *name, const char *key,
			      const char *id, unsigned argc)
{
	struct server *v = &s->server;
	char text[200];
	bool elder = v->version && atoi(v->version) < 5;
	if (!strcmp(name, "INFO")) {
		snprintf(text, sizeof(text),
			 "redis_version:%s\r\nredis_mode:standalone\r\nrole:master\r\n"
			 "run_id:%s\r\n",
			 v->version ? v->version : "7.0.15", v->run_id);
		say_bulk(s, text);
	} else if (!strcmp(name, "CLIENT") && !strcmp(key, "LIST")) {
		say_bulk(s, "id=9 name=flyover:scene:63:1.1 x\n"
			    "id=5 name=flyover:scene:63:0.1 x\nid=4 name=flyover:scene:62 x\n"
			    "id=3 name=flyover:scene-2:1 x\nid=2 name= x\n");
	} else if (!strcmp(name, "CLIENT") && !strcmp(key, "ID")) {
		snprintf(text, sizeof(text), ":%u\r\n", v->id ? v->id : 5);
		say(s, elder ? "-ERR Syntax error, try CLIENT (LIST | KILL)\r\n" : text);
	} else if (!strcmp(name, "GET") && v->epoch) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v->epoch);
		say_bulk(s, text);
	} else if (!strcmp(name, "INCR") && v->epoch) {
		snprintf(text, sizeof(text), ":%llu\r\n", (unsigned long long)++v->epoch);
		say(s, text);
	} else if (!strcmp(name, "MGET")) {
		snprintf(text, sizeof(text), "*%u\r\n", argc - 1);
		say(s, text);
		v->n_kills_before_mget = v->n_mgets++ ? v->n_kills_before_mget : v->n_kills;
		for (unsigned i = 1; i < argc; i++)
			say_bulk(s, argc == 3 && i == 2 ? v->marker : "");
	} else {
		v->n_kills += !strcmp(key, "KILL");
		if (!strcmp(key, "KILL"))
			snprintf(v->killed, sizeof(v->killed), "%.15s", id);
		say(s, !strcmp(name, "INCR") ? ":1\r\n" : "+OK\r\n");
	}
}

static inline void server_take(struct scene *s, const struct resp_frame *f, const char *p)
{
	struct server *v = &s->server;
	char w[4][320] = {"", "", "", ""};
	for (unsigned i = 0; i < f->argc && i < 4; i++)
		snprintf(w[i], sizeof(w[i]), "%.*s", (int)f->argv[i].len, p + f->argv[i].at);
	bool hello = atomic_load(&s->lane->state) != LANE_READY;
	if (!strcmp(w[0], "MULTI")) {
		v->in_multi = !(v->multi_error && !hello);
		v->n_queued = 0;
		v->abort = false;
		say(s, v->in_multi ? "+OK\r\n" : v->multi_error);
	} else if (v->in_multi) {
		multi_take(s, w[0], w[1], w[2]);
	} else if (!strcmp(w[0], "EXEC")) {
		say(s, "-ERR EXEC without MULTI\r\n");
	} else if (hello) {
		hello_take(s, w[0], w[1], w[3], f->argc);
	} else if (!strcmp(w[0], "INFO")) {
		v->n_asked++;
		v->memory ? say_bulk(s, v->memory) : say(s, "-NOPERM no INFO\r\n");
	} else if (v->oom && !is_light(w[0])) {
		say(s, OOM);
	} else if (v->queue_error && is_for(v, w[1])) {
		say(s, v->queue_error);
	} else {
		v->oom -= v->oom && strcmp(w[0], "SELECT") != 0;
		command_apply(v, w[0], w[1], w[2]);
		say(s, "+OK\r\n");
	}
}

// Everything that was written and is whole.
static inline void server_run(struct scene *s)
{
	struct resp_frame f;
	size_t at = 0;
	resp_stream_free(s->server.reader);
	s->server.reader = resp_stream_new(0);
	while (resp_stream_next(s->server.reader,
				(struct span){s->loop.out + at, s->loop.n_out - at},
				&f) == RESP_OK) {
		server_take(s, &f, s->loop.out + f.begin);
		at = f.end;
	}
	memmove(s->loop.out, s->loop.out + at, s->loop.n_out - at);
	s->loop.n_out -= at;
}

// ---- The lane

static inline void turn(struct scene *s)
{
	uint64_t deadline = NO_DEADLINE;
	fake_now.mono_ns += MS_NS;
	fake_now.wall_ms++;
	lane_turn(s->lane, &fake_now, &deadline);
	assert_true(deadline == NO_DEADLINE || deadline > 0);
}

static inline void turns(struct scene *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		turn(s);
		if (!s->loop.lost)
			server_run(s);
	}
}

static inline void open_lane(struct scene *s)
{
	for (int i = 0; i < 5000 && atomic_load(&s->lane->state) != LANE_READY; i++)
		turns(s, 1);
	assert_int_equal(atomic_load(&s->lane->state), LANE_READY);
	s->lane->caution.answered_ns = fake_now.mono_ns; // it has memory
}

// A batch of commands, each a whole text of RESP that outlives it.
static inline void give(struct scene *s, bool framed, bool idempotent, const char *const *commands)
{
	unsigned i = (unsigned)s->seq % LANE_BATCHES;
	struct batch *b = &s->lane->pool[i];
	s->seq++;
	batch_reset(b, s->seq, s->seq * 100, framed);
	for (; *commands; commands++) {
		batch_item_begin(b, s->seq * 100 + b->n_items, 0, ITEM_COMMAND);
		batch_refer(b, *commands, strlen(*commands));
		b->n_commands++;
	}
	b->idempotent = idempotent;
	b->marker = (struct marker){
		.epoch = 1, .site = "-", .phase = MARKER_STREAM, .offset = s->seq * 100 + 99};
	memset(b->marker.replid, 'a', 40);
	lane_push(s->lane, i);
}

#define SET_K1  "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$1\r\nv\r\n"
#define SET_K2  "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$1\r\nv\r\n"
#define INCR_K3 "*2\r\n$4\r\nINCR\r\n$2\r\nk3\r\n"
#define GIVE(s, framed, idempotent, ...)                                                           \
	give(s, framed, idempotent, (const char *const[]){__VA_ARGS__, NULL})

static inline uint64_t done(struct scene *s)
{
	return atomic_load(&s->lane->done_seq);
}

static inline void assert_applied(const struct scene *s, unsigned n, const char *const *lines)
{
	assert_int_equal(s->server.n_applied, n);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(s->server.applied[i], lines[i]);
}

#define APPLIED(s, ...)                                                                            \
	assert_applied(s, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),             \
		       (const char *const[]){__VA_ARGS__})
