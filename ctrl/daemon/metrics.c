// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/link_numbers.h"

struct counter_row {
	const char *name, *type, *help;
	size_t offset;
};

static const struct counter_row source_rows[] = {
#define X(name, type, help) {#name, #type, help, offsetof(struct source_counters, name)},
	SOURCE_COUNTERS(X)
#undef X
};

static const struct counter_row lane_rows[] = {
#define X(name, type, help) {#name, #type, help, offsetof(struct lane_counters, name)},
	LANE_COUNTERS(X)
#undef X
};

static const struct counter_row network_rows_of_core[] = {
#define X(name, type, help) {#name, #type, help, offsetof(struct network_counters, name)},
	NETWORK_COUNTERS(X)
#undef X
};

#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static uint64_t row_value(const void *counters, const struct counter_row *row)
{
	return counter_get((const _Atomic uint64_t *)((const char *)counters + row->offset));
}

// Counters end in _total, as Prometheus wants it.
static const char *suffix(const struct counter_row *row)
{
	return strcmp(row->type, "counter") ? "" : "_total";
}

static void head_print(FILE *out, const char *prefix, const struct counter_row *row)
{
	fprintf(out, "# HELP flyover_%s%s%s %s\n", prefix, row->name, suffix(row), row->help);
	fprintf(out, "# TYPE flyover_%s%s%s %s\n", prefix, row->name, suffix(row), row->type);
}

static void source_print(FILE *out, const struct daemon *d, const struct counter_row *row)
{
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	head_print(out, "link_", row);
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used)
			fprintf(out, "flyover_link_%s%s{link=\"%s\"} %llu\n", row->name,
				suffix(row), slots[i].config.name,
				(unsigned long long)row_value(&slots[i].state.counters, row));
}

static void lane_print(FILE *out, const struct daemon *d, const struct counter_row *row)
{
	struct link_slot *slots = d->supervisor.shared.contract->links;
	head_print(out, "lane_", row);
	for (unsigned i = 0; i < LINKS_MAX; i++)
		for (unsigned j = 0; d->links.links[i].used && j < LANES_MAX &&
				     j < atomic_load(&slots[i].state.lanes);
		     j++)
			fprintf(out, "flyover_lane_%s%s{link=\"%s\",lane=\"%u\"} %llu\n", row->name,
				suffix(row), slots[i].config.name, j,
				(unsigned long long)row_value(&slots[i].lanes[j], row));
}

static void network_print(FILE *out, const struct daemon *d, const struct counter_row *row)
{
	struct contract *c = d->supervisor.shared.contract;
	head_print(out, "network_", row);
	for (unsigned i = 0; i < atomic_load(&c->n_cores) && i < CORES_MAX; i++)
		fprintf(out, "flyover_network_%s%s{core=\"%u\"} %llu\n", row->name, suffix(row), i,
			(unsigned long long)row_value(&c->network_counters[i], row));
}

static void phases_print(FILE *out, const struct daemon *d)
{
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	fprintf(out, "# HELP flyover_link_phase Phase of the link: 1 for the one it is in\n"
		     "# TYPE flyover_link_phase gauge\n");
	for (unsigned i = 0; i < LINKS_MAX; i++)
		for (unsigned p = 0; d->links.links[i].used && p < PHASE_COUNT; p++)
			fprintf(out, "flyover_link_phase{link=\"%s\",phase=\"%s\"} %d\n",
				slots[i].config.name, link_phase_text((enum link_phase)p),
				link_phase(d, i) == p);
}

struct figure {
	const char *name, *help;
	size_t offset;
};

static const struct figure figures[] = {
	{"lag_bytes", "Bytes of the stream that the target does not have yet",
	 offsetof(struct link_numbers, lag_bytes)},
	{"lag_ms", "Age of the oldest byte that is not applied",
	 offsetof(struct link_numbers, lag_ms)},
	{"in_flight_commands", "Commands received that have no fate yet",
	 offsetof(struct link_numbers, in_flight)},
	{"latency_p50_us", "Median of the time from the source's socket to the target's answer",
	 offsetof(struct link_numbers, p50_us)},
	{"latency_p99_us", "99th percentile of that time", offsetof(struct link_numbers, p99_us)},
	{"latency_p999_us", "99.9th percentile of that time",
	 offsetof(struct link_numbers, p999_us)},
};

static void figure_print(FILE *out, const struct daemon *d, const struct figure *fig)
{
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	fprintf(out, "# HELP flyover_link_%s %s\n# TYPE flyover_link_%s gauge\n", fig->name,
		fig->help, fig->name);
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		struct link_numbers n;
		uint64_t v;
		if (!d->links.links[i].used)
			continue;
		link_numbers_read(&slots[i], link_phase(d, i), wall_ms(), &n);
		memcpy(&v, (char *)&n + fig->offset, sizeof(v));
		fprintf(out, "flyover_link_%s{link=\"%s\"} %llu\n", fig->name, slots[i].config.name,
			(unsigned long long)v);
	}
}

static void parked_print(FILE *out, const struct daemon *d)
{
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	fprintf(out, "# HELP flyover_link_parked_open Parked commands that nobody has settled\n"
		     "# TYPE flyover_link_parked_open gauge\n");
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		uint64_t open, settled;
		if (!d->links.links[i].used)
			continue;
		parked_desk_count(d->parked, i, slots[i].config.state_dir, &open, &settled);
		fprintf(out, "flyover_link_parked_open{link=\"%s\"} %llu\n", slots[i].config.name,
			(unsigned long long)open);
	}
}

static void dataplane_print(FILE *out, const struct daemon *d)
{
	const struct supervisor *s = &d->supervisor;
	fprintf(out,
		"# HELP flyover_dataplane_up 1 while the dataplane runs\n"
		"# TYPE flyover_dataplane_up gauge\nflyover_dataplane_up %d\n",
		s->stage == DATAPLANE_RUNS);
	fprintf(out,
		"# HELP flyover_dataplane_restarts_total Times that it was started again\n"
		"# TYPE flyover_dataplane_restarts_total counter\n"
		"flyover_dataplane_restarts_total %u\n",
		s->restarts);
}

char *metrics_text(const struct daemon *d, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	if (!out)
		return NULL;
	dataplane_print(out, d);
	phases_print(out, d);
	parked_print(out, d);
	for (unsigned i = 0; i < N_ROWS(figures); i++)
		figure_print(out, d, &figures[i]);
	for (unsigned i = 0; i < N_ROWS(source_rows); i++)
		source_print(out, d, &source_rows[i]);
	for (unsigned i = 0; i < N_ROWS(lane_rows); i++)
		lane_print(out, d, &lane_rows[i]);
	if (d->supervisor.shared.contract->network.text[0])
		for (unsigned i = 0; i < N_ROWS(network_rows_of_core); i++)
			network_print(out, d, &network_rows_of_core[i]);
	fclose(out);
	return text;
}
