// SPDX-License-Identifier: BSD-3-Clause
// options_read() -> a row of `rows`, or one of the network -> its reader
#include "tools/pktgen/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wan/units.h"

#define EXIT_USAGE 2
#define BLOCK_MAX  (1ull << 31) // bytes

static const char *const usage =
	"pktgen - Redis sources and a target at the speed of memory, over our own TCP on a device\n"
	"\n"
	"  pktgen --nic=DEVICE --addr=CIDR [OPTIONS]\n"
	"\n"
	"Sources answer PSYNC with an empty snapshot and a stream that was made in advance; the\n"
	"target answers as a server does, keeps nothing but markers, and counts. So what stands\n"
	"between them, a flyover, is what limits. One thread, one queue of the device.\n"
	"\n"
	"The device and the network:\n";

static const char *const usage_end =
	"\n"
	"Prints each second what was sent and applied and how busy it was, and the sum at the "
	"end,\n"
	"at SIGINT or SIGTERM. Exits 1 if --check found something, 4 if there is no device.\n"
	"\n"
	"Two processes joined by memory, without a right, each on a core of its own:\n"
	"\n"
	"  pktgen --nic=net_memif0,role=server,socket=/tmp/m,socket-abstract=no \\\n"
	"         --addr=10.98.0.1/24 --idle=spin\n"
	"  flyover sync redis://10.98.0.1:6379 redis://10.98.0.1:6400 --preflight=no --net=dpdk "
	"\\\n"
	"         --nic=net_memif0,role=client,socket=/tmp/m,socket-abstract=no \\\n"
	"         --addr=10.98.0.2/24 --idle=spin\n";

// ---- Readers

static bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;
	*out = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && *out >= least && *out <= most;
}

static bool number32_read(const char *text, uint32_t least, uint32_t *out)
{
	uint64_t n;
	bool ok = number_read(text, least, UINT32_MAX, &n);
	*out = (uint32_t)n;
	return ok;
}

static bool read_flows(struct options *o, const char *text)
{
	return number_read(text, 1, SERVERS_MAX - 1, &o->flows);
}

static bool read_source_port(struct options *o, const char *text)
{
	return number_read(text, 1, 65535, &o->source_port);
}

static bool read_target_port(struct options *o, const char *text)
{
	return number_read(text, 1, 65535, &o->target_port);
}

static bool read_commands(struct options *o, const char *text)
{
	return number_read(text, 1, UINT64_MAX >> 20, &o->block.n_total);
}

static bool read_block(struct options *o, const char *text)
{
	return number32_read(text, 1, &o->block.n_commands);
}

static bool read_keys(struct options *o, const char *text)
{
	return number32_read(text, 1, &o->block.n_keys);
}

static bool read_seed(struct options *o, const char *text)
{
	return number_read(text, 0, UINT64_MAX, &o->block.seed);
}

static bool read_for(struct options *o, const char *text)
{
	return units_time(text, &o->for_ns) && o->for_ns;
}

static bool read_interval(struct options *o, const char *text)
{
	return units_time(text, &o->interval_ns) && o->interval_ns;
}

// "64" or "16-1KB"
static bool read_value(struct options *o, const char *text)
{
	char first[32];
	size_t len = strcspn(text, "-");
	uint64_t min, max;
	if (len >= sizeof(first))
		return false;
	memcpy(first, text, len);
	first[len] = 0;
	if (!units_size(first, &min) || !units_size(text[len] ? text + len + 1 : text, &max))
		return false;
	o->block.value_min = (uint32_t)min;
	o->block.value_max = (uint32_t)max;
	return min <= max && max <= BLOCK_MAX;
}

// "set=8"
static bool part_read(struct options *o, const char *text, size_t len)
{
	for (unsigned i = 0; i < N_MIX; i++) {
		size_t name = strlen(mix_names[i]);
		if (len <= name + 1 || len > name + 7 || memcmp(text, mix_names[i], name) ||
		    text[name] != '=')
			continue;
		char number[8] = "";
		uint64_t n;
		memcpy(number, text + name + 1, len - name - 1);
		if (!number_read(number, 0, 100000, &n))
			return false;
		o->block.parts[i] = (unsigned)n;
		return true;
	}
	return false;
}

static bool read_ahead(struct options *o, const char *text)
{
	return number_read(text, 0, UINT64_MAX, &o->ahead);
}

static bool read_mix(struct options *o, const char *text)
{
	unsigned sum = 0;
	memset(o->block.parts, 0, sizeof(o->block.parts));
	for (;;) {
		size_t len = strcspn(text, ",");
		if (!part_read(o, text, len))
			return false;
		if (!text[len])
			break;
		text += len + 1;
	}
	for (unsigned i = 0; i < N_MIX; i++)
		sum += o->block.parts[i];
	return sum > 0;
}

static bool read_check(struct options *o, const char *text)
{
	return o->check = true;
}

static bool read_json(struct options *o, const char *text)
{
	return o->json = true;
}

