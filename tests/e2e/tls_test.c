// SPDX-License-Identifier: BSD-3-Clause
// TLS to real servers: every verb, both protocols, what is refused and in which words, certificates
// that are renewed, and a link that is cut and killed under load.
#include "tests/e2e/harness.h"

#include <signal.h>

#include "tests/tls/certificates.h"

#define NAMES "DNS:localhost,IP:127.0.0.1,IP:10.98.0.1"

struct tls_server {
	struct server *plain; // its other port, for the test itself
	int port;
	const char *url;
};

static const char *pem(struct world *w, const char *file)
{
	return text("%s/%s", w->dir, file);
}

// What all tests have: a CA, a server and a client of it.
static void usual_certificates(struct world *w)
{
	static const struct certificate usual[] = {
		{.file = "ca", .name = "Test CA", .is_ca = true},
		{.file = "server", .name = "server", .alt = NAMES, .ca = "ca"},
		{.file = "client", .name = "client", .ca = "ca"},
	};
	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		certificate_make(w->dir, &usual[i]);
}

static const char *tls_url(int port)
{
	return text("rediss://%s:%d", here(), port);
}

// @param auth       "yes": it wants a certificate of its clients
// @param protocols  as tls-protocols has it
static struct tls_server tls_server_start(struct world *w, const char *name,
					  const char *certificate, const char *auth,
					  const char *protocols)
{
	struct tls_server s = {.port = free_port()};
	s.plain = server_start(w, name, "--tls-port", text("%d", s.port), "--tls-cert-file",
			       pem(w, text("%s.crt", certificate)), "--tls-key-file",
			       pem(w, text("%s.key", certificate)), "--tls-ca-cert-file",
			       pem(w, "ca.crt"), "--tls-auth-clients", auth, "--tls-protocols",
			       protocols, NULL);
	s.url = tls_url(s.port);
	return s;
}

// Arguments with which both sides are well.
#define TRUST(w)                                                                                   \
	"--source-tls-ca", pem(w, "ca.crt"), "--source-tls-cert", pem(w, "client.crt"),            \
		"--source-tls-key", pem(w, "client.key"), "--target-tls-ca", pem(w, "ca.crt"),     \
		"--target-tls-cert", pem(w, "client.crt"), "--target-tls-key",                     \
		pem(w, "client.key")

// ---- What works -------------------------------------------------------------------------------

static void a_sync_takes_snapshot_and_stream_in_tls(struct world *w)
{
	static const char *const protocols[] = {"TLSv1.3", "TLSv1.2", "TLSv1.2 TLSv1.3"};
	usual_certificates(w);
	for (unsigned i = 0; i < 3; i++) {
		struct tls_server source =
			tls_server_start(w, text("source%u", i), "server", "yes", protocols[i]);
		struct tls_server target =
			tls_server_start(w, text("target%u", i), "server", "yes", protocols[i]);
		dataset_load(source.plain);
		dataset_load_big(source.plain);
		struct job *j =
			sync_start(w, source.url, target.url, "--lanes", "3", TRUST(w), NULL);
		job_wait_phase(j, "stream");
		struct process *writer = writer_start(source.plain);
		job_wait_number(j, "applied", 2000);
		writer_stop(writer);
		job_wait_applied(j, source.plain);
		assert_same_data(source.plain, target.plain);
		assert_int_equal(job_drain(j), 0);
		assert_books_balance(j);
	}
}

// One run to its end. @return what it printed; the caller frees
static char *verb_run(struct world *w, int code, const char *const *arguments)
{
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	int ended = process_wait(j->process);
	char *out = process_stdout(j->process);
	if (ended != code)
		fail_msg("%s: exit code %d, not %d: %s", arguments[0], ended, code, out);
	return out;
}

