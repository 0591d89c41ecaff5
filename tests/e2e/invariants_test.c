// SPDX-License-Identifier: BSD-3-Clause
// Three invariants of the design on real servers: a full sync again reconciles (6), nothing expires
// early (8), we never pass for a real replica (9).
#include "tests/e2e/harness.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static long long wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

// ---- 6. A full sync again -----------------------------------------------------------------------

#define KEYS   4000
#define GHOSTS 50

struct failover {
	struct world *world;
	struct server *source, *heir, *target;
	struct proxy *near_source;
	struct job *job;
};

static bool heir_follows(void *arg)
{
	struct failover *o = arg;
	return !strcmp(info_text(o->heir, "replication", "master_link_status"), "up") &&
	       server_offset(o->source) == server_offset(o->heir);
}

// A source whose replica misses its last writes and is slow to write a snapshot, 0.4 ms a key.
static struct failover failover_start(struct world *w, unsigned n, bool own_key, const char *policy)
{
	struct failover o = {
		.world = w,
		.source = server_start(w, text("source-%u", n), NULL),
		.heir = server_start(w, text("heir-%u", n), "--rdb-key-save-delay", "400", NULL),
		.target = server_start(w, text("target-%u", n), NULL),
	};
	o.near_source = proxy_start(w, o.source->port);
	dataset_load_strings(o.source, "key", KEYS, 50);
	run(o.source, "FUNCTION LOAD %s", function_library);
	if (own_key)
		run(o.target, "SET mine 1");
	o.job = sync_start(w, o.near_source->url, o.target->url, "--extra-keys", policy, NULL);
	job_wait_phase(o.job, "stream");
	run(o.heir, "REPLICAOF 127.0.0.1 %d", o.source->port);
	wait_until(heir_follows, &o, "the heir to follow");
	run(o.heir, "REPLICAOF 127.0.0.1 1"); // led astray, it hears no more of the history
	for (unsigned i = 0; i < GHOSTS; i++)
		queue(o.source, "RPUSH ghost:%u lost", i);
	select_db(o.source, 7);
	run(o.source, "SET ghost-db 1");
	job_wait_applied(o.job, o.source);
	return o;
}

static void failover_strikes(struct failover *o)
{
	server_kill(o->source);
	run(o->heir, "REPLICAOF NO ONE");
	run(o->heir, "SET survivor 1");
	proxy_upstream(o->near_source, o->heir->port);
	o->source = o->heir;
}

static long long ghosts_left(struct failover *o)
{
	long long n = 0;

	for (unsigned i = 0; i < GHOSTS; i++)
		n += ask_number(o->target, "EXISTS ghost:%u", i);
	select_db(o->target, 7);
	n += ask_number(o->target, "EXISTS ghost-db");
	select_db(o->target, 0);
	return n;
}

static void the_policy_decides_on_ghosts(struct world *w)
{
	static const struct {
		const char *policy;
		bool own_key, kept;
	} rows[] = {
		{"auto", false, false},
		{"auto", true, true},
		{"delete", true, false},
		{"keep", false, true},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct failover o = failover_start(w, i, rows[i].own_key, rows[i].policy);
		assert_int_equal(ghosts_left(&o), GHOSTS + 1);
		failover_strikes(&o);
		job_wait_applied(o.job, o.heir);
		if (ghosts_left(&o) != (rows[i].kept ? GHOSTS + 1 : 0))
			fail_msg("row %u: %lld ghosts", i, ghosts_left(&o));
		assert_int_equal(ask_number(o.target, "EXISTS mine"),
				 rows[i].own_key && rows[i].kept);
		assert_int_equal(ask_number(o.target, "EXISTS survivor"), 1);
		if (!rows[i].kept)
			assert_same_data(o.heir, o.target);
		assert_int_equal(job_drain(o.job), 0);
	}
}

struct bytes_goal {
	struct proxy *proxy;
	uint64_t at_least;
};

static bool bytes_passed(void *arg)
{
	struct bytes_goal *goal = arg;
	return proxy_bytes(goal->proxy, FROM_SERVER) >= goal->at_least;
}

