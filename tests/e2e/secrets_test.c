// SPDX-License-Identifier: BSD-3-Clause
// Every secret that these tests give to our programs has one mark in it, and the mark is nowhere
// that we write or show: no output, no sentence, no answer of flyoverd, no file, no command line
// and no environment of a process of ours.
#include "tests/e2e/harness.h"

#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

#define MARK "hush7731"

// Files that a test wrote itself begin so.
#define GIVEN "given-"

static const char *found_at; // of the walk

static bool is_marked(const char *path)
{
	size_t len;
	char *bytes = file_read(path, &len);
	bool marked = bytes && memmem(bytes, len, MARK, strlen(MARK));

	free(bytes);
	return marked;
}

static int file_judge(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_F && strncmp(path + at->base, GIVEN, strlen(GIVEN)) && is_marked(path))
		found_at = text("%s", path);
	return found_at != NULL;
}

// Everything said and kept in the folder of the test: outputs, logs, state.
static void assert_nothing_kept(struct world *w)
{
	found_at = NULL;
	nftw(w->dir, file_judge, 16, FTW_PHYS);
	if (found_at)
		fail_msg("%s holds a secret", found_at);
}

static void assert_nothing_shown(pid_t pid)
{
	static const char *const files[] = {"cmdline", "environ", "comm", "status"};

	for (unsigned i = 0; i < 4; i++)
		if (is_marked(text("/proc/%d/%s", (int)pid, files[i])))
			fail_msg("/proc/%d/%s shows a secret", (int)pid, files[i]);
}

// Nobody else may look into what a folder of ours holds.
static int mode_judge(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type != FTW_SL && (st->st_mode & 077))
		found_at = text("%s (%o)", path, st->st_mode & 07777);
	return found_at != NULL;
}

static void assert_closed(const char *folder)
{
	found_at = NULL;
	assert_int_equal(nftw(folder, mode_judge, 16, FTW_PHYS), 0);
	if (found_at)
		fail_msg("%s can be looked into", found_at);
}

static struct server *locked(struct world *w, const char *name)
{
	return server_start(w, name, "--requirepass", text(MARK "-%s", name), NULL);
}

static const char *marked_url(const struct server *s)
{
	return text("redis://:" MARK "-%s@127.0.0.1:%d", s->name, s->port);
}

static const char *password_file(struct world *w, const struct server *s)
{
	const char *path = text("%s/" GIVEN "%s", w->dir, s->name);
	const char *line = text(MARK "-%s\n", s->name);

	file_write(path, line, strlen(line));
	return path;
}

// ---- Jobs -------------------------------------------------------------------------------------

// By all three ways at once, and with words for sentinels that nobody needs.
static void a_running_job_shows_none(struct world *w)
{
	struct server *source = locked(w, "source"), *target = locked(w, "target");
	const char *environment[] = {"FLYOVER_TARGET_PASSWORD=" MARK "-target",
				     "FLYOVER_SOURCE_SENTINEL_PASSWORD=" MARK "-a",
				     "FLYOVER_TARGET_SENTINEL_PASSWORD=" MARK "-b", NULL};
	const char *state = text("%s/state", w->dir);
	const char *arguments[] = {"sync", marked_url(source), target->url, "--json",
				   "-v",   "--state-dir",      state,       NULL};

	dataset_load(source);
	struct job *j = job_start_argv(w, "flyover", arguments, environment);
	job_wait_phase(j, "stream");
	pid_t pids[] = {j->process->pid, job_daemon(j), job_dataplane(j)};
	for (unsigned i = 0; i < 3; i++)
		assert_nothing_shown(pids[i]);
	// What it says as it dies counts too.
	kill(pids[2], SIGABRT);
	run(source, "SET after-the-death 1");
	job_wait_applied(j, source);
	assert_closed(state);
	assert_int_equal(job_drain(j), 0);
	assert_nothing_kept(w);
}

// ---- The daemon -------------------------------------------------------------------------------

struct house {
	struct world *world;
	const char *socket;
};

static bool house_streams(void *house)
{
	struct house *h = house;
	struct job *j = job_start(h->world, "status", "--json", "--socket", h->socket, NULL);

	process_wait(j->process);
	char *out = process_stdout(j->process);
	bool streams = strstr(out, "\"stream\"");
	free(out);
	return streams;
}

static void house_asked(struct house *h, const char *verb, const char *more, const char *name)
{
	struct job *j = job_start(h->world, verb, "--socket", h->socket, more, name, NULL);

	assert_int_equal(process_wait(j->process), 0);
}