static void every_verb_speaks_tls(struct world *w)
{
	usual_certificates(w);
	struct tls_server source = tls_server_start(w, "source", "server", "yes", "TLSv1.3");
	struct tls_server target = tls_server_start(w, "target", "server", "yes", "TLSv1.2");
	const char *rdb = pem(w, "dump.rdb");
	const char *scan[] = {"scan",         source.url, target.url, "--state-dir",
			      pem(w, "scan"), TRUST(w),   NULL};
	const char *check[] = {"check", source.url, target.url, TRUST(w), NULL};
	const char *doctor[] = {"doctor", source.url, target.url, TRUST(w), NULL};
	const char *probe[] = {"doctor", source.url, target.url, "--probe=full", TRUST(w), NULL};
	const char *dump[] = {"dump",
			      source.url,
			      "-o",
			      rdb,
			      "--source-tls-ca",
			      pem(w, "ca.crt"),
			      "--source-tls-cert",
			      pem(w, "client.crt"),
			      "--source-tls-key",
			      pem(w, "client.key"),
			      NULL};
	const char *by_scan[] = {"dump",
				 source.url,
				 "-o",
				 pem(w, "by-scan.rdb"),
				 "--by-scan",
				 "--source-tls-ca",
				 pem(w, "ca.crt"),
				 "--source-tls-cert",
				 pem(w, "client.crt"),
				 "--source-tls-key",
				 pem(w, "client.key"),
				 NULL};
	const char *restore[] = {"restore",
				 rdb,
				 target.url,
				 "--extra-keys=delete",
				 "--state-dir",
				 pem(w, "restore"),
				 "--target-tls-ca",
				 pem(w, "ca.crt"),
				 "--target-tls-cert",
				 pem(w, "client.crt"),
				 "--target-tls-key",
				 pem(w, "client.key"),
				 NULL};
	dataset_load(source.plain);
	dataset_load_big(source.plain);
	free(verb_run(w, 0, dump));
	free(verb_run(w, 0, by_scan));
	free(verb_run(w, 0, scan));
	free(verb_run(w, 0, check));
	char *said = verb_run(w, 0, doctor);
	assert_non_null(strstr(said, "0 errors"));
	free(said);
	said = verb_run(w, 0, probe);
	assert_non_null(strstr(said, "0 errors"));
	free(said);
	run(target.plain, "FLUSHALL");
	run(target.plain, "SET only-here 1");
	free(verb_run(w, 1, check));
	free(verb_run(w, 0, restore));
	free(verb_run(w, 0, check));
	assert_same_data(source.plain, target.plain);
}

static void a_relative_path_is_taken_from_here(struct world *w)
{
	usual_certificates(w);
	struct tls_server source = tls_server_start(w, "source", "server", "no", "TLSv1.3");
	struct server *target = server_start(w, "target", NULL);
	const char *climb = "../../../../../../../../../../../..";
	const char *path = text("%s%s", climb, pem(w, "ca.crt"));
	run(source.plain, "SET a 1");
	assert_int_equal(sync_run(w, source.url, target->url, "--until=caught-up",
				  "--source-tls-ca", path, NULL),
			 0);
	assert_string_equal(ask_text(target, "GET a"), "1");
}

// ---- What is refused, and how -----------------------------------------------------------------

// By the link, and by what the control process asks itself.
static void refused(struct world *w, const char *source, const char *target, int code,
		    const char *option, const char *value, const char *words)
{
	struct job *j = sync_start(w, source, target, "--connect-timeout=1500", "--wait-timeout",
				   "3000", option, value, NULL);
	assert_int_equal(job_wait(j), code);
	assert_one_sentence(j, words);
	j = job_start(w, "check", source, target, option, value, NULL);
	assert_int_equal(process_wait(j->process), code);
	assert_one_sentence(j, words);
}

static void each_refusal_names_its_field(struct world *w)
{
	static const struct certificate wrong[] = {
		{.file = "other-ca", .name = "Other CA", .is_ca = true},
		{.file = "elsewhere", .name = "x", .alt = "DNS:a.example", .ca = "ca"},
		{.file = "expired",
		 .name = "old",
		 .alt = NAMES,
		 .ca = "ca",
		 .from_s = -9 * DAY_S,
		 .to_s = -DAY_S},
	};
	usual_certificates(w);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		certificate_make(w->dir, &wrong[i]);
	struct tls_server good = tls_server_start(w, "good", "server", "no", "TLSv1.3");
	struct tls_server strict = tls_server_start(w, "strict", "server", "yes", "TLSv1.2");
	struct tls_server strict_13 = tls_server_start(w, "strict13", "server", "yes", "TLSv1.3");
	struct tls_server elsewhere =
		tls_server_start(w, "elsewhere", "elsewhere", "no", "TLSv1.3");
	struct tls_server expired = tls_server_start(w, "expired", "expired", "no", "TLSv1.3");
	struct server *plain = server_start(w, "plain", NULL);
	const char *ca = "--source-tls-ca", *ours = pem(w, "ca.crt");
	const char *wants = "it wants a certificate of ours: give one with tls-cert";

	refused(w, good.url, plain->url, 4, "--source-tls-verify", "yes",
		"issued by 'Test CA', a CA");
	refused(w, good.url, plain->url, 4, ca, pem(w, "other-ca.crt"),
		"issued by 'Test CA', a CA");
	refused(w, good.url, plain->url, 4, ca, pem(w, "none"),
		"/none, cannot be read: No such file");
	refused(w, elsewhere.url, plain->url, 4, ca, ours,
		"its certificate is for a.example and not");
	refused(w, expired.url, plain->url, 4, ca, ours, "its certificate ('old') expired at ");
	refused(w, strict.url, plain->url, 4, ca, ours, wants);
	refused(w, strict_13.url, plain->url, 4, ca, ours, wants);
	refused(w, plain->url, good.url, 4, "--target-tls-ca", pem(w, "other-ca.crt"),
		"issued by 'Test CA', a CA");
	refused(w, plain->url, strict_13.url, 4, "--target-tls-ca", ours, wants);
	refused(w, good.plain->url, plain->url, 3, ca, ours,
		"source-tls-ca is set, and the source is not spoken to in TLS");
	refused(w, tls_url(plain->port), good.plain->url, 4, ca, ours, "redis://");
	refused(w, text("redis://%s:%d", here(), good.port), plain->url, 4, NULL, NULL,
		"take rediss://");
	refused(w, plain->url, text("redis://%s:%d", here(), good.port), 4, NULL, NULL,
		"take rediss://");
}

