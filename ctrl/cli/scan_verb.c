// SPDX-License-Identifier: BSD-3-Clause
// `flyover scan`: verb_scan() -> request_read() -> scan_run() -> told by shown_update(), end_show()
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <jansson.h>
#include <xxhash.h>

#include "ctrl/cli/amount.h"
#include "ctrl/cli/figures.h"
#include "ctrl/cli/job.h"
#include "ctrl/cli/private_daemon.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/endpoint.h"
#include "ctrl/scan/scan.h"
#include "parsers/noperm.h"

#define BIG_VALUE_DEFAULT (1u << 20)
#define WAIT_DEFAULT_MS   60000
#define RATE_MAX          (1ull << 50)

struct shown {
	bool json, live, open; // open: a live line stands without its end
	int signal_fd;
	unsigned n_signals;
	uint64_t started_ms, shown_ms;
	uint64_t rate_ms, rate_keys, rate_bytes; // as of about a second ago
	double keys_s, bytes_s;
	char phase[16];
};

// ---- The request ------------------------------------------------------------------------------

static int extra_keys_read(const char *text, enum setting_extra_keys *out, struct failure *f)
{
	static const char *const words[] = {"auto", "delete", "keep"};
	unsigned v = *out;
	int rc = choice_read(text, "extra-keys", words, 3, &v, f);
	*out = (enum setting_extra_keys)v;
	return rc;
}

// The same source and target find the same state, and clear away what a former run left half done.
static int names_derive(const struct options *o, const struct link_config *link,
			struct scan_options *s, char *dir, size_t dir_len, struct failure *f)
{
	char source[ENDPOINT_TEXT_LEN], target[ENDPOINT_TEXT_LEN], name[64];
	endpoint_text(&link->source, source);
	endpoint_text(&link->target, target);
	uint64_t id = XXH3_64bits_withSeed(target, strlen(target),
					   XXH3_64bits(source, strlen(source)));
	snprintf(s->copy.temporary, sizeof(s->copy.temporary), "__flyover:scan:%012llx",
		 (unsigned long long)(id >> 16));
	snprintf(name, sizeof(name), "scan-%012llx", (unsigned long long)(id >> 16));
	s->state_dir = o->state_dir ? o->state_dir : dir;
	return o->state_dir ? 0 : private_state_dir(name, dir, dir_len, f);
}

static int request_read(const struct options *o, struct scan_options *s, struct link_config *link,
			char *dir, size_t dir_len, struct failure *f)
{
	uint64_t wait_ms = WAIT_DEFAULT_MS;
	s->copy.big_value = BIG_VALUE_DEFAULT;
	s->copy.by_type = o->by_type;
	s->copy.keep_idle = o->keep_idle;
	s->follow = o->follow;
	s->trust_notifications = o->trust_notifications;
	if (amount_read(o->max_keys_per_s, "max-keys-per-s", AMOUNT_COUNT, RATE_MAX,
			&s->copy.keys_per_s, f) ||
	    amount_read(o->max_bytes_per_s, "max-bytes-per-s", AMOUNT_BYTES, RATE_MAX,
			&s->copy.bytes_per_s, f) ||
	    amount_read(o->big_value, "big-value", AMOUNT_BYTES, 512u << 20, &s->copy.big_value,
			f) ||
	    amount_read(o->wait_timeout, "wait-timeout", AMOUNT_TIME, 86400000, &wait_ms, f) ||
	    extra_keys_read(o->extra_keys, &s->extra_keys, f))
		return -1;
	s->wait_ms = s->copy.wait_ms = (unsigned)wait_ms;
	memset(link, 0, sizeof(*link));
	if (endpoint_set(&link->source, o->args[0], f)) {
		failure_prefix(f, "the source");
		return -1;
	}
	if (endpoint_set(&link->target, o->args[1], f)) {
		failure_prefix(f, "the target");
		return -1;
	}
	return job_credentials(o, link, f) || names_derive(o, link, s, dir, dir_len, f) ? -1 : 0;
}

// ---- Signals ----------------------------------------------------------------------------------

static int signals_take(struct shown *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? -1 : 0;
}

