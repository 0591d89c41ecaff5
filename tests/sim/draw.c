// SPDX-License-Identifier: BSD-3-Clause
// draw_run() -> draw_tcp() for both ends -> draw_path(), draw_faults() for both ways
//            -> draw_apps() -> draw_end() -> near_the_wrap()
#include "tests/sim/draw.h"

#include <stdio.h>
#include <string.h>

#include "drivers/nic.h"
#include "tests/e2e/torture_random.h"

#define STACKS 45 // percent of runs over whole stacks

#define KB 1024u
#define MB (1024u * KB)
#define MS 1000000ull
#define S  (1000 * MS)
#define H  (3600 * S)

#define PICK(r, ...)                                                                               \
	((const uint64_t[]){__VA_ARGS__})[random_below(                                            \
		r, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))]

static double fraction(struct random *r, double most)
{
	return (double)random_below(r, 1000000) / 1e6 * most;
}

static void draw_tcp(struct random *r, struct tcp_settings *t, uint32_t mss)
{
	uint64_t receive_max = PICK(r, 4 * KB, 16 * KB, 64 * KB, 256 * KB, 4 * MB, 256 * MB);
	uint64_t receive_first = PICK(r, 4 * KB, 64 * KB, 1 * MB);

	*t = (struct tcp_settings){
		.congestion = random_percent(r, 60) ? TCP_CUBIC : TCP_BBR,
		.mss_max = mss,
		.mss_min = mss < 1024 ? mss : 1024,
		.receive_max = receive_max,
		.receive_first = receive_first < receive_max ? receive_first : receive_max,
		.send_max = PICK(r, 4 * KB, 32 * KB, 256 * KB, 4 * MB, 64 * MB),
		.segment_max = random_percent(r, 50) ? 65535 - 120 : 0,
		.rto_min_ns = 200 * MS,
		.ack_delay_ns = PICK(r, 1, 20, 40, 40, 200) * MS,
		.user_timeout_ns = 4 * H,
		.connect_timeout_ns = H,
		.keepalive_idle_ns = PICK(r, 10, 60, 7200) * S,
		.keepalive_interval_ns = PICK(r, 5, 75) * S,
		.keepalive_probes = 50,
		.time_wait_ns = PICK(r, 1, 10, 60) * S,
		.slow_start_after_idle = random_percent(r, 50),
		.pacing = random_percent(r, 70),
	};
}

static void draw_path(struct random *r, struct draw *d)
{
	uint64_t rtt_ns = PICK(r, 50000, MS, 20 * MS, 100 * MS, 300 * MS);
	uint64_t rate = PICK(r, 0, 2, 10, 100, 1000, 10000) * 1000000;

	for (unsigned end = 0; end < 2; end++) {
		struct wire_settings *w = &d->set.wire[end];
		w->path = (struct wire_path){rate, rtt_ns / 2, 0};
		if (random_percent(r, 20))
			w->path.delay_ns = random_below(r, 100) * MS;
		if (random_percent(r, 20))
			w->path.rate = PICK(r, 2, 20, 500) * 1000000;
		if (!w->path.rate || random_percent(r, 20))
			continue;
		uint64_t bdp = w->path.rate / 8 * rtt_ns / S;
		w->queue_max = bdp * (1 + random_below(r, 40)) / 10;
		if (w->queue_max < 32 * KB)
			w->queue_max = 32 * KB;
		w->queue = (enum wire_queue)random_below(r, 3);
	}
}

static void draw_losses(struct random *r, struct wire_settings *w)
{
	switch (random_below(r, 8)) {
	case 0:
		w->loss = fraction(r, 0.01);
		break;
	case 1:
		w->loss = fraction(r, 0.15);
		break;
	case 2:
		w->burst_enter = fraction(r, 0.02);
		w->burst_leave = 0.5;
		w->burst_loss_bad = 1;
		break;
	case 3:
		w->lose_every = 5 + random_below(r, 200);
		break;
	case 4:
		w->n_lose = 1 + random_below(r, WIRE_LOSE_MAX);
		for (unsigned i = 0; i < w->n_lose; i++)
			w->lose[i] = 1 + random_below(r, 100);
		break;
	}
}

