// SPDX-License-Identifier: BSD-3-Clause
// Where a server is, against sentinels and servers made up here: any number of connections, a clock
// that the test moves, and answers that it chooses.
#include "tests/unit/fake_stream.h"
#include "dataplane/topology/whereabouts.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#include <errno.h>

#define PEERS       8
#define CONNECTIONS 64
#define MS_NS       1000000ull
#define SERVER_PORT 7001 // of peer i: SERVER_PORT + i; its sentinel: 26379 + i
#define WATCH_PORT  26379

// A sentinel and a server on each host: 10.0.0.1:26379, 10.0.0.1:7001 ...
struct peer {
	bool dead, mute;  // nobody is there; it takes connections, and is silent
	bool wants_login; // "secret"
	unsigned master;  // which server this sentinel names; PEERS: it knows none
	unsigned epoch;
	unsigned n_others;    // sentinels behind this one that it tells of
	const char *replicas; // rows of SENTINEL REPLICAS, "" none
	unsigned n_replicas;
	const char *role; // of the server; NULL: master
};

struct connection {
	struct stream base;
	unsigned peer;
	bool is_sentinel, open, logged_in, listens;
	char in[8192];
	size_t n_in;
};

struct world {
	struct stream_loop loop;
	struct core core, user;
	struct endpoint endpoint;
	struct link_settings settings;
	struct whereabouts where;
	struct peer peers[PEERS];
	struct connection connections[CONNECTIONS];
	unsigned n_roles; // asked so far
};

static struct world *current;

static int world_connect(struct stream_loop *l, const struct stream_peer *to, struct stream **out)
{
	struct connection *c = current->connections;
	while (c->open)
		assert_true(++c < current->connections + CONNECTIONS);
	memset(c, 0, sizeof(*c));
	unsigned last = (unsigned)atoi(strrchr(to->host, '.') + 1);
	c->open = true;
	c->is_sentinel = to->port >= WATCH_PORT;
	c->peer = last - 1;
	assert_true(c->peer < PEERS);
	c->base.loop = l;
	c->base.flags = STREAM_OPEN | STREAM_WRITABLE;
	if (current->peers[c->peer].dead) {
		c->base.flags = STREAM_FAILED;
		c->base.error = ECONNREFUSED;
	}
	*out = &c->base;
	return 0;
}

static ssize_t world_read(struct stream *s, void *buf, size_t len)
{
	struct connection *c = (struct connection *)s;
	size_t n = c->n_in < len ? c->n_in : len;
	memcpy(buf, c->in, n);
	memmove(c->in, c->in + n, c->n_in - n);
	c->n_in -= n;
	if (!c->n_in)
		s->flags &= ~(unsigned)STREAM_READABLE;
	return n ? (ssize_t)n : -EAGAIN;
}

static void say(struct connection *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct connection *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	c->n_in += (size_t)vsnprintf(c->in + c->n_in, sizeof(c->in) - c->n_in, format, args);
	va_end(args);
	assert_true(c->n_in < sizeof(c->in));
	c->base.flags |= STREAM_READABLE;
}

static void say_address(struct connection *c, const struct peer *p)
{
	if (p->master == PEERS)
		say(c, "*-1\r\n");
	else
		say(c, "*2\r\n$8\r\n10.0.0.%u\r\n$4\r\n%u\r\n", p->master + 1,
		    SERVER_PORT + p->master);
}

static void say_others(struct connection *c, const struct peer *p)
{
	say(c, "*%u\r\n", p->n_others);
	for (unsigned i = 0; i < p->n_others; i++)
		say(c, "*4\r\n$2\r\nip\r\n$8\r\n10.0.0.%u\r\n$4\r\nport\r\n$5\r\n%u\r\n",
		    c->peer + 2 + i, WATCH_PORT);
}