static void a_wrong_name_is_mended_by_a_setting(struct world *w)
{
	usual_certificates(w);
	certificate_make(w->dir, &(struct certificate){.file = "elsewhere",
						       .name = "x",
						       .alt = "DNS:a.example",
						       .ca = "ca"});
	struct tls_server source = tls_server_start(w, "source", "elsewhere", "no", "TLSv1.3");
	struct server *target = server_start(w, "target", NULL);
	run(source.plain, "SET a 1");
	assert_int_equal(sync_run(w, source.url, target->url, "--until=caught-up",
				  "--source-tls-ca", pem(w, "ca.crt"),
				  "--source-tls-server-name=a.example", NULL),
			 0);
	assert_int_equal(sync_run(w, source.url, target->url, "--until=caught-up",
				  "--source-tls-verify=no", NULL),
			 0);
}

// ---- Renewal ----------------------------------------------------------------------------------

struct house {
	struct world *world;
	const char *socket;
	struct job *daemon;
	const char *wanted;
};

static bool status_says(void *arg)
{
	struct house *h = arg;
	const char *arguments[] = {"link", "show", "orders", "--json", "--socket", h->socket, NULL};
	struct job *j = job_start_argv(h->world, "flyover", arguments, NULL);
	process_wait(j->process);
	char *out = process_stdout(j->process);
	bool says = strstr(out, h->wanted);
	free(out);
	return says;
}

static bool log_says(void *arg)
{
	struct house *h = arg;
	char *err = process_stderr(h->daemon->process);
	bool says = strstr(err, h->wanted);
	free(err);
	return says;
}

static void house_await(struct house *h, bool (*says)(void *), const char *words)
{
	h->wanted = words;
	wait_until(says, h, words);
}

static struct house house_start(struct world *w, const struct tls_server *source,
				const struct tls_server *target)
{
	struct house h = {.world = w, .socket = pem(w, "api")};
	const char *yaml =
		text("listen: %s\nstate-dir: %s/state\nlinks:\n  - name: orders\n"
		     "    source: %s\n    source-tls-ca: %s\n"
		     "    source-tls-cert: %s\n    source-tls-key: %s\n"
		     "    target: %s\n    target-tls-ca: %s\n",
		     h.socket, w->dir, source->url, pem(w, "trust.crt"), pem(w, "client.crt"),
		     pem(w, "client.key"), target->url, pem(w, "ca.crt"));
	const char *arguments[] = {"--config", pem(w, "flyover.yaml"), NULL};
	file_write(arguments[1], yaml, strlen(yaml));
	h.daemon = job_start_argv(w, "flyoverd", arguments, NULL);
	house_await(&h, status_says, "\"stream\"");
	return h;
}

static void file_copy(struct world *w, const char *from, const char *to)
{
	size_t len;
	char *bytes = file_read(pem(w, from), &len);
	assert_non_null(bytes);
	file_write(pem(w, to), bytes, len);
	free(bytes);
}

static bool c_has_come(void *target)
{
	return !strcmp(ask_text(target, "GET c"), "3");
}

