// SPDX-License-Identifier: BSD-3-Clause
// What the doctor learns from answers of servers and from this host, and how it keeps its findings.
#include "tests/unit/doctor_pair.h"

#include <errno.h>

#include "ctrl/doctor/host.h"
#include "ctrl/doctor/rights.h"

// ---- Facts ------------------------------------------------------------------------------------

static void facts_are_read_from_answers(void **state)
{
	struct facts *k = pair_new();
	const struct server_facts *s = &k->source;
	assert_int_equal(s->version, VERSION(7, 0));
	assert_string_equal(s->version_text, "redis 7.0.15");
	assert_int_equal(s->keys, 75);
	assert_int_equal(s->top_db, 3);
	assert_int_equal(s->bgsave_s, 2);
	assert_int_equal(s->libraries, UNKNOWN);
	assert_int_equal(s->output_hard, 268435456);
	assert_int_equal(s->output_soft_s, 60);
	assert_int_equal(s->min_replicas, 0);
	assert_false(s->field_expiry);
	assert_string_equal(s->cli, "redis-cli -h 10.0.0.1 -p 6379");
	assert_string_equal(k->target.user, "bob");
	side_fill(&k->target, "valkey_version:9.0.1\r\ndb0:keys=1,expires=0,avg_ttl=0,"
			      "keys_with_volatile_items=2\r\ncmdstat_set:calls=7,usec=1\r\n"
			      "cmdstat_xgroup|create:calls=2,usec=1\r\ncmdstat_get:calls=90\r\n");
	assert_true(k->target.valkey);
	assert_int_equal(k->target.version, VERSION(9, 0));
	assert_true(k->target.field_expiry);
	assert_true(verb_set_has(&k->target.used, verb_find("XGROUP CREATE")));
	assert_false(verb_set_has(&k->target.used, verb_find("DEL")));
	assert_int_equal(k->target.write_calls, 9);
	free(k);
}

static void only_the_database_of_the_url_counts(void **state)
{
	struct facts k;
	struct link_config c;
	config_make(&c);
	c.source.db = 3;
	facts_init(&k, &c);
	facts_info(&k.source, SPAN_LIT("db0:keys=70\r\ndb3:keys=5,expires=0\r\n"), 0, 1);
	assert_int_equal(k.source.keys, 5);
	assert_int_equal(k.target.db, 3);
}

static void garbled_answers_stay_unknown(void **state)
{
	struct facts *k = pair_new();
	const struct resp_value short_array[] = {{.type = RESP_ARRAY, .elements = 0}};
	const struct resp_value refused = {.type = RESP_ERROR, .text = SPAN_LIT("NOPERM no")};
	facts_config(&k->source, 0, short_array, 1);
	assert_int_equal(k->source.backlog_size, 1048576);
	assert_false(k->source.config_refused);
	facts_config(&k->source, 0, &refused, 1);
	assert_true(k->source.config_refused);
	facts_info(&k->source, SPAN_LIT("cmdstat_set"), 0, 1);
	facts_info(&k->source, SPAN_LIT("cmdstat_set:"), 0, 1);
	facts_info(&k->source, SPAN_LIT("redis_version:999999.1\r\ndb"), 0, 1);
	assert_int_equal(k->source.version, VERSION(7, 0));
	facts_modules(&k->source, &refused, 1);
	assert_int_equal(k->source.n_modules, 0);
	free(k);
}

static void the_rate_is_of_the_stream_or_else_of_what_writes(void **state)
{
	struct facts *k = pair_new();
	struct server_facts later = k->source;
	later.offset += 5000;
	later.backlog_active = 1;
	facts_rate(k, &later, 500);
	assert_int_equal(k->write_rate, 10000);
	assert_false(k->rate_is_guess);
	later.backlog_active = 0;
	k->source.input_bytes = k->source.calls = 0;
	later.input_bytes = 80000;
	later.calls = 400;
	later.write_calls = k->source.write_calls + 100;
	facts_rate(k, &later, 1000);
	assert_int_equal(k->write_rate, 20000);
	assert_true(k->rate_is_guess);
	k->write_rate = UNKNOWN;
	later.offset = k->source.offset - 1; // another master
	later.backlog_active = 1;
	facts_rate(k, &later, 1000);
	assert_int_equal(k->write_rate, UNKNOWN);
	free(k);
}