// One command in, its reply out; words are told apart by what is in them.
static void answer(struct connection *c, const char *words)
{
	struct peer *p = &current->peers[c->peer];
	if (p->mute)
		return;
	if (strstr(words, "AUTH")) {
		c->logged_in = strstr(words, "secret") != NULL;
		say(c, c->logged_in ? "+OK\r\n" : "-WRONGPASS invalid\r\n");
	} else if (p->wants_login && !c->logged_in) {
		say(c, "-NOAUTH Authentication required.\r\n");
	} else if (strstr(words, "ROLE")) {
		current->n_roles++;
		say(c, "%s", p->role ? p->role : "*3\r\n$6\r\nmaster\r\n:100\r\n*0\r\n");
	} else if (strstr(words, "GET-MASTER")) {
		say_address(c, p);
	} else if (strstr(words, "SENTINELS")) {
		say_others(c, p);
	} else if (strstr(words, "SLAVES")) {
		say(c, "*%u\r\n%s", p->n_replicas, p->replicas);
	} else if (strstr(words, "MASTER")) {
		say(c,
		    "*6\r\n$2\r\nip\r\n$1\r\nx\r\n$4\r\nport\r\n$1\r\n1\r\n"
		    "$12\r\nconfig-epoch\r\n$4\r\n%04u\r\n",
		    p->epoch);
	} else if (strstr(words, "SUBSCRIBE")) {
		c->listens = true;
		say(c, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n");
	} else {
		fail_msg("asked: %s", words);
	}
}

static ssize_t world_writev(struct stream *s, const struct iovec *iov, int n)
{
	char text[8192];
	size_t len = iov[0].iov_len;
	assert_int_equal(n, 1);
	assert_true(len < sizeof(text));
	memcpy(text, iov[0].iov_base, len);
	text[len] = 0;
	for (char *p = text, *next; p; p = next) {
		next = strstr(p + 1, "*");
		if (next)
			next[-1] = 0;
		answer((struct connection *)s, p);
	}
	return (ssize_t)len;
}

static void world_close(struct stream *s)
{
	((struct connection *)s)->open = false;
}

static void world_wake(struct stream_loop *l)
{
}

static const struct stream_ops world_ops = {
	.name = "world",
	.connect = world_connect,
	.read = world_read,
	.writev = world_writev,
	.close = world_close,
	.wake = world_wake,
};

// ---- The scene

// Sentinels at the first n_urls hosts, who name server 0.
static struct world *world_new(unsigned n_urls, bool prefers_replica)
{
	struct world *w = calloc(1, sizeof(*w));
	current = w;
	w->loop.ops = &world_ops;
	w->core.loop = w->user.loop = &w->loop;
	w->core.contract = calloc(1, sizeof(*w->core.contract));
	w->user.index = 1;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	w->core.log_lock = &lock;
	settings_default(&w->settings);
	w->endpoint.kind = URL_SENTINEL;
	w->endpoint.n_nodes = n_urls;
	strcpy(w->endpoint.master, "m");
	for (unsigned i = 0; i < n_urls; i++) {
		w->endpoint.nodes[i].port = WATCH_PORT;
		sprintf(w->endpoint.nodes[i].host, "10.0.0.%u", i + 1);
	}
	for (unsigned i = 0; i < PEERS; i++)
		w->peers[i] = (struct peer){.epoch = 1, .replicas = ""};
	assert_int_equal(whereabouts_init(&w->where, &w->core, 0, "target", &w->endpoint,
					  &w->settings, prefers_replica),
			 0);
	return w;
}

static void world_free(struct world *w)
{
	whereabouts_fini(&w->where);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		assert_false(w->connections[i].open && w->connections[i].is_sentinel);
	free(w->core.contract);
	free(w);
}

static void turn(struct world *w, uint64_t ms)
{
	uint64_t deadline = NO_DEADLINE;
	fake_now.mono_ns += ms * MS_NS;
	whereabouts_turn(&w->where, &fake_now, &deadline);
}

// Turns of a millisecond until the attempt has an end. @return as seek_connect()
static int attempt(struct world *w, struct seek *s, unsigned limit_ms)
{
	struct stream *stream = NULL;
	int rc = -EAGAIN;
	fake_now.mono_ns += 100 * MS_NS; // what was asked before does not count
	for (unsigned i = 0; i <= limit_ms && rc == -EAGAIN; i++) {
		rc = seek_connect(s, &w->user, fake_now.mono_ns, &stream);
		if (rc == -EAGAIN)
			turn(w, 1);
	}
	if (!rc)
		stream_close(stream);
	return rc;
}

static void assert_finds(struct world *w, unsigned server)
{
	struct seek s;
	seek_init(&s, &w->where);
	int rc = attempt(w, &s, 6000);
	if (rc)
		fail_msg("%d: %s", rc, s.why);
	assert_int_equal(s.at.port, SERVER_PORT + server);
}

static void assert_fails(struct world *w, enum error_id error, const char *word)
{
	struct seek s;
	seek_init(&s, &w->where);
	int rc = attempt(w, &s, 6000);
	assert_true(rc < 0 && rc != -EAGAIN);
	assert_int_equal(s.error, error);
	if (!strstr(s.why, word))
		fail_msg("'%s' is not in: %s", word, s.why);
}

static void everybody_names(struct world *w, unsigned n, unsigned server, unsigned epoch)
{
	for (unsigned i = 0; i < n; i++) {
		w->peers[i].master = server;
		w->peers[i].epoch = epoch;
	}
}

// ---- Tests

static void an_address_is_known_without_asking(void **state)
{
	struct whereabouts w;
	struct endpoint e = {.kind = URL_STANDALONE, .port = 6379, .n_nodes = 1};
	struct link_settings set;
	struct seek s;
	struct core core = {0};
	char place[TEXT_LEN];
	struct fake_loop loop;
	struct stream *stream;
	fake_loop_init(&loop);
	core.loop = &loop.base;
	settings_default(&set);
	strcpy(e.host, "fd00::1");
	assert_int_equal(whereabouts_init(&w, &core, 0, "source", &e, &set, false), 0);
	seek_init(&s, &w);
	assert_int_equal(seek_connect(&s, &core, fake_now.mono_ns, &stream), 0);
	assert_string_equal(seek_place(&s, place), "[fd00::1]:6379");
	assert_false(seek_is_moved(&s));
	assert_false(whereabouts_locate(&w, "fd00::1", 6379));
	assert_true(whereabouts_locate(&w, "fd00::1", 6380)); // whoever owns it says so
	assert_int_equal(seek_connect(&s, &core, fake_now.mono_ns, &stream), 0);
	assert_string_equal(seek_place(&s, place), "[fd00::1]:6380");
	whereabouts_fini(&w);
}

static void a_dead_first_sentinel_is_passed_over(void **state)
{
	struct world *w = world_new(2, false);
	everybody_names(w, 2, 5, 1);
	w->peers[0].dead = true;
	assert_finds(w, 5);
	w->peers[0].dead = false;
	w->peers[0].mute = true;
	everybody_names(w, 2, 1, 2);
	assert_finds(w, 1);
	world_free(w);
}

static void nobody_who_answers_is_an_answer(void **state)
{
	struct world *w = world_new(3, false);
	for (unsigned i = 0; i < 3; i++)
		w->peers[i].dead = true;
	assert_fails(w, ERROR_CONNECT, "Connection refused");
	for (unsigned i = 0; i < 3; i++)
		w->peers[i] = (struct peer){.mute = true, .replicas = ""};
	assert_fails(w, ERROR_CONNECT, "no answer");
	for (unsigned i = 0; i < 3; i++)
		w->peers[i] = (struct peer){.epoch = 1, .replicas = ""};
	assert_finds(w, 0);
	world_free(w);
}

static void a_name_that_nobody_knows_is_said(void **state)
{
	struct world *w = world_new(3, false);
	everybody_names(w, 3, PEERS, 0);
	assert_fails(w, ERROR_SENTINEL, "no master named m");
	w->peers[2].master = 2; // one does
	assert_finds(w, 2);
	world_free(w);
}

// One that was cut off with the former master speaks first, and alone has the former epoch.
static void the_highest_epoch_of_a_majority_is_right(void **state)
{
	struct world *w = world_new(3, false);
	w->peers[1].master = w->peers[2].master = 4;
	w->peers[1].epoch = w->peers[2].epoch = 2;
	assert_finds(w, 4);
	world_free(w);
}

static void who_is_behind_what_was_seen_is_not_believed(void **state)
{
	struct world *w = world_new(3, false);
	everybody_names(w, 3, 4, 7);
	assert_finds(w, 4);
	w->peers[1].dead = w->peers[2].dead = true;
	w->peers[0].master = 0;
	w->peers[0].epoch = 6;
	for (unsigned i = 0; i < CONNECTIONS; i++) // those to the dead break
		if (w->connections[i].open && w->connections[i].peer)
			w->connections[i].base.flags = STREAM_FAILED;
	assert_fails(w, ERROR_CONNECT, "epoch 6");
	// A majority may begin anew with lower ones: the master was set up again.
	w->peers[1].dead = false;
	w->peers[1].master = 0;
	w->peers[1].epoch = 6;
	assert_finds(w, 0);
	world_free(w);
}

static void the_others_are_learned(void **state)
{
	struct world *w = world_new(1, false);
	w->peers[0].n_others = 2;
	assert_finds(w, 0);
	assert_int_equal(w->where.sentinels->n, 3);
	w->peers[0].dead = true;
	everybody_names(w, 3, 5, 2);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (w->connections[i].open && !w->connections[i].peer)
			w->connections[i].base.flags = STREAM_FAILED;
	assert_finds(w, 5);
	world_free(w);
}

static void what_they_name_has_to_say_that_it_is_a_master(void **state)
{
	struct world *w = world_new(3, false);
	w->peers[0].role = "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.2\r\n:7002\r\n$9\r\nconnected\r\n"
			   ":90\r\n";
	assert_fails(w, ERROR_TARGET_READONLY, "a replica");
	w->peers[0].role = "-NOPERM this user has no permissions\r\n"; // then their word counts
	assert_finds(w, 0);
	world_free(w);
}

// @return how many listen
static unsigned hint_publish(struct world *w)
{
	unsigned n = 0;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &w->connections[i];
		if (!c->open || !c->listens)
			continue;
		say(c, "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$29\r\n"
		       "m 10.0.0.1 7001 10.0.0.3 7003\r\n");
		n++;
	}
	return n;
}

