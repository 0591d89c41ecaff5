// SPDX-License-Identifier: BSD-3-Clause
// Every verb that takes a URL takes each form of it: an address of IPv6, a unix socket, the name of
// a host, and a master by its sentinels.
#include "tests/e2e/harness.h"
#include "tests/e2e/sentinels.h"

struct side {
	struct server *server; // that has or gets the data
	const char *url;
};

struct pair {
	struct side source, target;
};

static int verb_run(struct world *w, const char *const *words)
{
	struct job *j = job_start_argv(w, "flyover", words, NULL);
	int code = process_wait(j->process);

	if (code) {
		char *said = process_stderr(j->process);
		fprintf(stderr, "%s %s %s: %s\n", words[0], words[1], words[2], said);
		free(said);
	}
	return code;
}

#define VERB(w, ...) verb_run(w, (const char *const[]){__VA_ARGS__, NULL})

static void emptied(struct side *side)
{
	run(side->server, "FLUSHALL");
}

static void assert_has_it(struct side *side)
{
	assert_string_equal(ask_text(side->server, "GET k"), "v");
	assert_int_equal(ask_number(side->server, "LLEN l"), 3);
}

static void every_verb_works(struct world *w, struct pair *p)
{
	const char *file = text("%s/dump.rdb", w->dir);
	const char *s = p->source.url, *t = p->target.url;

	run(p->source.server, "SET k v");
	run(p->source.server, "RPUSH l a b c");
	assert_int_equal(VERB(w, "doctor", s, t), 0);
	assert_int_equal(
		VERB(w, "sync", s, t, "--until=caught-up", "--state-dir", text("%s/sync", w->dir)),
		0);
	assert_has_it(&p->target);
	assert_int_equal(VERB(w, "check", s, t), 0);
	run(p->target.server, "SET k other");
	assert_int_equal(VERB(w, "check", s, t), 1);
	emptied(&p->target);
	assert_int_equal(VERB(w, "scan", s, t, "--state-dir", text("%s/scan", w->dir)), 0);
	assert_has_it(&p->target);
	assert_int_equal(VERB(w, "dump", s, "-o", file), 0);
	emptied(&p->target);
	assert_int_equal(VERB(w, "restore", file, t, "--state-dir", text("%s/restore", w->dir)), 0);
	assert_has_it(&p->target);
}

static const char *socket_of(const struct server *s)
{
	return text("%s.sock", s->dir);
}

static struct server *listener_start(struct world *w, const char *name)
{
	return server_start(w, name, "--bind", "127.0.0.1", "-::1", "--unixsocket",
			    text("%s/%s.sock", w->dir, name), NULL);
}

static struct pair pair_start(struct world *w)
{
	return (struct pair){.source = {listener_start(w, "source"), NULL},
			     .target = {listener_start(w, "target"), NULL}};
}

static void unix_sockets(struct world *w)
{
	struct pair p = pair_start(w);

	p.source.url = text("unix://%s", socket_of(p.source.server));
	p.target.url = text("unix://%s", socket_of(p.target.server));
	every_verb_works(w, &p);
}

static void addresses_of_ipv6(struct world *w)
{
	struct pair p = pair_start(w);

	if (!net_has_ip6()) {
		w->skip = "this kernel has no IPv6";
		return;
	}
	p.source.url = text("redis://[::1]:%d", p.source.server->port);
	p.target.url = text("redis://[::1]:%d", p.target.server->port);
	every_verb_works(w, &p);
}

static void names_of_hosts(struct world *w)
{
	struct pair p = pair_start(w);

	p.source.url = text("redis://localhost:%d", p.source.server->port);
	p.target.url = text("redis://localhost:%d", p.target.server->port);
	every_verb_works(w, &p);
}

// The ends of a link need not be of one kind, nor the database be 0.
static void a_unix_socket_to_ipv6_with_a_database(struct world *w)
{
	struct pair p = pair_start(w);

	if (!net_has_ip6()) {
		w->skip = "this kernel has no IPv6";
		return;
	}
	select_db(p.source.server, 3);
	select_db(p.target.server, 3);
	p.source.url = text("unix://%s?db=3", socket_of(p.source.server));
	p.target.url = text("redis://[::1]:%d/3", p.target.server->port);
	every_verb_works(w, &p);
}

static void masters_by_their_sentinels(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", ""),
			target = ensemble_start(w, "target", "");
	struct sentinels s = sentinels_start(w, &source, &target, "");
	struct pair p = {.source = {source.members[0], sentinels_url(&s, &source, "")},
			 .target = {target.members[0], sentinels_url(&s, &target, "")}};

	every_verb_works(w, &p);
}

// What a URL names and is not there is said in one sentence, with exit code 4.
static void what_is_not_there_is_said(struct world *w)
{
	struct server *there = server_start(w, "there", NULL);
	const char *const urls[] = {
		text("unix://%s/nobody.sock", w->dir),
		text("redis://[::1]:%d", free_port()),
		"redis://no-such-host.invalid",
		text("redis+sentinel://127.0.0.1:%d/m", free_port()),
	};
	const char *const words[] = {"nobody.sock", "::1", "no-such-host.invalid", "sentinel"};

	for (unsigned i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct job *j = sync_start(w, urls[i], there->url, NULL);
		assert_int_equal(job_wait(j), 4);
		assert_one_sentence(j, words[i]);
		assert_int_equal(VERB(w, "check", urls[i], there->url), 4);
		assert_int_equal(VERB(w, "doctor", there->url, urls[i]), 4);
		assert_int_equal(VERB(w, "dump", urls[i], "-o", text("%s/none.rdb", w->dir),
				      "--wait-timeout=0s"),
				 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(unix_sockets),
		E2E_TEST(addresses_of_ipv6),
		E2E_TEST(names_of_hosts),
		E2E_TEST(a_unix_socket_to_ipv6_with_a_database),
		E2E_TEST(masters_by_their_sentinels),
		E2E_TEST(what_is_not_there_is_said),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