static void key_is_readable(struct failover *o, unsigned i, size_t len)
{
	const char *value = ask_text(o->target, "GET key:%u", i % KEYS);

	if (strlen(value) != len)
		fail_msg("key:%u is '%s'", i % KEYS, value);
}

// Every read of a key that both histories have finds its value, all the time that the second
// snapshot is on its way; what has to go stays until the end.
static void the_target_is_readable_while_it_is_reconciled(struct world *w)
{
	struct failover o = failover_start(w, 0, false, "auto");
	struct bytes_goal some = {o.near_source, proxy_bytes(o.near_source, FROM_SERVER) + 20000};
	size_t len = strlen(ask_text(o.target, "GET key:0"));
	unsigned i = 0;

	failover_strikes(&o);
	wait_until(bytes_passed, &some, "the second snapshot to be on its way");
	proxy_stall(o.near_source, true); // a quarter of it has passed
	job_wait_phase(o.job, "snapshot");
	job_wait_number(o.job, "keys", 100);
	for (; i < KEYS; i++)
		key_is_readable(&o, i, len);
	assert_int_equal(ghosts_left(&o), GHOSTS + 1);
	job_poll(o.job);
	assert_string_equal(job_text(o.job, "phase"), "snapshot");
	proxy_stall(o.near_source, false);
	while (job_poll(o.job), !strcmp(job_text(o.job, "phase"), "snapshot"))
		key_is_readable(&o, i++, len);
	job_wait_applied(o.job, o.heir);
	assert_int_equal(ghosts_left(&o), 0);
	assert_same_data(o.heir, o.target);
}

// ---- 8. Nothing expires early -------------------------------------------------------------------

static bool snapshot_is_written(void *arg)
{
	return info_number(arg, "persistence", "rdb_bgsave_in_progress") == 1;
}

static bool some_bytes_passed(void *arg)
{
	return proxy_bytes(arg, FROM_SERVER) > 20000;
}

static bool untouched_is_gone(void *arg)
{
	return ask_number(arg, "EXISTS untouched") == 0;
}

// Keys that are about to expire are in the snapshot; what saves them, or gives them another time,
// comes with the stream, after the time at which they would have gone.
static void volatile_keys_outlive_a_slow_snapshot(struct world *w)
{
	static const char *const names[] = {"persisted", "prolonged", "read",  "kept",
					    "replaced",  "renamed",   "copied", "untouched"};
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, source->port);

	dataset_load_strings(source, "key", 50000, 200);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		run(source, "SET %s old PX 1500", names[i]);
	run(source, "SET far-kept old EX 300"); // held as well, and alive at the end
	run(source, "RPUSH list a b");
	run(source, "PEXPIRE list 1500");
	run(source, "HSET hash f v");
	run(source, "PEXPIRE hash 1500");
	struct job *j = sync_start(w, p->url, target->url, NULL);
	wait_until(some_bytes_passed, p, "the snapshot to be on its way");
	proxy_stall(p, true);
	assert_true(snapshot_is_written(source)); // it holds them as they were, and is not through
	run(source, "PERSIST persisted");
	run(source, "EXPIRE prolonged 1000");
	run(source, "GETEX read EX 2000");
	run(source, "SET kept new KEEPTTL");
	run(source, "SET far-kept new KEEPTTL");
	run(source, "PERSIST kept");
	run(source, "DEL replaced");
	run(source, "SET replaced new");
	run(source, "RENAME renamed renamed-to");
	run(source, "PERSIST renamed-to");
	run(source, "COPY copied copied-to");
	run(source, "PERSIST copied-to");
	run(source, "RPUSH list c");
	run(source, "PERSIST list");
	run(source, "EXPIREAT hash 4102444800");
	wait_until(untouched_is_gone, source, "the time to come");
	proxy_stall(p, false);
	job_wait_applied(j, source);
	assert_int_equal(
		ask_number(target,
			   "EXISTS persisted prolonged read kept replaced renamed-to copied-to "
			   "far-kept list hash"),
		10);
	assert_int_equal(ask_number(target, "LLEN list"), 3);
	assert_int_equal(ask_number(target, "EXISTS untouched"), 0);
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
}