static void a_hint_is_asked_about(void **state)
{
	struct world *w = world_new(3, false);
	struct seek s;
	seek_init(&s, &w->where);
	assert_int_equal(attempt(w, &s, 100), 0);
	turn(w, 1);
	assert_int_equal(hint_publish(w), 3);
	for (unsigned i = 0; i < 5; i++)
		turn(w, 1);
	assert_false(seek_is_moved(&s)); // nobody confirms it
	everybody_names(w, 3, 2, 2);
	hint_publish(w);
	for (unsigned i = 0; i < 5; i++)
		turn(w, 1);
	assert_true(seek_is_moved(&s));
	assert_int_equal(attempt(w, &s, 100), 0);
	assert_int_equal(s.at.port, SERVER_PORT + 2);
	assert_false(seek_is_moved(&s));
	world_free(w);
}

static void without_a_hint_they_are_asked_now_and_then(void **state)
{
	struct world *w = world_new(3, false);
	struct seek s;
	seek_init(&s, &w->where);
	assert_int_equal(attempt(w, &s, 100), 0);
	unsigned n_roles = w->n_roles;
	for (unsigned i = 0; i < 30; i++)
		turn(w, 1000);
	assert_int_equal(w->n_roles, n_roles); // the same: it is left in peace
	everybody_names(w, 3, 2, 2);
	for (unsigned i = 0; i < 15 && !seek_is_moved(&s); i++)
		turn(w, 1000);
	assert_true(seek_is_moved(&s));
	world_free(w);
}

