// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "tests/sim/goodput_run.h"
#include "tests/sim/lab.h"
#include "tests/tcp_settings.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull
#define MIB       1048576ull
#define MSS       1448
#define LOOK_NS   (20 * NS_PER_MS) // how often the window is looked at
#define QUEUE_MIN 65536

static uint64_t bdp(const struct goodput_case *c)
{
	return (uint64_t)((double)c->rate / 8 * c->rtt_ns / NS_PER_S);
}

static struct tcp_settings tcp_settings_of(const struct goodput_case *c, enum tcp_congestion what)
{
	struct tcp_settings set = tcp_settings_usual();
	uint64_t buffer = 16 * MIB;

	// Neither end's memory is to be the bottleneck: the windows that BBR and a full queue make,
	// and what waits behind a hole.
	while (buffer < 8 * bdp(c))
		buffer *= 2;
	set.congestion = what;
	set.receive_max = buffer;
	set.receive_first = MIB;
	set.send_max = 2 * buffer;
	set.user_timeout_ns = set.keepalive_idle_ns = 3600 * NS_PER_S;
	set.connect_timeout_ns = 60 * NS_PER_S;
	set.time_wait_ns = NS_PER_S;
	set.pacing = true;
	return set;
}

static struct lab *lab_of(const struct goodput_case *c)
{
	struct lab_settings set = {
		.level = LAB_BARE,
		.seed = c->seed,
		.begin_ns = NS_PER_S,
		.is_blind = true,
	};
	struct wire_settings *out = &set.wire[0], *back = &set.wire[1];

	for (int end = 0; end < 2; end++)
		set.tcp[end] = tcp_settings_of(c, TCP_CUBIC);
	out->path = (struct wire_path){.rate = c->rate, .delay_ns = c->rtt_ns / 2};
	out->queue_max = (uint64_t)(c->queue * bdp(c));
	if (out->queue_max < QUEUE_MIN)
		out->queue_max = QUEUE_MIN;
	out->loss = c->loss;
	out->lose_every = c->lose_every;
	out->memory_max = 4096 * MIB;
	back->path.delay_ns = c->rtt_ns - c->rtt_ns / 2;
	back->memory_max = 4096 * MIB;
	return lab_new(&set);
}

static const char *open_flows(struct lab *l, const struct goodput_case *c)
{
	const struct lab_app apps[2] = {{.send = UINT64_MAX / 4}, {0}};
	const char *why = NULL;

	for (unsigned i = 0; i < c->n_flows && !why; i++) {
		lab_connect(l, apps, c->at_ns[i]);
		why = lab_run(l, c->at_ns[i]);
		if (!why)
			tcp_set_congestion(lab_tcp(l, i, 0), c->congestion[i]);
	}
	return why;
}

// Run on to the end, looking at the first flow's window.
static const char *look(struct lab *l, const struct goodput_case *c, struct goodput *out)
{
	uint64_t n = 0, end_ns = c->warm_ns + c->for_ns;
	const char *why = NULL;
	struct tcp_info info;

	for (uint64_t at = c->warm_ns; at < end_ns && !why; at += LOOK_NS) {
		why = lab_run(l, at + LOOK_NS);
		tcp_info(lab_tcp(l, 0, 0), &info);
		out->window += (double)info.cwnd / MSS;
		n++;
	}
	out->window /= (double)n;
	out->n_rto = info.n_rto;
	out->n_recoveries = info.n_recoveries;
	out->n_resent = info.segments_resent;
	out->queue_peak = wire_counters(lab_wire(l, 0))->queue_peak;
	return why;
}

const char *goodput_run(const struct goodput_case *given, struct goodput *out)
{
	static char text[256];
	struct goodput_case c = *given;
	struct lab *l;
	const char *why;
	uint64_t before[GOODPUT_FLOWS_MAX];
	double all = 0;

	if (c.n_flows == 0)
		c.n_flows = 1;
	*out = (struct goodput){0};
	l = lab_of(&c);
	if (!l)
		return "no lab";
	why = open_flows(l, &c);
	if (!why)
		why = lab_run(l, c.warm_ns);
	for (unsigned i = 0; i < c.n_flows; i++)
		before[i] = lab_received(l, i, 1);
	if (!why)
		why = look(l, &c, out);
	for (unsigned i = 0; i < c.n_flows; i++) {
		out->bits[i] =
			(double)(lab_received(l, i, 1) - before[i]) * 8 * NS_PER_S / c.for_ns;
		all += out->bits[i];
	}
	out->used = all / GOODPUT_PAYLOAD(c.rate);
	if (why)
		snprintf(text, sizeof(text), "%s", why);
	lab_free(l);
	return why ? text : NULL;
}
