// SPDX-License-Identifier: BSD-3-Clause
// progress_show() -> rates_update() -> line_format() | object_print()
#include "ctrl/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctrl/cli/figures.h"

static const unsigned intervals_ms[] = {
	[PROGRESS_LIVE] = 250, [PROGRESS_PLAIN] = 5000, [PROGRESS_JSON] = 1000};
#define RATE_WINDOW_MS 1000

void progress_init(struct progress *p, bool json, FILE *out, uint64_t interval_ms, uint64_t now_ms)
{
	memset(p, 0, sizeof(*p));
	p->out = out;
	p->style = json ? PROGRESS_JSON : isatty(fileno(out)) ? PROGRESS_LIVE : PROGRESS_PLAIN;
	p->interval_ms = interval_ms ? interval_ms : intervals_ms[p->style];
	p->started_ms = p->shown_ms = p->last.time_ms = now_ms;
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *z = json_string_value(json_object_get(o, key));
	return z ? z : "";
}

// A restarted dataplane counts from 0 again: that is no negative rate.
static double rate(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before ? (double)(now - before) * 1000.0 / (double)ms : 0;
}

static void rates_update(struct progress *p, const json_t *link, uint64_t now_ms)
{
	struct progress_sample now = {now_ms, number(link, "keys"), number(link, "bytes"),
				      number(link, "commands")};
	uint64_t ms = now_ms - p->last.time_ms;
	if (ms < RATE_WINDOW_MS && p->last.keys + p->last.bytes)
		return;
	ms = ms ? ms : 1;
	p->keys_s = rate(now.keys, p->last.keys, ms);
	p->bytes_s = rate(now.bytes, p->last.bytes, ms);
	p->commands_s = rate(now.commands, p->last.commands, ms);
	p->last = now;
}

static uint64_t eta_s(const struct progress *p, const json_t *link)
{
	const json_t *c = json_object_get(link, "counters");
	uint64_t all = number(c, "snapshot_total_bytes"), have = number(c, "snapshot_bytes");
	double left = all > have ? (double)(all - have) : 0, speed = p->bytes_s;
	if (!all) {
		all = number(c, "snapshot_total_keys");
		left = all > number(link, "keys") ? (double)(all - number(link, "keys")) : 0;
		speed = p->keys_s;
	}
	return left > 0 && speed > 0 ? (uint64_t)(left / speed) + 1 : 0;
}

static void snapshot_format(const struct progress *p, const json_t *link, FILE *out)
{
	char keys[24], keys_s[24], bytes_s[24];
	uint64_t eta = eta_s(p, link);
	fprintf(out, "snapshot %2llu%%  %s keys  %s keys/s  %s/s",
		(unsigned long long)p->percent,
		figure_count(number(link, "keys"), keys), figure_short(p->keys_s, keys_s),
		figure_bytes(p->bytes_s, bytes_s));
	if (eta)
		fprintf(out, "  ETA %llu:%02llu", (unsigned long long)eta / 60,
			(unsigned long long)eta % 60);
}

static void stream_format(const struct progress *p, const json_t *link, FILE *out)
{
	char commands[24], commands_s[24], bytes_s[24], lag[24];
	fprintf(out, "%s  %s commands  %s/s  %s/s  lag %s, %llu ms", text(link, "phase"),
		figure_count(number(link, "applied"), commands),
		figure_short(p->commands_s, commands_s), figure_bytes(p->bytes_s, bytes_s),
		figure_bytes((double)number(link, "lag_bytes"), lag),
		(unsigned long long)number(link, "lag_ms"));
	if (number(link, "parked"))
		fprintf(out, "  parked %llu", (unsigned long long)number(link, "parked"));
}

static void line_format(const struct progress *p, const json_t *link, FILE *out)
{
	const char *phase = text(link, "phase"), *waiting = text(link, "waiting");
	if (!strcmp(phase, "snapshot"))
		snapshot_format(p, link, out);
	else if (!strcmp(phase, "stream") || !strcmp(phase, "draining") || !strcmp(phase, "paused"))
		stream_format(p, link, out);
	else
		fprintf(out, "%s", phase);
	if (*waiting)
		fprintf(out, "  waiting for %s", waiting);
}