static void the_urls_password_serves_where_one_is_wanted(void **state)
{
	struct world *w = world_new(3, false);
	strcpy(w->endpoint.password, "secret");
	w->endpoint.has_password = 1;
	for (unsigned i = 0; i < 3; i++)
		w->peers[i].wants_login = true;
	assert_finds(w, 0);
	world_free(w);
	w = world_new(3, false);
	for (unsigned i = 0; i < 3; i++)
		w->peers[i].wants_login = true;
	assert_fails(w, ERROR_AUTH, "NOAUTH");
	strcpy(w->endpoint.sentinel.password, "wrong");
	w->endpoint.sentinel.has_password = 1;
	assert_fails(w, ERROR_AUTH, "WRONGPASS");
	assert_fails(w, ERROR_AUTH, "WRONGPASS");
	world_free(w);
}

#define REPLICA(host, flags)                                                                       \
	"*8\r\n$2\r\nip\r\n$8\r\n10.0.0." host "\r\n$4\r\nport\r\n$4\r\n700" host "\r\n"           \
	"$5\r\nflags\r\n" flags "$18\r\nmaster-link-status\r\n$2\r\nok\r\n"
#define FOLLOWS(offset)                                                                            \
	"*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:7001\r\n$9\r\nconnected\r\n:" offset "\r\n"