static void signals_read(struct shown *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
		s->n_signals++;
}

// The first one ends in good order, the second one at once.
static bool until_first_signal(void *arg)
{
	struct shown *s = arg;
	signals_read(s);
	return s->n_signals < 1;
}

static bool until_second_signal(void *arg)
{
	struct shown *s = arg;
	signals_read(s);
	return s->n_signals < 2;
}

// ---- What people see --------------------------------------------------------------------------

static void rates_update(struct shown *s, const struct scan_progress *p, uint64_t now)
{
	uint64_t ms = now - s->rate_ms;
	if (ms < 1000 && s->rate_keys)
		return;
	ms = ms ? ms : 1;
	s->keys_s = (double)(p->counts.keys - s->rate_keys) * 1000.0 / (double)ms;
	s->bytes_s = (double)(p->counts.bytes - s->rate_bytes) * 1000.0 / (double)ms;
	s->rate_ms = now;
	s->rate_keys = p->counts.keys;
	s->rate_bytes = p->counts.bytes;
}

static unsigned percent_of(const struct scan_progress *p)
{
	if (p->following || p->keys_total == 0 || !strcmp(p->phase, "done"))
		return 100;
	uint64_t percent = p->keys_seen * 100 / p->keys_total;
	return percent > 99 ? 99 : (unsigned)percent;
}

static void line_print(const struct shown *s, const struct scan_progress *p)
{
	char keys[24], keys_s[24], bytes_s[24], queued[24];
	if (p->following)
		printf("%s  %s keys copied  %s events  %s waiting", p->phase,
		       figure_count(p->counts.keys, keys), figure_count(p->events, keys_s),
		       figure_count(p->queued, queued));
	else
		printf("scan %2u%%  %s keys  %s keys/s  %s/s", percent_of(p),
		       figure_count(p->counts.keys, keys), figure_short(s->keys_s, keys_s),
		       figure_bytes(s->bytes_s, bytes_s));
	if (!p->following && s->keys_s > 0 && p->keys_total > p->keys_seen) {
		unsigned long long eta =
			(unsigned long long)((double)(p->keys_total - p->keys_seen) / s->keys_s);
		printf("  ETA %llu:%02llu", eta / 60, eta % 60);
	}
	if (p->waiting[0])
		printf("  waiting: %.60s", p->waiting);
}

static json_t *object_of(const struct scan_progress *p)
{
	const struct copy_counts *c = &p->counts;
	return json_pack(
		"{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:i, s:b, s:s}",
		"phase", p->phase, "percent", (int)percent_of(p), "db", p->db, "keys",
		(json_int_t)c->keys, "keys_total", (json_int_t)p->keys_total, "bytes",
		(json_int_t)c->bytes, "gone", (json_int_t)c->gone, "refused",
		(json_int_t)c->refused, "by_type", (json_int_t)c->by_type, "rebuilt",
		(json_int_t)c->rebuilt, "again", (json_int_t)c->again, "unsteady",
		(json_int_t)c->unsteady, "pending_lost", (json_int_t)c->pending_lost,
		"field_ttls_lost", (json_int_t)c->field_ttls_lost, "events",
		(json_int_t)p->events, "queued", (json_int_t)p->queued, "connects",
		(json_int_t)p->connects, "passes", (int)p->passes, "resumed", p->resumed,
		"waiting", p->waiting);
}

