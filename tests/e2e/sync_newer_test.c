// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of a newer server into an older one: what it can hold arrives, by `flyover check`
// against the real server behind; the rest is parked by its name and counted.
//
// Releases before 7.0 stand in as an elder (see elder.h) before a 7.0. Snapshots of releases after
// 7.0 are those of the corpora, where they are present, served by a fake primary.
#include "tests/corpora.h"
#include "tests/e2e/expected.h"
#include "tests/e2e/harness.h"
#include "tests/e2e/json_bytes.h"

// A sync whose state folder is known, and what came of it.
struct scene {
	struct world *w;
	struct server *source, *target; // the target is the real server, behind the elder
	const char *state;
	struct job *sync;
	json_t *parked;                 // array of what is parked
	json_t *found;                  // array of what `flyover check` found
};

static json_t *output_of(struct process *p)
{
	json_t *o = json_load_file(p->out_path, JSON_ALLOW_NUL, NULL);
	if (!o)
		fail_msg("no JSON from %s", p->name);
	return o;
}

static void parked_read(struct scene *s)
{
	const char *arguments[] = {
		text("%s/flyover", build_dir()), "link", "parked", "list", "--state-dir", s->state,
		"--limit", "10000", "--json", NULL};
	struct process *p = process_start(s->w, "parked", arguments, NULL);
	assert_int_equal(process_wait(p), 0);
	json_t *o = output_of(p);
	s->parked = json_incref(json_object_get(o, "parked"));
	json_decref(o);
}

static void sync_to(struct scene *s, const char *source_url, const char *target_url,
		    const char *option)
{
	s->state = text("%s/state-%s", s->w->dir, s->target->name);
	s->sync = job_start(s->w, "sync", source_url, target_url, "--json", "--state-dir", s->state,
			    "--until=caught-up", option, NULL);
	assert_int_equal(job_wait(s->sync), 0);
	assert_books_balance(s->sync);
	parked_read(s);
}

static void check_run(struct scene *s)
{
	const char *arguments[] = {
		text("%s/flyover", build_dir()), "check", s->source->url, s->target->url, "--json",
		"--show", "10000", NULL};
	struct process *p = process_start(s->w, "check", arguments, NULL);
	int code = process_wait(p);
	assert_true(code == 0 || code == 1);
	json_t *o = output_of(p);
	s->found = json_incref(json_object_get(o, "found"));
	json_decref(o);
}

static void scene_end(struct scene *s)
{
	json_decref(s->parked);
	json_decref(s->found);
}

static const char *field(const json_t *o, const char *name)
{
	const char *z = json_string_value(json_object_get(o, name));
	return z ? z : "";
}

// How many of a list have this in a field.
static unsigned count_with(const json_t *list, const char *name, const char *part)
{
	unsigned n = 0;
	const json_t *o;
	size_t i;
	json_array_foreach((json_t *)list, i, o)
		n += strstr(field(o, name), part) != NULL;
	return n;
}

static bool is_parked(const struct scene *s, const json_t *found)
{
	const json_t *o;
	size_t i;
	json_array_foreach(s->parked, i, o)
		if (json_equal(json_object_get(o, "db"), json_object_get(found, "db")) &&
		    !strcmp(field(o, "key"), field(found, "key")))
			return true;
	return false;
}

// ---- 7.0 into an elder

// A reply as text, without the fields that a release before 7.0 does not have or that are about
// the time.
static void reply_text(const redisReply *r, char **out, size_t *len)
{
	static const char *const left_out[] = {"entries-read", "lag", "idle", "inactive"};
	char *before = *out;
	if (r->type == REDIS_REPLY_INTEGER)
		*len = (size_t)asprintf(out, "%s:%lld", before, r->integer);
	else if (r->str)
		*len = (size_t)asprintf(out, "%s$%s", before, r->str);
	else
		*len = (size_t)asprintf(out, "%s*%zu", before, r->elements);
	free(before);
	for (size_t i = 0; i < r->elements; i++) {
		bool skips = false;
		for (unsigned k = 0; k < 4; k++)
			skips |= r->element[i]->str && !strcmp(r->element[i]->str, left_out[k]);
		if (skips)
			i++;
		else
			reply_text(r->element[i], out, len);
	}
}

