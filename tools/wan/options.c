// SPDX-License-Identifier: BSD-3-Clause
// options_read() -> a row of `options` -> its reader, for one direction or both
#include "tools/wan/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wan/units.h"

#define EXIT_USAGE 2
#define TEXT_MAX   128

static const char *const usage =
	"wan - a long, lossy link between two interfaces, in real time\n"
	"\n"
	"  wan --a PORT --b PORT [OPTIONS]\n"
	"\n"
	"A PORT is tap:NAME (a TAP device, made if it is not there; move its kernel side to any\n"
	"namespace) or dev:NAME (an interface of this host, such as a veth; first turn off what\n"
	"makes frames longer than the link: ethtool -K NAME tx off gro off on both of its ends).\n"
	"\n"
	"What the link does, in this order. It holds both ways; after --a-to-b or --b-to-a only\n"
	"that way, after --both again both:\n";

static const char *const usage_end =
	"\n"
	"Rates: 10gbit, 2.5mbit. Sizes: 12.5MB, 64KiB. Times: 50ms, 200us, 1s. Chances: 1e-4, 1%.\n"
	"Rates count what an Ethernet carries: the frame and 24 bytes.\n"
	"\n"
	"  --seed N          draw other losses (1)\n"
	"  --for TIME        end after so long; else at SIGINT or SIGTERM\n"
	"  --spin            never sleep: exact to a microsecond, takes a core\n"
	"  --quiet           say nothing but the sum at the end\n"
	"\n"
	"Prints each second what went in and out and what was dropped where. Example:\n"
	"\n"
	"  wan --a tap:a0 --b tap:b0 --rate 1gbit --delay 50ms --queue 12.5MB --loss 1e-4\n";

// "X:Y", the second part and its colon may be left out.
static bool split(const char *text, char first[TEXT_MAX], const char **second)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len >= TEXT_MAX)
		return false;
	memcpy(first, text, len);
	first[len] = 0;
	*second = colon ? colon + 1 : NULL;
	return true;
}

static bool read_count(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	*out = strtoull(text, &end, 10);
	return end != text && !*end && text[0] != '-' && *out <= most;
}

static bool read_down(struct wire_settings *w, const char *text)
{
	char from[TEXT_MAX];
	const char *len;
	uint64_t from_ns, len_ns;

	if (w->n_downs == WIRE_DOWNS_MAX || !split(text, from, &len) || !len ||
	    !units_time(from, &from_ns) || !units_time(len, &len_ns))
		return false;
	w->downs[w->n_downs].from_ns = from_ns;
	w->downs[w->n_downs++].to_ns = from_ns + len_ns;
	return true;
}

static bool read_mtu(struct wire_settings *w, const char *text)
{
	uint64_t mtu;

	if (!read_count(text, 65535, &mtu))
		return false;
	w->path.mtu = (uint16_t)mtu;
	return true;
}

static bool read_loss(struct wire_settings *w, const char *text)
{
	return units_chance(text, &w->loss);
}

static bool read_burst(struct wire_settings *w, const char *text)
{
	char enter[TEXT_MAX];
	const char *leave;

	w->burst_loss_bad = 1;
	return split(text, enter, &leave) && leave && units_chance(enter, &w->burst_enter) &&
	       units_chance(leave, &w->burst_leave);
}

static bool read_every(struct wire_settings *w, const char *text)
{
	return read_count(text, UINT64_MAX, &w->lose_every);
}

static bool read_rate(struct wire_settings *w, const char *text)
{
	return units_rate(text, &w->path.rate);
}

static bool read_queue(struct wire_settings *w, const char *text)
{
	static const char *const kinds[] = {
		[WIRE_DROP_TAIL] = "tail", [WIRE_RED] = "red", [WIRE_CODEL] = "codel"};
	char size[TEXT_MAX];
	const char *kind;

	if (!split(text, size, &kind) || !units_size(size, &w->queue_max))
		return false;
	for (unsigned i = 0; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i])) {
			w->queue = (enum wire_queue)i;
			return true;
		}
	return !kind;
}

static bool read_police(struct wire_settings *w, const char *text)
{
	char rate[TEXT_MAX];
	const char *burst;

	return split(text, rate, &burst) && burst && units_rate(rate, &w->police_rate) &&
	       units_size(burst, &w->police_burst);
}

static bool read_delay(struct wire_settings *w, const char *text)
{
	return units_time(text, &w->path.delay_ns);
}

static bool read_jitter(struct wire_settings *w, const char *text)
{
	char time[TEXT_MAX];
	const char *how;

	if (!split(text, time, &how) || !units_time(time, &w->jitter_ns))
		return false;
	w->jitter_reorders = how && !strcmp(how, "reorders");
	return !how || w->jitter_reorders;
}

