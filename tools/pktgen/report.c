// SPDX-License-Identifier: BSD-3-Clause
// report_turn() -> figures_read() -> line_print() | object_print()
#include "tools/pktgen/report.h"

#include <inttypes.h>
#include <stdio.h>

static struct figures figures_read(const struct world *w)
{
	const struct taken *t = &w->taken;
	const struct nic_counters *nic = &w->nic->counters;
	struct figures f = {.sent = sources_sent(w),
			    .applied = t->commands,
			    .transactions = t->transactions,
			    .frames_in = nic->rx_frames,
			    .frames_out = nic->tx_frames,
			    .bytes_in = nic->rx_bytes,
			    .bytes_out = nic->tx_bytes,
			    .ns = w->now_ns - w->begin_ns,
			    .busy_ns = w->busy_ns};
	for (unsigned i = 0; i < w->n_servers; i++)
		f.stream_bytes += w->servers[i].position;
	return f;
}

// "4.21 M"
static void amount_print(double v)
{
	static const char *const units[] = {"", " k", " M", " G"};
	unsigned unit = 0;
	for (; v >= 1000 && unit < 3; unit++)
		v /= 1000;
	printf(unit ? "%.2f%s" : "%.0f%s", v, units[unit]);
}

static void line_print(const char *begin, const struct figures *from, const struct figures *to)
{
	double seconds = (double)(to->ns - from->ns) / 1e9;
	const char *comma = "";
	printf("%s  busy %3.0f %%  a second: ", begin,
	       100.0 * (double)(to->busy_ns - from->busy_ns) / (double)(to->ns - from->ns));
#define X(name, label)                                                                             \
	printf("%s%s ", comma, label);                                                             \
	amount_print((double)(to->name - from->name) / seconds);                                   \
	comma = ", ";
	FIGURES(X)
#undef X
	printf("\n");
}

// Sums since the start, so that who reads two lines has the rates between them.
static void object_print(const struct figures *f)
{
	printf("{\"seconds\": %.6f", (double)f->ns / 1e9);
#define X(name, label) printf(", \"%s\": %" PRIu64, #name, f->name);
	FIGURES(X)
#undef X
	printf(", \"busy_seconds\": %.6f", (double)f->busy_ns / 1e9);
}

void report_begin(struct report *r, const struct world *w)
{
	*r = (struct report){.last = figures_read(w), .next_ns = w->begin_ns + w->o.interval_ns};
}

void report_turn(struct report *r, struct world *w)
{
	if (w->now_ns < r->next_ns)
		return;
	struct figures f = figures_read(w);
	if (w->o.json) {
		object_print(&f);
		printf("}\n");
	} else {
		char begin[32];
		snprintf(begin, sizeof(begin), "%7.1f s", (double)f.ns / 1e9);
		line_print(begin, &r->last, &f);
	}
	fflush(stdout);
	r->last = f;
	r->next_ns = w->now_ns + w->o.interval_ns;
}

// ---- The end

// @return a sentence, or NULL when all is well
static const char *fault_find(const struct world *w, const struct figures *f)
{
	const struct block *b = &w->block;
	if (w->taken.marker_faults)
		return "a marker went back";
	if (f->applied > f->sent)
		return "more commands arrived than were sent";
	if (b->end == UINT64_MAX)
		return NULL;
	for (unsigned i = 0; i < w->n_servers; i++)
		if (w->servers[i].is_source && w->servers[i].position < b->end)
			return "a stream was not sent to its end";
	if (f->applied < f->sent)
		return "not all commands arrived";
	if (w->taken.digest != w->o.flows * b->digest)
		return "other commands arrived than were sent";
	return NULL;
}

bool report_end(struct world *w)
{
	static const struct figures none;
	struct figures f = figures_read(w);
	const char *fault = w->o.check ? fault_find(w, &f) : NULL;
	if (w->o.json) {
		object_print(&f);
		printf(", \"markers\": %" PRIu64 ", \"marker_faults\": %" PRIu64
		       ", \"result\": \"%s\"}\n",
		       w->taken.markers, w->taken.marker_faults, fault ? fault : "ok");
	} else {
		printf("sum: sent %" PRIu64 " commands, applied %" PRIu64 " in %" PRIu64
		       " transactions with %" PRIu64 " markers\n",
		       f.sent, f.applied, f.transactions, w->taken.markers);
		line_print("sum", &none, &f);
		if (w->o.check)
			printf("check: %s\n", fault ? fault : "ok");
	}
	fflush(stdout);
	return !fault;
}