static void draw_shaping(struct random *r, struct wire_settings *w)
{
	if (random_percent(r, 15))
		w->jitter_ns = random_below(r, 30) * MS;
	w->jitter_reorders = random_percent(r, 20);
	if (random_percent(r, 20)) {
		w->reorder = fraction(r, 0.2);
		w->reorder_ns = random_below(r, 50) * MS / 4;
		w->reorder_by = random_percent(r, 50) ? 1 + random_below(r, 6) : 0;
		w->reorder_hold_ns = 30 * MS;
	}
	if (random_percent(r, 15))
		w->duplicate = fraction(r, 0.1);
	if (random_percent(r, 10))
		w->bunch_ns = (1 + random_below(r, 20)) * MS;
	if (random_percent(r, 10)) {
		w->police_rate = PICK(r, 5, 50) * 1000000;
		w->police_burst = 20 * KB + random_below(r, 200) * KB;
	}
}

static void draw_changes(struct random *r, struct wire_settings *w)
{
	if (random_percent(r, 10)) {
		w->n_downs = 1;
		w->downs[0].from_ns = random_below(r, 2000) * MS;
		w->downs[0].to_ns = w->downs[0].from_ns + random_below(r, 20000) * MS;
	}
	if (!random_percent(r, 15))
		return;
	w->n_steps = 1 + random_below(r, 3);
	uint64_t at_ns = 0;
	for (unsigned i = 0; i < w->n_steps; i++) {
		at_ns += random_below(r, 2000) * MS;
		w->steps[i].at_ns = at_ns;
		w->steps[i].path = (struct wire_path){.rate = PICK(r, 2, 50, 1000) * 1000000,
						      .delay_ns = random_below(r, 200) * MS};
	}
}

static void draw_rules(struct random *r, struct lab_rule *rules, unsigned end)
{
	unsigned n = 0;

	if (random_percent(r, 10))
		rules[n++] = (struct lab_rule){LAB_LOSE_SYN, .n = 1 + random_below(r, 3)};
	if (random_percent(r, 10))
		rules[n++] = (struct lab_rule){LAB_LOSE_FIN, .n = 1 + random_below(r, 3)};
	if (random_percent(r, 15))
		rules[n++] = (struct lab_rule){LAB_LOSE_AT, .n = 1 + random_below(r, 5),
					       .at = random_below(r, 200000)};
	if (random_percent(r, 8)) {
		uint64_t from_ns = random_below(r, 1000) * MS;
		rules[n++] = (struct lab_rule){LAB_LOSE_ACK, .from_ns = from_ns,
					       .to_ns = from_ns + random_below(r, 3000) * MS};
	}
}

// A path that takes less than the ends think, from the beginning or from some time on.
static void draw_mtu(struct random *r, struct draw *d, uint32_t mss)
{
	if (mss <= 1240 || !random_percent(r, 12))
		return;
	d->set.tells_too_big = random_percent(r, 60);
	for (unsigned end = 0; end < 2; end++) {
		struct wire_settings *w = &d->set.wire[end];
		if (random_percent(r, 50))
			w->path.mtu = 1280;
		for (unsigned i = 0; i < w->n_steps; i++)
			w->steps[i].path.mtu = 1280;
	}
}

static uint64_t draw_size(struct random *r)
{
	uint64_t most = PICK(r, 1, 1000, 20 * KB, 100 * KB, 400 * KB, 400 * KB, 2 * MB);

	return random_below(r, (unsigned)most + 1);
}

