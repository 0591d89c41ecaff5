// SPDX-License-Identifier: BSD-3-Clause
// `flyover check`: verb_check() -> request_read() -> rounds_run() -> check_run() -> result_print()
// | result_json()
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <jansson.h>

#include "ctrl/check/check.h"
#include "ctrl/cli/amount.h"
#include "ctrl/cli/escape.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/job.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/endpoint.h"
#include "parsers/noperm.h"

#define SHOW_DEFAULT      20
#define SHOW_MAX          1000000
#define TTL_SLACK_DEFAULT 1000
#define BIG_VALUE_DEFAULT (1u << 20)
#define INTERVAL_DEFAULT_MS 60000
#define DAY_MS            86400000
#define RATE_MAX          (1ull << 50)

struct live {
	bool on, open;
	uint64_t started_ms, shown_ms;
	int signal_fd;   // only where there are rounds, or repairs to be ended in good order
	bool asked_to_end;
	unsigned round;
};

static int mode_read(const char *text, enum check_mode *mode, struct failure *f)
{
	static const char *const words[] = {"full", "length", "keys", "ttl"};
	unsigned v = CHECK_FULL;
	int rc = choice_read(text, "mode", words, 4, &v, f);
	*mode = (enum check_mode)v;
	return rc;
}

static int request_read(const struct options *o, struct check_options *c, uint64_t *interval_ms,
			struct link_config *link, struct failure *f)
{
	uint64_t show = SHOW_DEFAULT;
	c->ttl_slack_ms = TTL_SLACK_DEFAULT;
	c->big_value = BIG_VALUE_DEFAULT;
	c->repair = o->repair || o->repair_extra;
	c->repair_extra = o->repair_extra;
	*interval_ms = INTERVAL_DEFAULT_MS;
	if (mode_read(o->mode, &c->mode, f) ||
	    amount_read(o->show, "show", AMOUNT_COUNT, SHOW_MAX, &show, f) ||
	    amount_read(o->ttl_slack, "ttl-slack", AMOUNT_TIME, DAY_MS, &c->ttl_slack_ms, f) ||
	    amount_read(o->interval, "interval", AMOUNT_TIME, DAY_MS, interval_ms, f) ||
	    amount_read(o->big_value, "big-value", AMOUNT_BYTES, 512u << 20, &c->big_value, f) ||
	    amount_read(o->max_keys_per_s, "max-keys-per-s", AMOUNT_COUNT, RATE_MAX,
			&c->keys_per_s, f) ||
	    amount_read(o->max_bytes_per_s, "max-bytes-per-s", AMOUNT_BYTES, RATE_MAX,
			&c->bytes_per_s, f))
		return -1;
	c->show = (unsigned)show;
	memset(link, 0, sizeof(*link));
	if (endpoint_set(&link->source, o->args[0], f)) {
		failure_prefix(f, "the source");
		return -1;
	}
	if (endpoint_set(&link->target, o->args[1], f)) {
		failure_prefix(f, "the target");
		return -1;
	}
	return job_credentials(o, link, f);
}

static void live_show(void *arg, int db, uint64_t keys)
{
	struct live *l = arg;
	uint64_t now = mono_ms(), ms = now - l->started_ms;
	char count[24], rate[24];
	if (!l->on || now - l->shown_ms < 250)
		return;
	l->shown_ms = now;
	l->open = true;
	printf("\r\033[Kchecking db%d  %s keys  %s keys/s", db, figure_count(keys, count),
	       figure_short((double)keys * 1000.0 / (double)(ms ? ms : 1), rate));
	fflush(stdout);
}

static bool is_equal(const struct check_result *r)
{
	return r->differences == r->repaired;
}

static const char *result_word(const struct check_result *r)
{
	return r->differences == 0 ? "equal" : is_equal(r) ? "repaired" : "different";
}

static void summary_print(const struct check_result *r)
{
	char keys[24], count[24];
	const char *comma = "";
	if (r->differences == 0) {
		printf("equal: %s keys in %u database%s\n", figure_count(r->keys, keys),
		       r->databases, r->databases == 1 ? "" : "s");
		return;
	}
	printf("different: %s of %s keys:", figure_count(r->differences, count),
	       figure_count(r->keys, keys));
	for (unsigned i = 1; i < DIFFERENCE_COUNT; i++) {
		if (!r->count[i])
			continue;
		printf("%s %s %s", comma, figure_count(r->count[i], count),
		       difference_word((enum difference)i));
		comma = ",";
	}
	putchar('\n');
}

static void repairs_print(const struct check_result *r)
{
	char count[24], word[NOPERM_WORD_LEN] = "";
	uint64_t left = r->differences - r->repaired;
	if (noperm_is(span_of(r->refused)))
		noperm_word(span_of(r->refused), word);
	printf("repaired: %s", figure_count(r->repaired, count));
	if (left)
		printf(", %s still different", figure_count(left, count));
	printf("%s%s", r->refused[0] ? ": " : "", r->refused);
	printf(word[0] ? "; it wants `ACL SETUSER ... %s`\n" : "%s\n", word);
}