static const struct row {
	const char *name, *value, *help; // value NULL: a flag
	bool (*read)(struct options *o, const char *text);
} rows[] = {
	{"source-port", "N", "of the first source (6379); others on the ports behind it",
	 read_source_port},
	{"flows", "N", "sources, at most 15 (1)", read_flows},
	{"target-port", "N", "of the target (6400)", read_target_port},
	{"commands", "N", "of each stream, then PINGs (without end)", read_commands},
	{"ahead", "N", "about how many are sent and not yet applied (100000); 0: any number",
	 read_ahead},
	{"mix", "VERB=PARTS,..", "what streams are made of (set=1), see below", read_mix},
	{"value", "SIZE[-SIZE]", "length of values (64)", read_value},
	{"keys", "N", "distinct keys of each kind, at most (1000000)", read_keys},
	{"block", "N", "commands made in advance, said over and over (65536)", read_block},
	{"seed", "N", "draw other commands (1)", read_seed},
	{"for", "TIME", "end after so long, such as 10s; else at a signal", read_for},
	{"interval", "TIME", "between two lines of figures (1s)", read_interval},
	{"check", NULL, "that each command arrives once, unchanged, and no marker goes back",
	 read_check},
	{"json", NULL, "print JSON, one object a line", read_json},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

// ---- The command line

static int help(void)
{
	unsigned n;
	const struct network_row *network = network_rows(&n);
	char left[64];
	fputs(usage, stdout);
	for (unsigned i = 0; i < n; i++) {
		snprintf(left, sizeof(left), "--%s=%s", network[i].name, network[i].arg);
		printf("  %-24s %s\n", left, network[i].help);
	}
	printf("\nWhat is said to whom:\n");
	for (unsigned i = 0; i < N_ROWS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].value ? "=" : "",
			 rows[i].value ? rows[i].value : "");
		printf("  %-24s %s\n", left, rows[i].help);
	}
	printf("\nVerbs of --mix:\n");
	for (unsigned i = 0; i < N_MIX; i++)
		printf("  %-24s %s\n", mix_names[i], mix_helps[i]);
	fputs(usage_end, stdout);
	return 0;
}

static int refuse(const char *word, const char *what)
{
	fprintf(stderr, "pktgen: %s: %s; see pktgen --help\n", word, what);
	return EXIT_USAGE;
}

static int row_read(struct options *o, const struct row *row, const char *value)
{
	if (row->value && !value)
		return refuse(row->name, "wants a value");
	if (!row->value && value)
		return refuse(row->name, "takes no value");
	if (!row->read(o, value))
		return refuse(row->name, value);
	return -1;
}

// "--name=value" or "--name value". @return -1, or the exit code
static int word_read(struct options *o, struct network_texts *texts, int argc, char **argv, int *i)
{
	char name[32], why[200];
	const char *word = argv[*i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	if (strncmp(word, "--", 2) != 0 || len - 2 >= sizeof(name))
		return refuse(word, "no such option");
	memcpy(name, word + 2, len - 2);
	name[len - 2] = 0;
	const struct row *row = rows;
	while (row < rows + N_ROWS && strcmp(row->name, name) != 0)
		row++;
	bool is_flag = row < rows + N_ROWS && !row->value;
	if (value)
		value++;
	else if (!is_flag && *i + 1 < argc)
		value = argv[++*i];
	if (row < rows + N_ROWS)
		return row_read(o, row, value);
	int rc = network_set(texts, name, value ? value : "", why, sizeof(why));
	return !rc ? -1 : refuse(word, rc == -ENOENT ? "no such option" : why);
}

// What only shows when all of it is known. @return what is wrong, or NULL
static const char *misfit(const struct options *o)
{
	uint64_t first = o->source_port, behind = o->source_port + o->flows;
	uint64_t command = 200 + 4ull * o->block.value_max;
	if (behind > 65536)
		return "--flows: there are not so many ports behind the first";
	if (o->target_port >= first && o->target_port < behind)
		return "--target-port: is the port of a source";
	if (command * o->block.n_commands > BLOCK_MAX)
		return "--block: such a block of such values may be larger than 2 GB";
	if (!o->network.present)
		return "--nic and --addr are wanted";
	return NULL;
}

int options_read(int argc, char **argv, struct options *o)
{
	struct network_texts texts = {0};
	char why[300];
	*o = (struct options){.flows = 1,
			      .source_port = 6379,
			      .target_port = 6400,
			      .ahead = 100000,
			      .interval_ns = 1000000000,
			      .block = {.n_commands = 65536,
					.n_keys = 1000000,
					.value_min = 64,
					.value_max = 64,
					.parts = {[MIX_set] = 1},
					.seed = 1}};
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return help();
		int rc = word_read(o, &texts, argc, argv, &i);
		if (rc >= 0)
			return rc;
	}
	const char *wrong = NULL;
	if (network_read(&texts, &o->network, why, sizeof(why)))
		wrong = why;
	else
		wrong = misfit(o);
	if (!wrong)
		return -1;
	fprintf(stderr, "pktgen: %s; see pktgen --help\n", wrong);
	return EXIT_USAGE;
}