static void a_daemon_answers_with_none(struct world *w)
{
	struct server *source = locked(w, "source"), *target = locked(w, "target");
	struct house h = {w, text("%s/api", w->dir)};
	const char *config = text("%s/" GIVEN "flyover.yaml", w->dir);
	const char *yaml =
		text("listen: %s\nstate-dir: %s/state\nlinks:\n  - name: orders\n"
		     "    source: %s\n    source-sentinel-password: " MARK "-s\n"
		     "    target: %s\n    target-password-file: %s\n",
		     h.socket, w->dir, marked_url(source), target->url, password_file(w, target));
	const char *arguments[] = {"--config", config, NULL};

	file_write(config, yaml, strlen(yaml));
	struct job *daemon = job_start_argv(w, "flyoverd", arguments, NULL);
	wait_until(house_streams, &h, "the link to stream");
	process_signal(daemon->process, SIGHUP);
	house_asked(&h, "metrics", NULL, NULL);
	house_asked(&h, "status", "--json", NULL);
	struct job *j = job_start(w, "link", "show", "orders", "--socket", h.socket, NULL);
	assert_int_equal(process_wait(j->process), 0);
	j = job_start(w, "link", "list", "--json", "--socket", h.socket, NULL);
	assert_int_equal(process_wait(j->process), 0);
	j = job_start(w, "link", "create", "second", marked_url(source), marked_url(target),
		      "--socket", h.socket, NULL);
	assert_int_equal(process_wait(j->process), 0);
	assert_nothing_shown(daemon->process->pid);
	assert_nothing_shown(descendant_find("flyover-dataplane", 0));
	assert_closed(text("%s/state", w->dir));
	struct stat st;
	assert_int_equal(stat(h.socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	process_signal(daemon->process, SIGTERM);
	assert_int_equal(process_wait(daemon->process), 0);
	assert_nothing_kept(w);
}

// ---- Sentences --------------------------------------------------------------------------------

static void fails(struct world *w, int code, const char *const *arguments)
{
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);

	assert_int_equal(process_wait(j->process), code);
	char *said = process_stderr(j->process);
	assert_true(*said);
	free(said);
}

#define FAILS(w, code, ...) fails(w, code, (const char *const[]){__VA_ARGS__, NULL})

// A server that does not know AUTH repeats what it was sent.
static void an_error_that_repeats_a_password_is_cut(struct world *w)
{
	struct server *odd = server_start(w, "odd", "--rename-command", "AUTH", "", NULL);
	struct server *good = server_start(w, "good", NULL);
	const char *url = marked_url(odd), *state = text("%s/state", w->dir);
	const char *out = text("%s/out.rdb", w->dir);

	redisReply *r = ask(odd, "AUTH " MARK);
	assert_non_null(strstr(r->str, MARK)); // it does
	freeReplyObject(r);
	FAILS(w, 4, "sync", url, good->url, "--state-dir", state);
	FAILS(w, 4, "sync", good->url, url, "--state-dir", state);
	FAILS(w, 4, "sync", good->url, url, "--preflight=no", "--state-dir", state);
	FAILS(w, 4, "check", url, good->url);
	FAILS(w, 4, "check", good->url, url);
	FAILS(w, 4, "scan", url, good->url, "--state-dir", state);
	FAILS(w, 4, "scan", good->url, url, "--state-dir", state);
	FAILS(w, 4, "doctor", url, good->url);
	FAILS(w, 4, "dump", url, "-o", out);
	FAILS(w, 4, "dump", url, "-o", out, "--by-scan");
	assert_nothing_kept(w);
}

static void wrong_words_are_not_repeated(struct world *w)
{
	struct server *s = locked(w, "s");
	const char *url = marked_url(s), *socket = text("%s/none", w->dir);
	const char *config = text("%s/" GIVEN "flyover.yaml", w->dir);
	const char *yaml = "links:\n  - name: a\n    source: redis://:" MARK "@h:port\n";

	file_write(config, yaml, strlen(yaml));
	FAILS(w, 2, url);
	FAILS(w, 2, url, url);
	FAILS(w, 2, "sync", url);
	FAILS(w, 2, "sync", url, url, url);
	FAILS(w, 2, "sync", text("--from=%s", url), url);
	FAILS(w, 2, "link", url);
	FAILS(w, 2, "link", "parked", url);
	FAILS(w, 3, "sync", "redis://:" MARK "@h:99999", s->url);
	FAILS(w, 3, "sync", "redis://:" MARK "%zz@h", s->url);
	FAILS(w, 3, "sync", "http://:" MARK "@h", s->url);
	FAILS(w, 3, "sync", url, url);
	FAILS(w, 4, "sync", "redis://:" MARK "-wrong@127.0.0.1:1", s->url, "--state-dir",
	      text("%s/state", w->dir));
	FAILS(w, 4, "check", text("redis://:" MARK "-wrong@127.0.0.1:%d", s->port), s->url);
	FAILS(w, 4, "status", "--socket", socket);
	struct job *j = job_start_argv(w, "flyoverd",
				       (const char *const[]){"--config", config, NULL}, NULL);
	assert_int_equal(process_wait(j->process), 3);
	assert_nothing_kept(w);
}

// A key that is none is not quoted either.
static void a_key_is_not_repeated(struct world *w)
{
	struct server *s = server_start(w, "s", NULL);
	const char *key = text("%s/" GIVEN "key.pem", w->dir);
	const char *pem = "-----BEGIN PRIVATE KEY-----\n" MARK "\n-----END PRIVATE KEY-----\n";
	const char *url = text("rediss://127.0.0.1:%d", s->port);

	file_write(key, pem, strlen(pem));
	FAILS(w, 4, "check", url, "redis://127.0.0.1:1", "--source-tls-cert", key,
	      "--source-tls-key", key);
	FAILS(w, 4, "sync", url, "redis://127.0.0.1:1", "--source-tls-cert", key, "--state-dir",
	      text("%s/state", w->dir));
	assert_nothing_kept(w);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_running_job_shows_none),
		E2E_TEST(a_daemon_answers_with_none),
		E2E_TEST(an_error_that_repeats_a_password_is_cut),
		E2E_TEST(wrong_words_are_not_repeated),
		E2E_TEST(a_key_is_not_repeated),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