// As the one before, with the target that does not take it.
static void volatile_keys_outlive_a_stopped_target(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, target->port);

	dataset_load_strings(source, "key", 50000, 1000);
	run(source, "SET persisted old PX 1500");
	run(source, "SET untouched old PX 1500");
	struct job *j = sync_start(w, source->url, p->url, NULL);
	job_wait_number(j, "keys", 1000);
	proxy_stall(p, true);
	run(source, "PERSIST persisted");
	wait_until(untouched_is_gone, source, "the time to come");
	proxy_stall(p, false);
	job_wait_applied(j, source);
	assert_int_equal(ask_number(target, "EXISTS persisted"), 1);
	assert_int_equal(ask_number(target, "EXISTS untouched"), 0);
	assert_same_data(source, target);
}

// What sources before 7.0 send: times that count from when the command is carried out.
static const char relative_stream[] =
	"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
	"*4\r\n$5\r\nSETEX\r\n$1\r\na\r\n$3\r\n100\r\n$1\r\nv\r\n"
	"*4\r\n$6\r\nPSETEX\r\n$1\r\nb\r\n$6\r\n100000\r\n$1\r\nv\r\n"
	"*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\nv\r\n"
	"*3\r\n$6\r\nEXPIRE\r\n$1\r\nc\r\n$3\r\n100\r\n"
	"*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$1\r\nv\r\n"
	"*3\r\n$7\r\nPEXPIRE\r\n$1\r\nd\r\n$6\r\n100000\r\n"
	"*5\r\n$3\r\nSET\r\n$1\r\ne\r\n$1\r\nv\r\n$2\r\nEX\r\n$3\r\n100\r\n"
	"*5\r\n$3\r\nSET\r\n$1\r\nf\r\n$1\r\nv\r\n$2\r\nPX\r\n$6\r\n100000\r\n"
	"*5\r\n$3\r\nSET\r\n$1\r\ng\r\n$1\r\nv\r\n$2\r\npx\r\n$4\r\n1500\r\n";
#define STALL_MS 2500
#define FILLERS  20000

// So many commands before them that nothing looks at them while the target holds the link up.
static const char *filled_stream(size_t *len)
{
	static const char filler[] = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
	size_t filler_len = sizeof(filler) - 1;

	*len = FILLERS * filler_len + sizeof(relative_stream) - 1;
	char *bytes = (char *)text("%*s", (int)*len, "");
	for (unsigned i = 0; i < FILLERS; i++)
		memcpy(bytes + i * filler_len, filler, filler_len);
	memcpy(bytes + FILLERS * filler_len, relative_stream, sizeof(relative_stream) - 1);
	return bytes;
}

static bool g_is_gone(void *target)
{
	return ask_number(target, "EXISTS g") == 0;
}

static void relative_expiries_count_from_their_arrival(struct world *w)
{
	static const char empty[] = "REDIS0009\xff\0\0\0\0\0\0\0\0"; // checksum 0: none
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, target->port);
	struct fake *f = fake_start(w, fake_primary, NULL);
	_Atomic bool go = false;

	f->rdb = empty;
	f->rdb_len = sizeof(empty) - 1;
	f->stream = filled_stream(&f->stream_len);
	f->stream_when = &go;
	struct job *j = sync_start(w, f->url, p->url, "--batch-commands", "1",
				   "--inflight-commands", "1", NULL);
	job_wait_phase(j, "stream");
	proxy_stall(p, true);
	long long sent = wall_ms();
	atomic_store(&go, true);
	job_wait_number(j, "received_offset", 1000 + (long long)f->stream_len);
	long long arrived = wall_ms();
	for (long long end = now_ms() + STALL_MS; now_ms() < end; nap_ms(20))
		;
	proxy_stall(p, false);
	job_wait_number(j, "frontier_offset", 1000 + (long long)f->stream_len);
	for (const char *key = "abcdef"; *key; key++) {
		long long at = ask_number(target, text("PEXPIRETIME %c", *key));
		if (at < sent + 100000 || at > arrived + 100000)
			fail_msg("%c expires at %lld, not between %lld and %lld", *key, at,
				 sent + 100000, arrived + 100000);
	}
	assert_true(arrived - sent < STALL_MS); // else the test says nothing
	wait_until(g_is_gone, target, "the key to go whose time came while it waited");
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
}