static void a_replica_that_has_enough_is_preferred(void **state)
{
	struct world *w = world_new(3, true);
	for (unsigned i = 0; i < 3; i++) {
		w->peers[i].replicas = REPLICA("3", "$12\r\nslave,s_down\r\n")
			REPLICA("4", "$5\r\nslave\r\n") REPLICA("5", "$5\r\nslave\r\n");
		w->peers[i].n_replicas = 3;
	}
	w->peers[3].role = FOLLOWS("90");
	w->peers[4].role = FOLLOWS("100");
	w->where.need_offset = 80;
	assert_finds(w, 3);
	w->where.need_offset = 95; // the first has not got that far
	assert_finds(w, 4);
	assert_finds(w, 4);
	w->where.need_offset = 101;
	assert_finds(w, 0); // then the master
	w->peers[3].dead = true;
	w->where.need_offset = 95;
	assert_finds(w, 4);
	world_free(w);
}

// Whatever is alive and whatever they say: a place of a lower epoch is only taken on the word of a
// majority.
static void no_minority_turns_back_the_epoch(void **state)
{
	struct random r = random_seeded("whereabouts");
	struct world *w = world_new(5, false);
	uint64_t seen = 0, n_found = 0;
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 0; i < 5; i++) {
			w->peers[i].dead = random_below(&r, 3) == 0;
			w->peers[i].epoch = 1 + random_below(&r, 6);
			w->peers[i].master = w->peers[i].epoch; // a place of its own
		}
		for (unsigned i = 0; i < CONNECTIONS; i++)
			if (w->connections[i].open && w->peers[w->connections[i].peer].dead)
				w->connections[i].base.flags = STREAM_FAILED;
		for (unsigned i = 5; i < PEERS; i++)
			w->peers[i].dead = false;
		struct seek s;
		seek_init(&s, &w->where);
		bool found = !attempt(w, &s, 6000);
		uint64_t epoch = w->where.sentinels->epoch, votes = 0;
		for (unsigned i = 0; i < 5; i++)
			votes += !w->peers[i].dead && w->peers[i].epoch == epoch;
		assert_true(epoch >= seen || votes >= 3);
		assert_true(!found || (votes && s.at.port == SERVER_PORT + epoch));
		n_found += found;
		seen = epoch;
	}
	assert_true(n_found > 20);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_known_without_asking),
		cmocka_unit_test(a_dead_first_sentinel_is_passed_over),
		cmocka_unit_test(nobody_who_answers_is_an_answer),
		cmocka_unit_test(a_name_that_nobody_knows_is_said),
		cmocka_unit_test(the_highest_epoch_of_a_majority_is_right),
		cmocka_unit_test(who_is_behind_what_was_seen_is_not_believed),
		cmocka_unit_test(the_others_are_learned),
		cmocka_unit_test(what_they_name_has_to_say_that_it_is_a_master),
		cmocka_unit_test(a_hint_is_asked_about),
		cmocka_unit_test(without_a_hint_they_are_asked_now_and_then),
		cmocka_unit_test(the_urls_password_serves_where_one_is_wanted),
		cmocka_unit_test(a_replica_that_has_enough_is_preferred),
		cmocka_unit_test(no_minority_turns_back_the_epoch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