static unsigned terminal_width(const struct progress *p)
{
	struct winsize w;
	return ioctl(fileno(p->out), TIOCGWINSZ, &w) == 0 && w.ws_col > 10 ? w.ws_col : 80;
}

static void live_print(struct progress *p, const json_t *link)
{
	char line[512] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");
	if (!out)
		return;
	line_format(p, link, out);
	fclose(out);
	fprintf(p->out, "\r\033[K%.*s", (int)terminal_width(p) - 1, line);
	fflush(p->out);
	p->line_open = true;
}

static void plain_print(const struct progress *p, const json_t *link)
{
	line_format(p, link, p->out);
	fputc('\n', p->out);
	fflush(p->out);
}

// @param whole  the counters as well
static void object_print(const struct progress *p, const json_t *link, bool whole,
			 const char *result, json_t *error)
{
	json_t *o = link ? json_copy((json_t *)link) : json_pack("{s:s}", "phase", "failed");
	if (!whole) {
		json_object_del(o, "lanes");
		json_object_del(o, "counters");
	}
	if (link)
		json_object_set_new(o, "percent", json_integer((json_int_t)p->percent));
	if (result)
		json_object_set_new(o, "result", json_string(result));
	if (error)
		json_object_set(o, "error", error);
	json_dumpf(o, p->out, JSON_COMPACT);
	fputc('\n', p->out);
	fflush(p->out);
	json_decref(o);
}

// A source says how many keys a database has as it comes to it: what was a large part may become a
// smaller one. Within a snapshot the percentage waits until it is true again.
static void percent_update(struct progress *p, const json_t *link, bool changed)
{
	uint64_t now = number(link, "percent");
	if (changed || now > p->percent || strcmp(p->phase, "snapshot") != 0)
		p->percent = now;
}

void progress_show(struct progress *p, const json_t *link, uint64_t now_ms)
{
	const char *phase = text(link, "phase");
	bool changed = strcmp(phase, p->phase) != 0;
	percent_update(p, link, changed);
	if (!strcmp(phase, "done") || !strcmp(phase, "failed"))
		return; // progress_end() tells it, with the result
	rates_update(p, link, now_ms);
	if (!changed && now_ms - p->shown_ms < p->interval_ms)
		return;
	p->shown_ms = now_ms;
	snprintf(p->phase, sizeof(p->phase), "%s", phase);
	if (p->style == PROGRESS_JSON)
		object_print(p, link, false, NULL, NULL);
	else if (p->style == PROGRESS_LIVE)
		live_print(p, link);
	else
		plain_print(p, link);
}

void progress_clear(struct progress *p)
{
	if (p->line_open)
		fprintf(p->out, "\r\033[K");
	p->line_open = false;
	fflush(p->out);
}

static void summary_print(const struct progress *p, const json_t *link, uint64_t now_ms)
{
	char keys[24], commands[24], bytes[24];
	fprintf(p->out, "done: %s keys, %s commands applied, %llu parked, %s in %.1f s\n",
	       figure_count(number(link, "keys"), keys),
	       figure_count(number(link, "applied"), commands),
	       (unsigned long long)number(link, "parked"),
	       figure_bytes((double)number(link, "bytes"), bytes),
	       (double)(now_ms - p->started_ms) / 1000.0);
	unsigned long long unfit = (unsigned long long)number(link, "unfit");
	unsigned long long degraded = (unsigned long long)number(link, "degraded");
	if (unfit || degraded)
		printf("the target cannot hold all: %llu keys of the snapshot parked, %llu keys or "
		       "commands sent without a part\n",
		       unfit, degraded);
}

void progress_end(struct progress *p, const json_t *link, const char *result, json_t *error,
		  uint64_t now_ms)
{
	progress_clear(p);
	if (link)
		p->percent = number(link, "percent");
	if (p->style == PROGRESS_JSON)
		object_print(p, link, true, result, error);
	else if (link && !strcmp(result, "done"))
		summary_print(p, link, now_ms);
	fflush(p->out);
}