// ---- 9. Never a real replica --------------------------------------------------------------------

// Servers that have an append-only file or none; a stream that runs and one write at the source.
static struct job *observer_start(struct world *w, struct server *source, const char *url,
				  struct server *target)
{
	run(source, "SET first 1");
	struct job *j = sync_start(w, url, target->url, NULL);
	job_wait_applied(j, source);
	return j;
}

struct sentinel {
	struct server server; // enough of one to be asked
	struct process *process;
};

static bool sentinel_answers(void *arg)
{
	redisContext *c = server_connect(arg);
	if (c)
		redisFree(c);
	return c != NULL;
}

static void sentinel_start(struct world *w, struct sentinel *s, struct server *master)
{
	const char *file = text("%s/sentinel.conf", w->dir);
	const char *argv[] = {"redis-sentinel", file, NULL};

	memset(s, 0, sizeof(*s));
	s->server.world = w;
	s->server.port = free_port();
	strcpy(s->server.name, "sentinel");
	const char *conf = text("port %d\ndir %s\nsentinel monitor m 127.0.0.1 %d 1\n"
				"sentinel down-after-milliseconds m 500\n"
				"sentinel failover-timeout m 3000\n",
				s->server.port, w->dir, master->port);
	file_write(file, conf, strlen(conf));
	s->process = process_start(w, "sentinel", argv, NULL);
	wait_until(sentinel_answers, &s->server, "the sentinel to answer");
}

static void sentinel_end(struct sentinel *s)
{
	if (s->server.redis)
		redisFree(s->server.redis);
	process_kill(s->process);
}

static int sentinel_master_port(struct sentinel *s)
{
	redisReply *r = ask(&s->server, "SENTINEL get-master-addr-by-name m");
	int port = r->type == REDIS_REPLY_ARRAY ? atoi(r->element[1]->str) : -1;

	freeReplyObject(r);
	return port;
}

// A field of the replica with that port. @return NULL when the sentinel knows none
static const char *sentinel_replica(struct sentinel *s, int port, const char *field)
{
	redisReply *r = ask(&s->server, "SENTINEL REPLICAS m");
	const char *value = NULL;

	for (size_t i = 0; i < r->elements; i++) {
		const redisReply *row = r->element[i];
		int its_port = -1;
		const char *its_value = NULL;
		for (size_t k = 0; k + 1 < row->elements; k += 2) {
			if (!strcmp(row->element[k]->str, "port"))
				its_port = atoi(row->element[k + 1]->str);
			if (!strcmp(row->element[k]->str, field))
				its_value = row->element[k + 1]->str;
		}
		if (its_port == port)
			value = text("%s", its_value ? its_value : "");
	}
	freeReplyObject(r);
	return value;
}

struct replica_goal {
	struct sentinel *sentinel;
	struct server *replica;
};

static bool replica_is_known(void *arg)
{
	struct replica_goal *goal = arg;
	const char *flags = sentinel_replica(goal->sentinel, goal->replica->port, "flags");
	return flags && !strcmp(flags, "slave");
}

// The sentinel closes the connections of those whom it promotes, ours too.
static void connection_renew(struct server *s)
{
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
}

static bool replica_was_elected(void *arg)
{
	struct replica_goal *goal = arg;
	connection_renew(goal->replica);
	return sentinel_master_port(goal->sentinel) == goal->replica->port &&
	       !strcmp(info_text(goal->replica, "replication", "role"), "master");
}

// How the sentinel sees us: not at all, or as something without a port that is never there.
static void assert_harmless(struct sentinel *s, long long n_real)
{
	const char *flags = sentinel_replica(s, 0, "flags");
	redisReply *r = ask(&s->server, "SENTINEL REPLICAS m");
	long long n = (long long)r->elements - (flags != NULL);

	freeReplyObject(r);
	assert_int_equal(n, n_real);
	if (flags && !strstr(flags, "disconnected") && !strstr(flags, "s_down"))
		fail_msg("the sentinel takes us for a replica: %s", flags);
}