static struct resp_value error_of(const char *text)
{
	return (struct resp_value){.type = RESP_ERROR, .text = span_of(text)};
}

static void answers_about_rights_are_understood(void **state)
{
	struct rights_facts s = {0};
	unsigned set = verb_find("SET");
	struct resp_value v = {.type = RESP_STATUS, .text = SPAN_LIT("QUEUED")};
	rights_judge(&s, set, true, &v);
	v = error_of("WRONGTYPE x");
	rights_judge(&s, set, true, &v);
	assert_false(verb_set_has(&s.denied, set) || verb_set_has(&s.absent, set));
	v = error_of("NOPERM this user has no permissions to run the 'set' command");
	rights_judge(&s, set, true, &v);
	assert_true(verb_set_has(&s.denied, set));
	v = error_of("NOPERM this user has no permissions to access one of the keys used as "
		     "arguments");
	rights_judge(&s, verb_find("DEL"), false, &v);
	assert_true(s.keys_denied && !s.marker_denied);
	rights_judge(&s, verb_find("DEL"), true, &v);
	assert_true(s.marker_denied && !verb_set_has(&s.denied, verb_find("DEL")));
	v = error_of("NOPERM this user has no permissions to access one of the channels used as "
		     "arguments");
	rights_judge(&s, verb_find("PUBLISH"), true, &v);
	assert_true(s.channels_denied && !verb_set_has(&s.denied, verb_find("PUBLISH")));
	v = error_of("ERR unknown command 'FLUSHALL', with args beginning with: ");
	rights_judge(&s, verb_find("FLUSHALL"), true, &v);
	assert_true(verb_set_has(&s.absent, verb_find("FLUSHALL")));
	v = (struct resp_value){.type = RESP_STRING,
				.text = SPAN_LIT("This user has no permissions to run the "
						 "'psync' command")};
	rights_judge(&s, verb_find("PSYNC"), false, &v);
	assert_true(verb_set_has(&s.denied, verb_find("PSYNC")));
	v = error_of("ERR Command 'replconf' not found");
	rights_judge(&s, verb_find("REPLCONF"), false, &v);
	assert_true(verb_set_has(&s.absent, verb_find("REPLCONF")));
	v = error_of("ERR User 'x' not found");
	rights_judge(&s, verb_find("INFO"), false, &v);
	assert_false(verb_set_has(&s.absent, verb_find("INFO")));
}

// ---- Host, findings ---------------------------------------------------------------------------

static const struct host_facts good_host = {
	.flyoverd_found = true, .dataplane_found = true, .uring_switch = UNKNOWN,
	.state_dir = "/var/lib", .direct = true, .free_bytes = 50 * (int64_t)GB,
	.open_files = 1024, .open_files_max = 4096, .memory_free = 4 * (int64_t)GB, .cores = 2,
	.tcp_read_max = 6291456, .tcp_write_max = 4194304,
};

static void host_finds(const struct host_facts *h, const char *check, enum severity severity,
		       const char *words, const char *mend)
{
	struct findings *f = calloc(1, sizeof(*f));
	bool found = false;
	host_judge(h, f);
	for (unsigned i = 0; i < f->n; i++)
		found |= !strcmp(f->list[i].check, check) && f->list[i].severity == severity &&
			 strstr(f->list[i].sentence, words) && strstr(f->list[i].mend, mend);
	if (!found)
		fail_msg("%s does not say '%s'", check, words);
	free(f);
}