static bool read_reorder(struct wire_settings *w, const char *text)
{
	char chance[TEXT_MAX];
	const char *by;
	uint64_t n;

	if (!split(text, chance, &by) || !by || !units_chance(chance, &w->reorder))
		return false;
	w->reorder_by = 0;
	w->reorder_ns = 0;
	if (read_count(by, 1000, &n) && n) {
		w->reorder_by = (unsigned)n;
		return true;
	}
	return units_time(by, &w->reorder_ns);
}

static bool read_duplicate(struct wire_settings *w, const char *text)
{
	return units_chance(text, &w->duplicate);
}

static bool read_corrupt(struct wire_settings *w, const char *text)
{
	return units_chance(text, &w->corrupt);
}

static bool read_bunch(struct wire_settings *w, const char *text)
{
	return units_time(text, &w->bunch_ns);
}

static const struct row {
	const char *name, *value, *help;
	bool (*read)(struct wire_settings *w, const char *text);
} rows[] = {
	{"--down", "FROM:FOR", "takes nothing for a time, counted from the start", read_down},
	{"--mtu", "N", "drops longer IP packets, and tells nobody", read_mtu},
	{"--loss", "P", "loses frames at random", read_loss},
	{"--burst-loss", "P:Q", "begins to lose all with chance P a frame, ends with Q",
	 read_burst},
	{"--lose-every", "N", "loses each N-th frame", read_every},
	{"--rate", "RATE", "how fast it is (without limit)", read_rate},
	{"--queue", "SIZE[:KIND]", "most that waits for the rate (no limit); tail, red, codel",
	 read_queue},
	{"--police", "RATE:SIZE", "drops what is over RATE and a burst of SIZE", read_police},
	{"--delay", "TIME", "one way", read_delay},
	{"--jitter", "TIME[:reorders]", "up to so much more, in order if not said otherwise",
	 read_jitter},
	{"--reorder", "P:TIME|P:N", "frames come late by a time, or behind N others", read_reorder},
	{"--duplicate", "P", "frames come twice", read_duplicate},
	{"--corrupt", "P", "one bit is turned", read_corrupt},
	{"--bunch", "TIME", "lets frames out only each so long", read_bunch},
};

static int help(void)
{
	fputs(usage, stdout);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("  %-13s %-16s %s\n", rows[i].name, rows[i].value, rows[i].help);
	fputs(usage_end, stdout);
	return 0;
}

static int refuse(const char *what, const char *word)
{
	fprintf(stderr, "wan: %s: %s; see wan --help\n", word, what);
	return EXIT_USAGE;
}

// @return the words used, 0: none of these
static int read_plain(struct options *o, bool on[2], const char *word, const char *value, bool *bad)
{
	if (!strcmp(word, "--both") || !strcmp(word, "--a-to-b") || !strcmp(word, "--b-to-a")) {
		on[0] = strcmp(word, "--b-to-a") != 0;
		on[1] = strcmp(word, "--a-to-b") != 0;
		return 1;
	}
	if (!strcmp(word, "--spin") || !strcmp(word, "--quiet")) {
		*(word[2] == 's' ? &o->spins : &o->is_quiet) = true;
		return 1;
	}
	if (!strcmp(word, "--a") || !strcmp(word, "--b"))
		o->ports[word[2] - 'a'] = value;
	else if (!strcmp(word, "--seed"))
		*bad = !value || !read_count(value, UINT64_MAX, &o->seed);
	else if (!strcmp(word, "--for"))
		*bad = !value || !units_time(value, &o->for_ns);
	else
		return 0;
	*bad |= !value;
	return 2;
}

static int read_row(struct options *o, const bool on[2], const char *word, const char *value,
		    bool *bad)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(word, rows[i].name) != 0)
			continue;
		for (unsigned way = 0; way < 2; way++)
			if (on[way] && (!value || !rows[i].read(&o->wire[way], value)))
				*bad = true;
		return 2;
	}
	return 0;
}

int options_read(int argc, char **argv, struct options *o)
{
	bool on[2] = {true, true};

	*o = (struct options){.seed = 1};
	for (int i = 1; i < argc;) {
		const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool bad = false;
		if (!strcmp(word, "--help") || !strcmp(word, "-h"))
			return help();
		int used = read_plain(o, on, word, value, &bad);
		if (!used)
			used = read_row(o, on, word, value, &bad);
		if (!used)
			return refuse("no such option", word);
		if (bad)
			return refuse(value ? value : "wants a value", word);
		i += used;
	}
	if (!o->ports[0] || !o->ports[1])
		return refuse("two ports are wanted", "--a, --b");
	return -1;
}