static void a_sentinel_elects_the_real_replica(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *replica = server_start(w, "replica", "--replica-priority", "1000", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, source->port);
	struct sentinel s;
	struct replica_goal goal = {&s, replica};

	run(replica, "REPLICAOF 127.0.0.1 %d", source->port);
	struct job *j = observer_start(w, source, p->url, target);
	sentinel_start(w, &s, source);
	wait_until(replica_is_known, &goal, "the sentinel to know the replica");
	assert_harmless(&s, 1);
	assert_int_equal(info_number(source, "replication", "connected_slaves"), 2);
	proxy_upstream(p, replica->port);
	server_kill(source);
	wait_until(replica_was_elected, &goal, "the replica to be elected");
	assert_harmless(&s, 1); // the former master
	connection_renew(replica);
	run(replica, "SET after 1");
	job_wait_applied(j, replica);
	assert_same_data(replica, target);
	char *said = process_stdout(s.process);
	assert_null(strstr(said, ":0 127.0.0.1 0 @ m 127.0.0.1 0 "));
	free(said);
	sentinel_end(&s);
}

static bool sentinel_found_nobody(void *arg)
{
	char *said = process_stdout(((struct sentinel *)arg)->process);
	bool found = strstr(said, "-failover-abort-no-good-slave") != NULL;

	free(said);
	return found;
}

static void a_sentinel_never_elects_us(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct sentinel s;

	struct job *j = observer_start(w, source, source->url, target);
	sentinel_start(w, &s, source);
	assert_int_equal(info_number(source, "replication", "connected_slaves"), 1);
	server_kill(source);
	wait_until(sentinel_found_nobody, &s, "the sentinel to find nobody to elect");
	assert_int_equal(sentinel_master_port(&s), source->port);
	assert_harmless(&s, 0);
	char *said = process_stdout(s.process);
	assert_null(strstr(said, "+selected-slave"));
	free(said);
	server_start_again(source);
	run(source, "SET after 1");
	assert_string_equal(info_text(source, "replication", "role"), "master");
	job_wait_applied(j, source);
	sentinel_end(&s);
}

static bool failover_is_over(void *arg)
{
	return !strcmp(info_text(arg, "replication", "master_failover_state"), "no-failover");
}

static void assert_failover_fails(struct server *source, struct server *target, struct job *j)
{
	run(source, "FAILOVER TIMEOUT 1500");
	wait_until(failover_is_over, source, "the failover to be given up");
	assert_string_equal(info_text(source, "replication", "role"), "master");
	run(source, "INCR after");
	job_wait_applied(j, source);
	assert_int_equal(ask_number(target, "EXISTS after"), 1);
}

// FAILOVER takes whoever has acknowledged where the source is. So the source is idle here: just
// after writes, just after a resume, which begins at the very end of its stream, and just after a
// full sync at an offset of it.
static void failover_beside_us_alone_is_given_up(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct server *other = server_start(w, "other", NULL);
	struct job *j = observer_start(w, source, source->url, target);

	run(source, "INCR n");
	job_wait_applied(j, source);
	assert_failover_fails(source, target, j);
	assert_int_equal(job_drain(j), 0);
	j = observer_start(w, source, source->url, target);
	assert_failover_fails(source, target, j);
	assert_int_equal(info_number(source, "stats", "sync_full"), 1);
	assert_int_equal(job_drain(j), 0);
	j = observer_start(w, source, source->url, other);
	assert_failover_fails(source, other, j);
	assert_int_equal(info_number(source, "stats", "sync_full"), 2);
}

static bool is_master(void *arg)
{
	return !strcmp(info_text(arg, "replication", "role"), "master");
}

static bool follows(void *arg)
{
	struct server **pair = arg;
	return !strcmp(info_text(pair[1], "replication", "master_link_status"), "up") &&
	       server_offset(pair[0]) == server_offset(pair[1]);
}