// The source gets a certificate of another CA. The link says what it misses, and goes on once it
// has it; nothing is lost, no full sync is needed.
static void renewed_certificates_serve_new_connections(struct world *w)
{
	usual_certificates(w);
	file_copy(w, "ca.crt", "trust.crt");
	struct tls_server source = tls_server_start(w, "source", "server", "yes", "TLSv1.3");
	struct tls_server target = tls_server_start(w, "target", "server", "no", "TLSv1.3");
	run(source.plain, "SET a 1");
	struct house h = house_start(w, &source, &target);
	process_signal(h.daemon->process, SIGHUP);
	house_await(&h, log_says, "TLS to the source: new connections use ");

	certificate_make(w->dir,
			 &(struct certificate){.file = "new-ca", .name = "New CA", .is_ca = true});
	certificate_make(w->dir,
			 &(struct certificate){
				 .file = "renewed", .name = "s", .alt = NAMES, .ca = "new-ca"});
	run(source.plain, "CONFIG SET tls-cert-file %s tls-key-file %s", pem(w, "renewed.crt"),
	    pem(w, "renewed.key"));
	run(source.plain, "CLIENT KILL TYPE replica");
	house_await(&h, status_says, "issued by 'New CA', a CA that is not trusted here");
	run(source.plain, "SET b 2");

	file_write(pem(w, "trust.crt"), "nothing", 7);
	process_signal(h.daemon->process, SIGHUP);
	house_await(&h, log_says, "trust.crt, holds no certificate in PEM; new connections fail");
	file_copy(w, "new-ca.crt", "trust.crt");
	process_signal(h.daemon->process, SIGHUP);
	house_await(&h, status_says, "\"waiting\":\"\"");
	run(source.plain, "SET c 3");
	wait_until(c_has_come, target.plain, "the stream to go on");
	assert_string_equal(ask_text(target.plain, "GET b"), "2");
	assert_int_equal(info_number(source.plain, "stats", "sync_full"), 1);
	assert_int_equal(process_has_ended(h.daemon->process), false);
	process_signal(h.daemon->process, SIGTERM);
	assert_int_equal(process_wait(h.daemon->process), 0);
}

// ---- Under load -------------------------------------------------------------------------------

static void job_crash(struct job *j)
{
	pid_t daemon = job_daemon(j), dataplane = job_dataplane(j);
	process_kill(j->process);
	kill(daemon, SIGKILL);
	kill(dataplane, SIGKILL);
}

// Connections cut within records, either program killed: counters and lists show a loss or repeat.
static void a_link_in_tls_is_cut_and_killed_under_load(struct world *w)
{
	usual_certificates(w);
	struct tls_server source = tls_server_start(w, "source", "server", "yes", "TLSv1.3");
	struct tls_server target = tls_server_start(w, "target", "server", "yes", "TLSv1.2");
	struct proxy *near_source = proxy_start(w, source.port);
	struct proxy *near_target = proxy_start(w, target.port);
	const char *from = tls_url(near_source->port), *to = tls_url(near_target->port);
	struct process *writer = NULL;
	struct job *j = NULL;
	dataset_load(source.plain);
	for (unsigned life = 0; life < 3; life++) {
		j = sync_start(w, from, to, "--lanes=2", "--fail-fast=no", "--state-dir",
			       pem(w, "state"), TRUST(w), NULL);
		job_wait_phase(j, "stream");
		writer = writer ? writer : writer_start(source.plain);
		for (unsigned i = 0; i < 4; i++) {
			struct proxy *p = i % 2 ? near_source : near_target;
			proxy_cut_after(p, i % 2 ? FROM_SERVER : TO_SERVER, 60000 + 777 * i,
					life % 2 ? END_FIN : END_RST);
			proxy_wait_cut(p);
		}
		if (life < 2)
			job_crash(j);
	}
	writer_stop(writer);
	job_wait_applied(j, source.plain);
	assert_same_data(source.plain, target.plain);
	assert_int_equal(info_number(source.plain, "stats", "sync_full"), 1);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		E2E_TEST(a_sync_takes_snapshot_and_stream_in_tls),
		E2E_TEST(every_verb_speaks_tls),
		E2E_TEST(a_relative_path_is_taken_from_here),
		E2E_TEST(each_refusal_names_its_field),
		E2E_TEST(a_wrong_name_is_mended_by_a_setting),
		E2E_TEST(renewed_certificates_serve_new_connections),
		E2E_TEST(a_link_in_tls_is_cut_and_killed_under_load),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