static const char *draw_apps(struct random *r, struct lab_app a[2])
{
	unsigned sender = random_below(r, 2), n;
	struct lab_app *from = &a[sender], *to = &a[!sender];

	memset(a, 0, 2 * sizeof(*a));
	from->piece = (uint32_t)PICK(r, 0, 1, 100, 1448, 16 * KB);
	from->send = draw_size(r);
	if (from->piece == 1 && from->send > 5000)
		from->send = 5000;
	switch (random_below(r, 7)) {
	case 0:
		return "bulk";
	case 1:
		to->send = draw_size(r);
		return "both ways";
	case 2: // pipelined requests and replies, several of them under way
		n = 1 + random_below(r, 300);
		a[0].piece = a[1].per_in = 1 + random_below(r, 3000);
		a[1].piece = a[0].per_in = a[1].per_out = 1 + random_below(r, 3000);
		a[0].per_out = a[0].piece;
		a[0].first = (uint64_t)a[0].piece * (1 + random_below(r, 8));
		a[0].send = (uint64_t)a[0].piece * n;
		a[1].send = (uint64_t)a[1].piece * n;
		return "requests";
	case 3: // a stream of commands with silences, some of them longer than an RTO
		from->piece = 30 + random_below(r, 5000);
		n = 1 + random_below(r, 100);
		from->send = (uint64_t)from->piece * n;
		from->pause_ns = PICK(r, MS, 30 * MS, 700 * MS, 12 * S);
		return "trickle";
	case 4:
		from->piece = 0;
		to->read_rate = 1 + from->send / 20;
		return "slow reader";
	case 5:
		to->deaf_from_ns = random_below(r, 500) * MS;
		to->deaf_until_ns = to->deaf_from_ns + random_below(r, 100) * S;
		return "deaf reader";
	default:
		from->send *= 2;
		to->send = draw_size(r) / 10;
		to->pause_ns = 5 * MS;
		return "half closed";
	}
}

static void draw_end(struct random *r, struct draw *d)
{
	unsigned drawn = random_below(r, 20);

	d->end = DRAW_COMPLETE;
	d->limit_ns = 12 * H;
	if (drawn == 0) {
		struct lab_app *a = &d->apps[0][random_below(r, 2)];
		d->end = DRAW_QUITS;
		a->quit = random_percent(r, 50) ? LAB_CLOSE : LAB_ABORT;
		a->quit_ns = random_below(r, 3000) * MS;
	}
	if (drawn != 1)
		return;
	d->end = DRAW_DIES;
	uint64_t from_ns = random_below(r, 3000) * MS;
	unsigned first = random_below(r, 2), last = random_percent(r, 60) ? 1 : first;
	for (unsigned end = 0; end < 2; end++) {
		struct tcp_settings *t = &d->set.tcp[end];
		t->user_timeout_ns = (10 + random_below(r, 50)) * S;
		t->connect_timeout_ns = (5 + random_below(r, 50)) * S;
		t->keepalive_idle_ns = (5 + random_below(r, 50)) * S;
		t->keepalive_interval_ns = (1 + random_below(r, 10)) * S;
		t->keepalive_probes = 1 + random_below(r, 9);
		if (end < first && end < last)
			continue;
		struct wire_settings *w = &d->set.wire[end];
		w->n_downs = 1;
		w->downs[0].from_ns = from_ns;
		w->downs[0].to_ns = UINT64_MAX / 2;
	}
}

static void draw_stack(struct random *r, struct draw *d, uint32_t mss)
{
	d->set.level = LAB_STACK;
	d->set.is_ip6 = random_percent(r, 50);
	d->set.vlan = random_percent(r, 30) ? (uint16_t)(1 + random_below(r, 4094)) : 0;
	d->set.mtu = (uint16_t)(mss + (d->set.is_ip6 ? 60 : 40));
	if (d->set.is_ip6 && d->set.mtu < 1280)
		d->set.mtu = 1280;
	d->set.sums = (uint8_t)PICK(r, NIC_SUM_UNKNOWN, NIC_SUM_GOOD);
	for (unsigned end = 0; end < 2; end++) {
		d->set.offloads[end] = random_below(r, 32);
		if (random_percent(r, 15))
			d->set.wire[end].corrupt = fraction(r, 0.02);
	}
	if (random_percent(r, 10))
		d->set.refuse = fraction(r, 0.3);
}