static void failover_chooses_the_real_replica(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct server *replica = server_start(w, "replica", NULL);
	struct server *pair[] = {source, replica};
	struct proxy *p = proxy_start(w, source->port);
	struct job *j = observer_start(w, source, p->url, target);

	run(source, "SET second 1");
	run(replica, "REPLICAOF 127.0.0.1 %d", source->port); // behind us in the list
	wait_until(follows, pair, "the replica to follow");
	assert_int_equal(ask_number(source, "WAIT 2 2500"), 1); // longer than two of our ACKs
	run(source, "FAILOVER TIMEOUT 30000");
	wait_until(is_master, replica, "the replica to be master");
	wait_until(failover_is_over, source, "the failover to be over");
	assert_string_equal(info_text(source, "replication", "role"), "slave");
	assert_int_equal(info_number(source, "replication", "master_port"), replica->port);
	run(replica, "SET after 1");
	job_wait_applied(j, replica);
	assert_same_data(replica, target);
	assert_int_equal(info_number(source, "stats", "sync_full"), 2); // ours and the replica's
}

static void wait_does_not_count_us(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = observer_start(w, source, source->url, target);

	for (unsigned i = 0; i < 3; i++) {
		run(source, "INCR n");
		job_wait_applied(j, source);
		assert_int_equal(ask_number(source, "WAIT 1 1500"), 0); // longer than two ACKs
	}
	assert_int_equal(ask_number(target, "GET n"), 3);
}

static void wait_counts_us_when_told_so(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct proxy *p = proxy_start(w, target->port);
	struct job *j = sync_start(w, source->url, p->url, "--ack", "applied", NULL);

	job_wait_phase(j, "stream");
	run(source, "INCR n");
	assert_int_equal(ask_number(source, "WAIT 1 20000"), 1);
	assert_int_equal(ask_number(target, "GET n"), 1);
	// Only what the target has answered.
	proxy_stall(p, true);
	run(source, "INCR n");
	assert_int_equal(ask_number(source, "WAIT 1 2500"), 0);
	proxy_stall(p, false);
	assert_int_equal(ask_number(source, "WAIT 1 20000"), 1);
	assert_int_equal(ask_number(target, "GET n"), 2);
}

static bool write_is_refused(void *arg)
{
	redisReply *r = ask(arg, "SET n 0");
	bool refused = r->type == REDIS_REPLY_ERROR && strstr(r->str, "NOREPLICAS");

	freeReplyObject(r);
	return refused;
}

static bool write_is_taken(void *arg)
{
	return !write_is_refused(arg);
}

// min-replicas-to-write counts whoever acknowledges anything, and nothing that we may do short of
// staying silent changes that; so we say it.
static void min_replicas_count_us_and_we_say_so(struct world *w)
{
	struct server *source = server_start(w, "source", "--min-replicas-to-write", "1",
					     "--min-replicas-max-lag", "3", NULL);
	struct server *target = server_start(w, "target", NULL);

	assert_true(write_is_refused(source));
	struct job *j = sync_start(w, source->url, target->url, "-v", NULL);
	job_wait_phase(j, "stream");
	wait_until(write_is_taken, source, "the source to take writes");
	assert_int_equal(job_drain(j), 0);
	wait_until(write_is_refused, source, "the source to refuse writes again");
	char *said = process_stderr(j->process);
	assert_non_null(strstr(said, "min-replicas-to-write"));
	free(said);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(the_policy_decides_on_ghosts),
		E2E_TEST(the_target_is_readable_while_it_is_reconciled),
		E2E_TEST(volatile_keys_outlive_a_slow_snapshot),
		E2E_TEST(volatile_keys_outlive_a_stopped_target),
		E2E_TEST(relative_expiries_count_from_their_arrival),
		E2E_TEST(a_sentinel_elects_the_real_replica),
		E2E_TEST(a_sentinel_never_elects_us),
		E2E_TEST(failover_beside_us_alone_is_given_up),
		E2E_TEST(failover_chooses_the_real_replica),
		E2E_TEST(wait_does_not_count_us),
		E2E_TEST(wait_counts_us_when_told_so),
		E2E_TEST(min_replicas_count_us_and_we_say_so),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
