// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tcp/script.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Lines ------------------------------------------------------------------------------------

static bool time_read(const char *text, uint64_t before_ns, uint64_t *out, const char **end)
{
	bool is_relative = *text == '+';
	char *stop;
	double seconds = strtod(text + is_relative, &stop);
	if (stop == text + is_relative)
		return false;
	*out = (is_relative ? before_ns : 0) + (uint64_t)llround(seconds * 1e9);
	*end = stop;
	return true;
}

// "0.1", "+0.1", "+0.1~+0.2": both ends of a range count from the same line.
static bool times_read(struct script_line *line, uint64_t before_ns)
{
	const char *end;
	if (!time_read(line->words[0], before_ns, &line->from_ns, &end))
		return false;
	line->to_ns = line->from_ns;
	if (*end == '~')
		return time_read(end + 1, before_ns, &line->to_ns, &end) && !*end;
	return !*end;
}

static void words_cut(struct script_line *line)
{
	line->n = 0;
	memcpy(line->copy, line->text, sizeof(line->copy));
	char *comment = strchr(line->copy, '#');
	if (comment)
		*comment = 0;
	for (char *w = strtok(line->copy, " \t\n"); w && line->n < SCRIPT_WORDS_MAX;
	     w = strtok(NULL, " \t\n"))
		line->words[line->n++] = w;
}

int script_read(FILE *f, struct script_line *line, const struct script_line *before,
		const char **wrong)
{
	uint64_t before_ns = before && before->has_time ? before->from_ns : 0;
	line->number = before ? before->number : 0;
	do {
		if (!fgets(line->text, sizeof(line->text), f))
			return 0;
		line->number++;
		words_cut(line);
	} while (!line->n);
	line->text[strcspn(line->text, "\n")] = 0;
	line->has_time = strchr("+0123456789", line->words[0][0]) != NULL;
	*wrong = "a time such as 0.1, +0.1 or +0.1~+0.2";
	if (!line->has_time)
		return before && before->has_time ? -1 : 1;
	if (!times_read(line, before_ns))
		return -1;
	*wrong = "a time that is not before the last one";
	if (line->from_ns < before_ns || line->to_ns < line->from_ns)
		return -1;
	line->n--;
	memmove(line->words, line->words + 1, line->n * sizeof(line->words[0]));
	*wrong = "a time, and what happens then";
	return line->n ? 1 : -1;
}

bool script_number(const char *text, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {
		{"", 1},           {"ns", 1},       {"us", 1000},    {"ms", 1000000},
		{"s", 1000000000}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30},
	};
	char *end;
	if (!strcmp(text, "yes") || !strcmp(text, "no")) {
		*out = text[0] == 'y';
		return true;
	}
	double v = strtod(text, &end);
	if (end == text)
		return false;
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit)) {
			*out = (uint64_t)(v * (double)units[i].factor + 0.5);
			return true;
		}
	return false;
}

// ---- Segments ---------------------------------------------------------------------------------

static bool flags_read(const char *word, uint8_t *flags)
{
	static const char letters[] = "FSRP.UEW";
	for (*flags = 0; *word && strcmp(word, "-"); word++) {
		const char *at = strchr(letters, *word);
		if (!at)
			return false;
		*flags |= (uint8_t)(1 << (at - letters));
	}
	return true;
}

// "1:1001"
static bool range_read(const char *word, uint32_t *from, uint32_t *to)
{
	char *end;
	*from = (uint32_t)strtoll(word, &end, 10);
	if (end == word || *end != ':')
		return false;
	word = end + 1;
	*to = (uint32_t)strtoll(word, &end, 10);
	return end != word && !*end;
}

// The words between < and >, without these and commas.
struct option_words {
	char copy[256];
	unsigned n, at;
	const char *words[32];
};

static const char *option_next(struct option_words *w)
{
	return w->at < w->n ? w->words[w->at++] : "";
}