static void assert_same_answer(struct scene *s, const char *command, const char *key,
			       const char *more)
{
	char *said[2];
	size_t len;
	struct server *both[2] = {s->source, s->target};
	for (int i = 0; i < 2; i++) {
		redisReply *r = more ? ask(both[i], command, key, more)
				     : ask(both[i], command, key);
		said[i] = strdup("");
		reply_text(r, &said[i], &len);
		freeReplyObject(r);
	}
	if (strcmp(said[0], said[1]))
		fail_msg("%s: source %.300s, target %.300s", text(command, key, more), said[0],
			 said[1]);
	free(said[0]);
	free(said[1]);
}

// All of a stream that a release from 5.0 on has a place for.
static void assert_same_stream(struct scene *s, const char *key, bool grouped)
{
	static const char *const groups[] = {"first", "second"};
	assert_same_answer(s, "XRANGE %s - +", key, NULL);
	assert_same_answer(s, "XINFO GROUPS %s", key, NULL);
	for (unsigned i = 0; grouped && i < 2; i++) {
		assert_same_answer(s, "XINFO CONSUMERS %s %s", key, groups[i]);
		assert_same_answer(s, "XPENDING %s %s", key, groups[i]);
	}
}

static void streams_check(struct scene *s)
{
	static const char *const plain[] = {"stream:one", "stream:empty", "stream:none",
					    "stream:binary", "ttl:stream"};
	static const int databases[] = {0, 3, 9, 15};
	for (unsigned d = 0; d < 4; d++) {
		select_db(s->source, databases[d]);
		select_db(s->target, databases[d]);
		for (unsigned i = 0; i < 5; i++)
			assert_same_stream(s, plain[i], false);
		assert_same_stream(s, "stream:groups", true);
	}
}

// What is different has been parked, or is a stream's counter that came with 7.0.
static void differences_check(struct scene *s, bool has_streams)
{
	const json_t *o;
	size_t i;
	json_array_foreach(s->found, i, o) {
		bool counter = has_streams && !strncmp(field(o, "key"), "stream:", 7) &&
			       !strcmp(field(o, "reason"), "groups");
		if (!counter && !is_parked(s, o))
			fail_msg("db %d, key %s: %s",
				 (int)json_integer_value(json_object_get(o, "db")), field(o, "key"),
				 field(o, "reason"));
	}
}