// Half of the runs have a sequence number or a timestamp wrap in them. Both follow from the clock
// (RFC 6528: 4 us; RFC 7323: here 1 ms), so the clock begins where they are about to: a run of
// nothing but the handshake tells what they were.
static void near_the_wrap(struct random *r, struct draw *d)
{
	struct lab_settings set = {.level = d->set.level,
				   .seed = d->set.seed,
				   .begin_ns = d->set.begin_ns,
				   .is_ip6 = d->set.is_ip6,
				   .vlan = d->set.vlan,
				   .mtu = d->set.mtu,
				   .tcp = {d->set.tcp[0], d->set.tcp[1]}};
	const struct lab_app apps[2] = {0};
	unsigned end = random_below(r, 2);
	uint32_t seq = 0, time = 0;
	struct lab *l = lab_new(&set);

	if (!l)
		return;
	lab_connect(l, apps, 0);
	lab_run(l, S);
	lab_first_numbers(l, 0, end, &seq, &time);
	lab_free(l);
	if (time && random_percent(r, 25))
		d->set.begin_ns += (0u - time - random_below(r, 1000)) * MS;
	else
		d->set.begin_ns += (0u - seq - random_below(r, 100000)) * 4000ull;
}

void draw_run(uint64_t seed, struct draw *d)
{
	struct random of_run = random_of(seed, 1), *r = &of_run;
	uint32_t mss = (uint32_t)PICK(r, 536, 1220, 1460, 1460, 1460, 8960);
	const char *what = "";

	memset(d, 0, sizeof(*d));
	d->set.seed = seed;
	d->set.check_every = 1;
	d->set.begin_ns = random_next(r) % (5 * H);
	for (unsigned end = 0; end < 2; end++) {
		draw_tcp(r, &d->set.tcp[end], mss);
		draw_rules(r, d->set.rules[end], end);
	}
	draw_path(r, d);
	for (unsigned end = 0; end < 2; end++) {
		draw_losses(r, &d->set.wire[end]);
		draw_shaping(r, &d->set.wire[end]);
		draw_changes(r, &d->set.wire[end]);
	}
	draw_mtu(r, d, mss);
	if (random_percent(r, STACKS))
		draw_stack(r, d, mss);
	else if (random_percent(r, 25))
		d->set.strip = (uint8_t)(random_below(r, 8) * 2); // scale, SACK, timestamps
	d->n_flows = random_percent(r, 20) ? 2 + random_below(r, 3) : 1;
	for (unsigned i = 0; i < d->n_flows; i++) {
		what = draw_apps(r, d->apps[i]);
		d->at_ns[i] = i ? random_below(r, 1000) * MS : 0;
	}
	draw_end(r, d);
	if (random_percent(r, 50))
		near_the_wrap(r, d);
	snprintf(d->text, sizeof(d->text), "%s, %s, mss %u, rtt %.2f ms, rate %.0f Mbit/s, %s%s",
		 d->set.level == LAB_STACK ? d->set.is_ip6 ? "IPv6" : "IPv4" : "bare", what, mss,
		 (double)(d->set.wire[0].path.delay_ns + d->set.wire[1].path.delay_ns) / 1e6,
		 (double)d->set.wire[0].path.rate / 1e6,
		 d->set.tcp[0].congestion == TCP_CUBIC ? "cubic" : "bbr",
		 d->end == DRAW_QUITS  ? ", quits"
		 : d->end == DRAW_DIES ? ", dies"
				       : "");
}