static void a_host_is_judged(void **state)
{
	struct findings *f = calloc(1, sizeof(*f));
	struct host_facts h = good_host;
	host_judge(&h, f);
	assert_int_equal(findings_count(f, SEVERITY_WARNING) + findings_count(f, SEVERITY_ERROR),
			 0);
	free(f);
	h.dataplane_found = false;
	host_finds(&h, "programs", SEVERITY_ERROR, "flyover-dataplane", "meson install");
	h.uring_error = -EPERM;
	host_finds(&h, "io-uring", SEVERITY_INFO, "is refused (", "");
	h.seccomp = true;
	host_finds(&h, "io-uring", SEVERITY_INFO, "seccomp", "seccomp=unconfined");
	h.uring_switch = 2;
	host_finds(&h, "io-uring", SEVERITY_INFO, "is 2", "sysctl -w kernel.io_uring_disabled=0");
	h.free_bytes = 1 << 20;
	host_finds(&h, "state-dir", SEVERITY_WARNING, "only 1.0 MB free", "df -h");
	h.state_error = -EACCES;
	host_finds(&h, "state-dir", SEVERITY_ERROR, "/var/lib: Permission denied", "chown");
	h.open_files = 256;
	host_finds(&h, "open-files", SEVERITY_WARNING, "256 files", "ulimit -n 1024");
	h.open_files_max = 256;
	host_finds(&h, "open-files", SEVERITY_WARNING, "256 files", "LimitNOFILE");
	h.memory_free = 1 << 20;
	host_finds(&h, "memory", SEVERITY_WARNING, "only 1.0 MB", "--memory-window");
	h.cores = 1;
	host_finds(&h, "cores", SEVERITY_WARNING, "one core", "");
	h.tcp_read_max = 200000;
	host_finds(&h, "tcp-buffers", SEVERITY_WARNING, "TCP buffers", "net.ipv4.tcp_rmem");
	h.hugepages_always = true;
	host_finds(&h, "hugepages", SEVERITY_INFO, "does not mind", "");
}

static void this_host_is_looked_at(void **state)
{
	struct host_facts h;
	host_gather(&h, "/nowhere/near/this");
	assert_string_equal(h.state_dir, "/");
	assert_true(h.cores >= 1);
	assert_true(h.open_files > 0);
	assert_true(h.memory_free > 0);
	host_gather(&h, "/proc/self/task");
	assert_int_not_equal(h.state_error, 0);
}

static void findings_stay_one_line_and_bounded(void **state)
{
	struct findings *f = calloc(1, sizeof(*f));
	f->check = "x";
	finding_put(f, SEVERITY_DAMAGE, "a\nb", "one\r\ntwo \xff");
	assert_string_equal(f->list[0].sentence, "one  two \xff");
	assert_string_equal(f->list[0].mend, "a b");
	assert_ptr_equal(findings_damage(f), &f->list[0]);
	assert_int_equal(findings_count(f, SEVERITY_ERROR), 1);
	json_t *o = finding_json(&f->list[0]);
	assert_string_equal(json_string_value(json_object_get(o, "sentence")), "one  two ?");
	assert_string_equal(json_string_value(json_object_get(o, "severity")), "error");
	json_decref(o);
	for (unsigned i = 0; i < 2 * FINDINGS_MAX; i++)
		finding_put(f, SEVERITY_INFO, NULL, "%u", i);
	assert_int_equal(f->n, FINDINGS_MAX);
	free(f);
}

// What a link sends is looked for by name in the table of commands.
static void verbs_are_those_of_a_stream(void **state)
{
	static const char *const in[] = {"SET",	   "PUBLISH", "PFCOUNT", "FUNCTION LOAD",
					 "XGROUP CREATE", "SWAPDB"},
				 *const out[] = {"EVAL", "BLPOP", "XREADGROUP", "MIGRATE", "TTL",
						 "JSON.SET", "FUNCTION"};
	struct verb v;
	for (unsigned i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		assert_true(verb_at(verb_find(in[i]), &v));
		assert_int_equal(v.side, VERB_STREAM);
	}
	for (unsigned i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		assert_int_equal(verb_find(out[i]), VERBS_MAX);
	unsigned n = 0;
	while (verb_at(n, &v))
		n++;
	assert_true(n > command_row_count && n < VERBS_MAX); // a set holds them all
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_read_from_answers),
		cmocka_unit_test(only_the_database_of_the_url_counts),
		cmocka_unit_test(garbled_answers_stay_unknown),
		cmocka_unit_test(the_rate_is_of_the_stream_or_else_of_what_writes),
		cmocka_unit_test(answers_about_rights_are_understood),
		cmocka_unit_test(a_host_is_judged),
		cmocka_unit_test(this_host_is_looked_at),
		cmocka_unit_test(findings_stay_one_line_and_bounded),
		cmocka_unit_test(verbs_are_those_of_a_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