// @param option  of the sync, NULL: none
static void into_an_elder(struct world *w, const char *version, bool has_streams,
			  const char *option)
{
	struct scene s = {.w = w,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	struct elder *e = elder_start(w, version, s.target->port);
	unsigned n_streams = has_streams ? 0 : 4 * 6;
	bool deletes = option && !strcmp(option, "--extra-keys=delete");
	dataset_load(s.source);
	for (unsigned db = 0; db < 16; db += 3) {
		select_db(s.source, (int)db);
		queue(s.source, "EXPIRE ttl:soon 700"); // no hold, whose end is the stream's
	}
	// By pieces, what is pending although it was deleted is lost: no command can make it.
	for (unsigned db = 0; option && db < 16; db += 3) {
		select_db(s.source, (int)db);
		queue(s.source, "XACK stream:groups first 3-0 4-1");
	}
	queue(s.target, "SADD string:embedded of another type");
	queue(s.target, "SET hash:small old");
	if (deletes)
		queue(s.target, "SET nobody-else-has-this 1");
	queue_flush(s.source);
	queue_flush(s.target);
	sync_to(&s, s.source->url, e->url, option);
	check_run(&s);
	assert_int_equal(count_with(s.parked, "reason", "has no streams"), n_streams);
	assert_int_equal(count_with(s.parked, "reason", "has no functions"), 1);
	assert_int_equal(json_array_size(s.parked), n_streams + 1);
	assert_int_equal(job_number(s.sync, "unfit"), n_streams + 1);
	differences_check(&s, has_streams);
	if (has_streams)
		streams_check(&s);
	scene_end(&s);
}

static void a_2_8_holds_all_but_streams_and_functions(struct world *w)
{
	into_an_elder(w, "redis 2.8.24", false, "--extra-keys=delete");
}

// Once the target has been upgraded: the server that stood behind the elder.
static void what_was_parked_is_taken_by_a_newer_target(struct world *w)
{
	struct scene s = {.w = w,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	struct elder *e = elder_start(w, "redis 4.0.14", s.target->port);
	char noise[6000];
	uint32_t seed = 1;
	run(s.source, "FUNCTION LOAD %s", function_library);
	run(s.source, "XADD stream 1-1 a b");
	run(s.source, "XGROUP CREATE stream group 0");
	run(s.source, "XREADGROUP GROUP group me STREAMS stream >");
	select_db(s.source, 3);
	run(s.source, "XADD expires 1-1 a b");
	run(s.source, "EXPIREAT expires 4102444800");
	for (unsigned i = 0; i < sizeof(noise); i++) { // does not pack
		seed = seed * 1664525 + 1013904223;
		noise[i] = (char)(seed >> 24);
	}
	run(s.source, "XADD large 1-1 a %b", noise, sizeof(noise));
	sync_to(&s, s.source->url, e->url, "--big-value=4KB");
	assert_int_equal(json_array_size(s.parked), 4);
	const char *arguments[] = {
		text("%s/flyover", build_dir()), "link", "parked", "retry", "--all", "--state-dir",
		s.state, "--target", s.target->url, NULL};
	struct process *p = process_start(w, "retry", arguments, NULL);
	assert_int_equal(process_wait(p), 1);
	char *said = process_stdout(p);
	if (!strstr(said, "only its name is kept"))
		fail_msg("nothing is said of the large one: %s", said);
	free(said);
	assert_int_equal(data_differences(s.source, s.target), 1);
	assert_int_equal(ask_number(s.target, "EXISTS large"), 0);
	scene_end(&s);
}

static void a_4_0_holds_all_but_streams_and_functions_by_pieces(struct world *w)
{
	into_an_elder(w, "redis 4.0.14", false, "--big-value=4KB");
}

static void a_5_0_holds_all_but_functions_by_pieces(struct world *w)
{
	into_an_elder(w, "redis 5.0.14", true, "--big-value=4KB");
}

static void a_6_2_holds_all_but_functions(struct world *w)
{
	into_an_elder(w, "redis 6.2.14", true, NULL);
}

// Values that take several commands, and a connection that is cut between any two bytes of them.
static void a_lost_connection_changes_nothing(struct world *w)
{
	struct scene s = {.w = w,
			  .source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	struct elder *e = elder_start(w, "redis 4.0.14", s.target->port);
	struct proxy *p = proxy_start(w, e->port);
	for (unsigned i = 0; i < 3000; i++) {
		queue(s.source, "HSET hash:%u a %u b x", i, i);
		queue(s.source, "EXPIREAT hash:%u 4102444800", i);
		queue(s.source, "SET string:%u %u PXAT 4102444800123", i, i);
		queue(s.source, "ZADD zset:%u %u a", i, i);
	}
	queue_flush(s.source);
	proxy_cut_after(p, TO_SERVER, 234567, END_RST);
	sync_to(&s, s.source->url, p->url, NULL);
	proxy_wait_cut(p);
	assert_int_equal(json_array_size(s.parked), 0);
	assert_same_data(s.source, s.target);
	scene_end(&s);
}

// ---- Snapshots of other servers

static void rdb_serve(struct fake *f, const char *path)
{
	f->rdb = file_read(path, &f->rdb_len);
	assert_non_null(f->rdb);
}

// What the target holds, by its own snapshot.
static json_t *target_keys(struct scene *s)
{
	run(s->target, "SAVE");
	return expected_decode(s->w, text("%s/dump.rdb", s->target->dir));
}

static const char *as_text(const char *base64)
{
	size_t len;
	json_t *o = json_pack("{s:s}", "base64", base64);
	const char *bytes = text("%s", json_bytes(o, &len));
	json_decref(o);
	return bytes;
}

// 1 the target holds it, 0 it has to be parked.
static bool is_held(const json_t *key, bool drops_ttl)
{
	bool ttl = json_object_get(key, "field_expire_at_ms") != NULL;
	return strcmp(field(key, "type"), "vectorset") && (!ttl || drops_ttl);
}

static void database_check(struct scene *s, const char *server, json_t *expected, json_t *got,
			   bool drops_ttl, unsigned *n_parked)
{
	const char *name;
	json_t *key;
	json_object_foreach(expected, name, key) {
		json_t *ours = json_object_get(got, name);
		if (is_held(key, drops_ttl)) {
			json_object_del(key, "field_expire_at_ms");
			expected_compare(server, name, key, ours);
			continue;
		}
		if (ours)
			fail_msg("%s: %s is there", server, as_text(name));
		assert_true(count_with(s->parked, "key", as_text(name)) >= 1);
		++*n_parked;
	}
}

// @param elder  as which the target behaves, NULL: as the 7.0 that it is
static void from_server(struct world *w, const char *server, const char *elder, bool drops_ttl)
{
	const char *dir = corpora_folder(), *db;
	struct scene s = {.w = w};
	unsigned n_parked = 0;
	json_t *keys;
	struct fake *f = fake_start(w, fake_primary, NULL);
	s.target = server_start(w, text("target-of-%s", server), NULL);
	rdb_serve(f, text("%s/servers/%s/dump.rdb", dir, server));
	sync_to(&s, f->url, elder ? elder_start(w, elder, s.target->port)->url : s.target->url,
		drops_ttl ? "--field-ttl=drop" : NULL);
	json_t *all = json_load_file(text("%s/servers/%s/expected.json", dir, server), 0, NULL);
	json_t *got = target_keys(&s);
	assert_non_null(all);
	json_object_foreach(all, db, keys)
		database_check(&s, server, keys, json_object_get(got, db), drops_ttl, &n_parked);
	assert_int_equal(json_array_size(s.parked), n_parked);
	assert_int_equal(job_number(s.sync, "degraded"),
			 drops_ttl ? 2 * json_object_size(all) : 0);
	json_decref(all);
	json_decref(got);
	free((char *)f->rdb);
	scene_end(&s);
}

static void a_snapshot_of_redis_7_2_arrives_in_7_0(struct world *w)
{
	from_server(w, "redis-7.2.4", NULL, false);
}

static void a_snapshot_of_redis_8_0_arrives_in_7_0_as_far_as_it_can(struct world *w)
{
	from_server(w, "redis-8.0.2", NULL, false);
}

static void a_snapshot_of_valkey_9_arrives_in_7_0_as_far_as_it_can(struct world *w)
{
	from_server(w, "valkey-9.0.4", NULL, false);
}

static void fields_arrive_without_their_expiries_where_that_was_asked_for(struct world *w)
{
	from_server(w, "redis-8.0.2", NULL, true);
}

static void snapshots_of_older_servers_arrive_in_targets_as_old(struct world *w)
{
	from_server(w, "redis-2.8.24", "redis 2.8.24", false);
	from_server(w, "redis-4.0.14", "redis 4.0.14", false);
	from_server(w, "redis-6.2.14", "redis 5.0.14", false);
	from_server(w, "valkey-8.0.1", NULL, false); // sets of 7.2
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_2_8_holds_all_but_streams_and_functions),
		E2E_TEST(what_was_parked_is_taken_by_a_newer_target),
		E2E_TEST(a_4_0_holds_all_but_streams_and_functions_by_pieces),
		E2E_TEST(a_5_0_holds_all_but_functions_by_pieces),
		E2E_TEST(a_6_2_holds_all_but_functions),
		E2E_TEST(a_lost_connection_changes_nothing),
		E2E_TEST(a_snapshot_of_redis_7_2_arrives_in_7_0),
		E2E_TEST(a_snapshot_of_redis_8_0_arrives_in_7_0_as_far_as_it_can),
		E2E_TEST(a_snapshot_of_valkey_9_arrives_in_7_0_as_far_as_it_can),
		E2E_TEST(fields_arrive_without_their_expiries_where_that_was_asked_for),
		E2E_TEST(snapshots_of_older_servers_arrive_in_targets_as_old),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