static void result_print(const struct check_result *r, bool repairs)
{
	for (unsigned i = 0; i < r->n_found; i++) {
		const struct found *found = &r->found[i];
		char *key = escape_text(found->key, found->key_len);
		printf("db%d \"%s\" %s%s\n", found->db, key ? key : "?",
		       difference_sentence(found->difference),
		       found->repaired ? ": repaired" : "");
		free(key);
	}
	if (r->count[DIFF_FUNCTIONS])
		printf("%s\n", difference_sentence(DIFF_FUNCTIONS));
	if (r->differences > r->n_found + r->count[DIFF_FUNCTIONS])
		printf("(%llu more)\n", (unsigned long long)(r->differences - r->n_found -
							     r->count[DIFF_FUNCTIONS]));
	summary_print(r);
	if (repairs && r->differences)
		repairs_print(r);
}

static void result_json(const struct check_result *r, unsigned round, uint64_t ms)
{
	json_t *list = json_array();
	json_t *o = json_pack("{s:s, s:b, s:i, s:I, s:i, s:I, s:I, s:I, s:I}", "result",
			      result_word(r), "equal", is_equal(r), "round", (int)round, "keys",
			      (json_int_t)r->keys, "databases", (int)r->databases, "differences",
			      (json_int_t)r->differences, "repaired", (json_int_t)r->repaired,
			      "rechecked", (json_int_t)r->rechecked, "ms", (json_int_t)ms);
	for (unsigned i = 1; i < DIFFERENCE_COUNT; i++)
		json_object_set_new(o, difference_word((enum difference)i),
				    json_integer((json_int_t)r->count[i]));
	for (unsigned i = 0; i < r->n_found; i++) {
		const struct found *found = &r->found[i];
		char *key = escape_text(found->key, found->key_len);
		json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:b}", "db", found->db,
						      "key", key ? key : "", "reason",
						      difference_word(found->difference),
						      "repaired", found->repaired));
		free(key);
	}
	json_object_set_new(o, "found", list);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

// ---- Rounds -----------------------------------------------------------------------------------

static int signals_take(struct live *l)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signal_fd < 0 ? -1 : 0;
}

// @param ms  wait so long for a signal
static bool is_to_go_on(struct live *l, uint64_t ms)
{
	struct pollfd p = {.fd = l->signal_fd, .events = POLLIN};
	if (!l->asked_to_end && poll(&p, 1, (int)ms) > 0)
		l->asked_to_end = true;
	return !l->asked_to_end;
}

static bool go_on(void *arg)
{
	return is_to_go_on(arg, 0);
}

static int round_run(const struct options *o, const struct check_options *c,
		     const struct link_config *link, struct live *l, bool *equal,
		     struct failure *f)
{
	struct check_result r;
	l->started_ms = mono_ms();
	l->round++;
	*f = (struct failure){0};
	int rc = check_run(&link->source, &link->target, c, &r, f);
	if (l->open)
		printf("\r\033[K");
	l->open = false;
	if (rc == 0 && o->json)
		result_json(&r, l->round, mono_ms() - l->started_ms);
	else if (rc == 0)
		result_print(&r, c->repair);
	fflush(stdout);
	*equal = is_equal(&r);
	check_result_free(&r);
	return rc;
}

// A server that is away for a while does not end a watch that has begun.
static int rounds_run(const struct options *o, const struct check_options *c,
		      const struct link_config *link, struct live *l, uint64_t interval_ms,
		      bool *equal, struct failure *f)
{
	bool finished = false, now;
	do {
		int rc = round_run(o, c, link, l, &now, f);
		bool away = rc && error_row(f->id)->exit_code == 4;
		if (rc && l->asked_to_end && finished)
			break;
		if (rc && (!finished || !away))
			return -1;
		if (rc)
			fprintf(stderr, "flyover: %s; trying again\n", f->sentence);
		else
			*equal = now;
		finished = true;
	} while (o->continuous && is_to_go_on(l, interval_ms));
	*f = (struct failure){0};
	return 0;
}

int verb_check(const struct options *o, struct failure *f)
{
	struct live live = {.on = !o->json && isatty(STDOUT_FILENO), .signal_fd = -1};
	struct check_options c = {.progress = live_show, .arg = &live};
	struct link_config link;
	uint64_t interval_ms;
	bool equal = false;
	int rc = request_read(o, &c, &interval_ms, &link, f);
	if (rc == 0 && (o->continuous || c.repair)) {
		c.go_on = go_on;
		if (signals_take(&live))
			rc = failure_set(f, ERROR_INTERNAL, "no signal descriptor");
	}
	rc = rc ? rc : rounds_run(o, &c, &link, &live, interval_ms, &equal, f);
	explicit_bzero(&link, sizeof(link));
	if (live.signal_fd >= 0)
		close(live.signal_fd);
	if (rc == 0 && !equal) {
		f->id = ERROR_DIFFERENT; // it was told already
		f->sentence[0] = 0;
		rc = -1;
	}
	return rc;
}