static void object_print(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void shown_update(void *arg, const struct scan_progress *p)
{
	struct shown *s = arg;
	uint64_t now = mono_ms(), every = s->json ? 1000 : s->live ? 250 : 5000;
	rates_update(s, p, now);
	if (!strcmp(s->phase, p->phase) && now - s->shown_ms < every)
		return;
	snprintf(s->phase, sizeof(s->phase), "%s", p->phase);
	s->shown_ms = now;
	if (s->json) {
		object_print(object_of(p));
		return;
	}
	if (s->live)
		printf("\r\033[K");
	line_print(s, p);
	if (!s->live)
		putchar('\n');
	s->open = s->live;
	fflush(stdout);
}

static void line_close(struct shown *s)
{
	if (s->open)
		printf("\r\033[K");
	s->open = false;
	fflush(stdout);
}

static void note_print(void *arg, const char *sentence)
{
	struct shown *s = arg;
	line_close(s);
	if (s->json)
		object_print(json_pack("{s:s, s:s}", "phase", s->phase[0] ? s->phase : "connecting",
				       "note", sentence));
	else
		printf("%s\n", sentence);
	fflush(stdout);
}

static void some_print(uint64_t n, const char *sentence)
{
	char count[24];
	if (n)
		printf("%s %s\n", figure_count(n, count), sentence);
}

static void summary_print(const struct shown *s, const struct scan_progress *p)
{
	const struct copy_counts *c = &p->counts;
	char keys[24], bytes[24], gone[24];
	printf("done: %s keys copied, %s gone meanwhile and deleted, %s in %.1f s\n",
	       figure_count(c->keys, keys), figure_count(c->gone, gone),
	       figure_bytes((double)c->bytes, bytes),
	       (double)(mono_ms() - s->started_ms) / 1000.0);
	some_print(c->unsteady, "big values changed all the while they were read: see "
				"`flyover check --repair`");
	some_print(c->pending_lost, "pending entries of consumer groups cannot be expressed by "
				    "commands");
	some_print(c->field_ttls_lost, "expiries of hash fields: the target knows none");
	if (c->refused)
		some_print(c->refused, p->refused[0] ? "keys were refused; the first:" :
						       "keys were refused");
	if (c->refused)
		printf("  %s\n", p->refused);
}

static void end_show(struct shown *s, struct scan_progress *p, int rc, const struct failure *f)
{
	line_close(s);
	p->phase = rc ? "failed" : "done";
	p->waiting = "";
	if (s->json) {
		json_t *o = object_of(p);
		json_object_set_new(o, "result", json_string(p->phase));
		if (p->refused[0])
			json_object_set_new(o, "first_refusal", json_string(p->refused));
		if (rc)
			json_object_set_new(o, "error",
					    json_pack("{s:s, s:s}", "name", error_row(f->id)->name,
						      "sentence", f->sentence));
		object_print(o);
	} else if (rc == 0) {
		summary_print(s, p);
	}
	fflush(stdout);
}

// What was refused for good makes the job a failed one, after all of it was said.
static int refusals_judge(const struct scan_progress *p, struct failure *f)
{
	char word[NOPERM_WORD_LEN];
	unsigned long long n = (unsigned long long)p->counts.refused;
	if (n == 0)
		return 0;
	if (noperm_is(span_of(p->refused)) && noperm_word(span_of(p->refused), word))
		return failure_set(f, ERROR_NOPERM,
				   "%llu keys could not be copied: %s; it wants `ACL SETUSER ... "
				   "%s`, see `flyover help rights scan`",
				   n, p->refused, word);
	return failure_set(f, ERROR_TARGET_REFUSES, "%llu keys could not be copied: %s", n,
			   p->refused);
}

int verb_scan(const struct options *o, struct failure *f)
{
	char dir[4096];
	struct shown shown = {.json = o->json,
			      .live = !o->json && isatty(STDOUT_FILENO),
			      .started_ms = mono_ms(),
			      .rate_ms = mono_ms(),
			      .signal_fd = -1};
	struct scan_options s = {.progress = shown_update,
				 .note = note_print,
				 .go_on = until_first_signal,
				 .arg = &shown,
				 .copy = {.go_on = until_second_signal, .go_on_arg = &shown}};
	struct scan_progress p = {.phase = "connecting", .waiting = ""};
	struct link_config link;
	int rc = request_read(o, &s, &link, dir, sizeof(dir), f);
	if (rc == 0 && signals_take(&shown))
		rc = failure_set(f, ERROR_INTERNAL, "no signal descriptor");
	bool ran = rc == 0;
	rc = rc ? rc : scan_run(&link.source, &link.target, &s, &p, f);
	rc = rc ? rc : refusals_judge(&p, f);
	explicit_bzero(&link, sizeof(link));
	if (ran)
		end_show(&shown, &p, rc, f);
	if (shown.signal_fd >= 0)
		close(shown.signal_fd);
	return rc;
}