static bool time_option_read(struct option_words *w, struct script_segment *s)
{
	const char *val, *ecr;
	if (strcmp(option_next(w), "val"))
		return false;
	val = option_next(w);
	if (strcmp(option_next(w), "ecr"))
		return false;
	ecr = option_next(w);
	s->any_val = !strcmp(val, "*");
	s->any_ecr = !strcmp(ecr, "*");
	s->options.ts_val = (uint32_t)strtoul(val, NULL, 10);
	s->options.ts_ecr = (uint32_t)strtoul(ecr, NULL, 10);
	s->options.has |= TCP_HAS_TIME;
	s->has_time_words = true;
	return *val && *ecr;
}

static bool sack_option_read(struct option_words *w, struct script_segment *s)
{
	struct tcp_options *o = &s->options;
	while (w->at < w->n && strchr("0123456789", w->words[w->at][0])) {
		struct tcp_range *r = &o->sack[o->n_sack];
		if (o->n_sack == TCP_SACK_MAX || !range_read(option_next(w), &r->from.v, &r->to.v))
			return false;
		o->n_sack++;
	}
	return o->n_sack > 0;
}

static bool option_read(struct option_words *w, struct script_segment *s)
{
	const char *word = option_next(w);
	struct tcp_options *o = &s->options;
	if (!strcmp(word, "mss")) {
		o->has |= TCP_HAS_MSS;
		o->mss = (uint16_t)atoi(option_next(w));
	} else if (!strcmp(word, "wscale")) {
		o->has |= TCP_HAS_SCALE;
		o->scale = (uint8_t)atoi(option_next(w));
	} else if (!strcmp(word, "sackOK")) {
		o->has |= TCP_HAS_SACK_OK;
	} else if (!strcmp(word, "nots")) {
		s->no_time = true;
	} else if (!strcmp(word, "TS")) {
		return time_option_read(w, s);
	} else if (!strcmp(word, "sack")) {
		return sack_option_read(w, s);
	} else {
		return false;
	}
	return true;
}

static bool options_read(const struct script_line *line, unsigned at, struct script_segment *s)
{
	struct option_words w = {.n = 0};
	size_t used = 0;
	for (; at < line->n; at++)
		used += (size_t)snprintf(w.copy + used, sizeof(w.copy) - used, "%s ",
					 line->words[at]);
	size_t len = strlen(w.copy);
	if (len < 3 || w.copy[0] != '<' || w.copy[len - 2] != '>')
		return false;
	w.copy[len - 2] = 0;
	for (char *x = strtok(w.copy + 1, " ,"); x && w.n < 32; x = strtok(NULL, " ,"))
		w.words[w.n++] = x;
	s->has_options = true;
	while (w.at < w.n)
		if (!option_read(&w, s))
			return false;
	return true;
}

const char *script_segment_read(const struct script_line *line, unsigned at,
				struct script_segment *out)
{
	uint32_t end;
	*out = (struct script_segment){0};
	if (at >= line->n || !flags_read(line->words[at++], &out->flags))
		return "flags of S F R P . U E W, or -";
	if (at >= line->n || !range_read(line->words[at++], &out->seq, &end))
		return "sequence numbers such as 1:1001";
	out->len = end - out->seq;
	if (out->len > 65535)
		return "a length of 65535 at most";
	while (at + 1 < line->n && line->words[at][0] != '<') {
		uint32_t v = (uint32_t)strtoll(line->words[at + 1], NULL, 10);
		if (!strcmp(line->words[at], "ack")) {
			out->has_ack = true;
			out->ack = v;
		} else if (!strcmp(line->words[at], "win")) {
			out->has_window = true;
			out->window = (uint16_t)v;
		} else {
			return "ack N, win N or <options>";
		}
		at += 2;
	}
	if (at < line->n && !options_read(line, at, out))
		return "options: <mss N, wscale N, sackOK, TS val N ecr N, sack A:B, nots>";
	return NULL;
}
