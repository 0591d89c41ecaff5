// SPDX-License-Identifier: BSD-3-Clause
// faults_run(): each fault of the plan begins after the source has sent so many bytes, and ends
// after so many others have begun, or before another of the same subject does.
#include "tests/e2e/torture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define CARRY_MOST_MS 250 // a link that is down carries nothing

struct side *fault_side(struct torture *t, const struct fault_plan *f)
{
	return f->source_side ? &t->source : &t->target;
}

// ---- Our programs

static bool dataplane_dies(struct torture *t, const struct fault_plan *f)
{
	// A dataplane that dies again and again stays down: that is not what is tested here.
	if (t->dataplane_kills >= 3 || link_has_ended(t))
		return false;
	dataplane_kill(t);
	return true;
}

static bool daemon_dies(struct torture *t, const struct fault_plan *f)
{
	if (t->daemon_kills >= 2 || link_has_ended(t)) // likewise
		return false;
	daemon_kill(t);
	return true;
}

static bool dataplane_freezes(struct torture *t, const struct fault_plan *f)
{
	pid_t pid = dataplane_pid(t);

	return pid && !kill(pid, SIGSTOP);
}

static void dataplane_thaws(struct torture *t, const struct fault_plan *f)
{
	pid_t pid = dataplane_pid(t);

	if (pid)
		kill(pid, SIGCONT);
}

// The link that comes after one that was ended or killed is of another kind half of the time.
static void link_begins(struct torture *t, const struct fault_plan *f)
{
	struct random r = random_of(f->replacement, 0);
	bool at_least_once = t->link.at_least_once;

	if (random_percent(&r, 60))
		link_plan_draw(&t->link, &r);
	t->link.at_least_once = at_least_once;
	if (at_least_once)
		t->link.extra_keys = "delete";
	gap_write(t);
	link_start(t);
}

static bool all_die(struct torture *t, const struct fault_plan *f)
{
	if (link_has_ended(t))
		return false;
	link_kill(t);
	return true;
}

static bool link_ends(struct torture *t, const struct fault_plan *f)
{
	if (link_has_ended(t))
		return false;
	link_end(t);
	return true;
}

static void link_ended_begins(struct torture *t, const struct fault_plan *f)
{
	link_ended(t);
	link_begins(t, f);
}

static bool link_pauses(struct torture *t, const struct fault_plan *f)
{
	return link_verb(t, "link-pause");
}

static void link_resumes(struct torture *t, const struct fault_plan *f)
{
	link_verb(t, "link-resume");
}

// ---- Servers

// A target that loses what it had answered entitles a link that is being drained to say so.
static void loss_note(struct torture *t, const struct side *s)
{
	if (s == &t->target && s->keeps != KEEPS_AOF_ALWAYS)
		t->may_fail = true;
}

// Without markers nobody can know what the target has lost.
static bool loss_is_unseen(const struct torture *t, const struct side *s)
{
	return s == &t->target && t->link.at_least_once && s->keeps != KEEPS_AOF_ALWAYS;
}

static bool server_dies(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	if (loss_is_unseen(t, s))
		return false;
	server_kill(s->active);
	loss_note(t, s);
	return true;
}

static bool server_ends(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	if (loss_is_unseen(t, s))
		return false;
	server_stop(s->active);
	if (s->keeps == KEEPS_NOTHING)
		loss_note(t, s);
	return true;
}

static void server_begins(struct torture *t, const struct fault_plan *f)
{
	server_start_again(fault_side(t, f)->active);
}

static bool server_freezes(struct torture *t, const struct fault_plan *f)
{
	server_freeze(fault_side(t, f)->active);
	return true;
}

static void server_thaws(struct torture *t, const struct fault_plan *f)
{
	server_thaw(fault_side(t, f)->active);
}

// The server dies and its replica takes over, which may not have all of it. Until it is told so,
// it is a replica that takes no writes.
static bool server_fails_over(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	if (s == &t->target && t->link.at_least_once)
		return false;
	side_follow(t, s);
	bytes_wait(t, f->amount * 300, CARRY_MOST_MS);
	server_kill(s->active);
	loss_note(t, s);
	if (f->amount % 2) {
		proxy_upstream(s->proxy, s->spare->port);
		proxy_cut(s->proxy, END_FIN);
		bytes_wait(t, 1, 20);
	}
	side_promote(t, s);
	if (s == &t->source) {
		writer_end(t);
		writer_begin(t);
	}
	return true;
}

// The server closes our connections, and its clients'.
static bool server_closes(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	redisReply *r = ask(s->active, "CLIENT KILL TYPE %s SKIPME yes",
			    f->source_side ? "replica" : "normal");
	freeReplyObject(r);
	return true;
}

// ---- Lines

// The line that a fault begins on.
static struct proxy *line_of(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	return s->line = line_drawn(s, f);
}

// The line that it ends on.
static struct proxy *line_broken(struct torture *t, const struct fault_plan *f)
{
	return fault_side(t, f)->line;
}

static enum proxy_end end_of(const struct fault_plan *f)
{
	return f->amount % 2 ? END_FIN : END_RST;
}

static bool line_breaks(struct torture *t, const struct fault_plan *f)
{
	proxy_cut(line_of(t, f), end_of(f));
	return true;
}

// In the midst of what is being said, wherever the n-th byte stands.
static bool line_breaks_within(struct torture *t, const struct fault_plan *f)
{
	enum proxy_direction direction = f->amount % 3 ? TO_SERVER : FROM_SERVER;

	if (f->source_side)
		direction = f->amount % 7 ? FROM_SERVER : TO_SERVER;
	proxy_cut_after(line_of(t, f), direction, 1 + f->amount * f->amount % 70001,
			end_of(f));
	return true;
}

static void line_breaks_no_more(struct torture *t, const struct fault_plan *f)
{
	proxy_cut_after(line_broken(t, f), TO_SERVER, 0, END_FIN);
	proxy_cut_after(line_broken(t, f), FROM_SERVER, 0, END_FIN);
}

static bool line_stalls(struct torture *t, const struct fault_plan *f)
{
	proxy_stall(line_of(t, f), true);
	return true;
}

static void line_flows(struct torture *t, const struct fault_plan *f)
{
	proxy_stall(line_broken(t, f), false);
}

static bool line_delays(struct torture *t, const struct fault_plan *f)
{
	proxy_delay(line_of(t, f), (int)(1 + f->amount % 40));
	return true;
}

static void line_delays_no_more(struct torture *t, const struct fault_plan *f)
{
	proxy_delay(line_broken(t, f), 0);
}

static bool line_trickles(struct torture *t, const struct fault_plan *f)
{
	proxy_trickle(line_of(t, f), 1 + f->amount % 3000);
	return true;
}

static void line_trickles_no_more(struct torture *t, const struct fault_plan *f)
{
	proxy_trickle(line_broken(t, f), 0);
}

static bool line_refuses(struct torture *t, const struct fault_plan *f)
{
	struct proxy *line = line_of(t, f);

	proxy_refuse(line, true);
	proxy_cut(line, end_of(f));
	return true;
}

static void line_serves(struct torture *t, const struct fault_plan *f)
{
	proxy_refuse(line_broken(t, f), false);
}

// ---- The disk

static const char *ballast_path(struct torture *t)
{
	return text("%s/ballast", t->state_dir);
}

static bool disk_fills(struct torture *t, const struct fault_plan *f)
{
	static const char zeroes[65536];
	int fd = t->mounted ? open(ballast_path(t), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return false;
	while (write(fd, zeroes, sizeof(zeroes)) > 0)
		;
	while (write(fd, zeroes, 1) > 0)
		;
	close(fd);
	t->may_fail = true;
	return true;
}

static void disk_empties(struct torture *t, const struct fault_plan *f)
{
	unlink(ballast_path(t));
}

// ---- The table

#define SIDES_OF_NODES (SIDE_CLUSTER | SIDE_WATCHED)
#define SIDES_OF_LINES (SIDE_PAIR | SIDE_CLUSTER)
// Nodes follow each other by the lines that we have to them.
#define SUBJECT_BOTH (SUBJECT_NODES | SUBJECT_LINES)

static const struct fault_kind kinds[] = {
	{"kill-dataplane", 12, 0, SUBJECT_LINK, dataplane_dies, NULL},
	{"kill-flyoverd", 8, 0, SUBJECT_LINK, daemon_dies, NULL},
	{"kill-all", 10, 0, SUBJECT_LINK, all_die, link_begins},
	{"end", 8, 0, SUBJECT_LINK | SUBJECT_TARGET | SUBJECT_TARGET_LINE, link_ends,
	 link_ended_begins},
	{"freeze-dataplane", 3, 0, SUBJECT_LINK, dataplane_freezes, dataplane_thaws},
	{"pause", 3, 0, SUBJECT_LINK, link_pauses, link_resumes},
	{"kill-server", 14, SIDE_PAIR, SUBJECT_NODES, server_dies, server_begins},
	{"end-server", 8, SIDE_PAIR, SUBJECT_NODES, server_ends, server_begins},
	{"freeze-server", 8, SIDE_PAIR, SUBJECT_NODES, server_freezes, server_thaws},
	{"failover", 6, SIDE_PAIR, SUBJECT_NODES, server_fails_over, NULL},
	{"close-clients", 6, SIDE_PAIR, SUBJECT_NODES, server_closes, NULL},
	{"cut", 8, SIDES_OF_LINES, SUBJECT_LINES, line_breaks, NULL},
	{"cut-within", 16, SIDES_OF_LINES, SUBJECT_LINES, line_breaks_within, line_breaks_no_more},
	{"stall", 6, SIDES_OF_LINES, SUBJECT_LINES, line_stalls, line_flows},
	{"delay", 5, SIDES_OF_LINES, SUBJECT_LINES, line_delays, line_delays_no_more},
	{"trickle", 5, SIDES_OF_LINES, SUBJECT_LINES, line_trickles, line_trickles_no_more},
	{"refuse", 6, SIDE_PAIR, SUBJECT_LINES, line_refuses, line_serves},
	{"fill-disk", 6, 0, SUBJECT_DISK, disk_fills, disk_empties},
	{"kill-master", 12, SIDES_OF_NODES, SUBJECT_BOTH, master_dies, nodes_come_back},
	{"kill-node", 10, SIDES_OF_NODES, SUBJECT_BOTH, node_dies, nodes_come_back},
	{"freeze-node", 8, SIDES_OF_NODES, SUBJECT_BOTH, node_freezes, nodes_come_back},
	{"take-over", 12, SIDES_OF_NODES, SUBJECT_BOTH, replica_takes_over, NULL},
	{"close-node", 8, SIDES_OF_NODES, SUBJECT_BOTH, node_closes_clients, NULL},
	{"freeze-sentinels", 5, SIDE_WATCHED, SUBJECT_NODES, sentinels_freeze_for_a_while, NULL},
	{"kill-cluster", 5, SIDE_CLUSTER, SUBJECT_BOTH, cluster_dies, nodes_come_back},
	{"move-slots", 12, SIDE_CLUSTER, SUBJECT_NODES | SUBJECT_SLOTS, slots_wander, NULL},
	{"tear-slots", 10, SIDE_CLUSTER, SUBJECT_SLOTS, slots_are_torn, slots_are_whole},
};

const struct fault_kind *fault_kinds(unsigned *n)
{
	*n = sizeof(kinds) / sizeof(*kinds);
	return kinds;
}

static unsigned subjects_of(const struct fault_plan *f)
{
	unsigned subjects = kinds[f->kind].subjects;

	if (subjects & SUBJECT_NODES)
		subjects |= f->source_side ? SUBJECT_SOURCE : SUBJECT_TARGET;
	if (subjects & SUBJECT_LINES)
		subjects |= f->source_side ? SUBJECT_SOURCE_LINE : SUBJECT_TARGET_LINE;
	if (subjects & SUBJECT_SLOTS)
		subjects |= f->source_side ? SUBJECT_SOURCE_SLOTS : SUBJECT_TARGET;
	return subjects & (SUBJECT_NODES - 1u);
}

static void fault_end(struct torture *t, struct fault *f)
{
	if (!f->on)
		return;
	f->on = false;
	kinds[f->plan->kind].end(t, f->plan);
}

static void fault_begin(struct torture *t, struct fault *f)
{
	const struct fault_kind *kind = &kinds[f->plan->kind];

	bytes_wait(t, f->plan->bytes, CARRY_MOST_MS);
	if (!kind->begin(t, f->plan))
		return;
	t->tally.faults[f->plan->kind]++;
	f->on = kind->end != NULL;
}

void faults_run(struct torture *t)
{
	const struct plan *p = &t->plan;
	struct fault faults[FAULTS_MAX] = {0};

	for (unsigned i = 0; i < p->n_faults; i++) {
		faults[i].plan = &p->faults[i];
		for (unsigned k = 0; k < i; k++)
			if (subjects_of(faults[i].plan) & subjects_of(faults[k].plan))
				fault_end(t, &faults[k]);
		fault_begin(t, &faults[i]);
		for (unsigned k = 0; k <= i; k++)
			if (k + faults[k].plan->span == i) {
				if (faults[k].on)
					bytes_wait(t, 20000, 60);
				fault_end(t, &faults[k]);
			}
	}
	// Servers before links: who drains needs his target.
	for (unsigned k = p->n_faults; k-- > 0;)
		if (!(subjects_of(faults[k].plan) & SUBJECT_LINK))
			fault_end(t, &faults[k]);
	for (unsigned k = 0; k < p->n_faults; k++)
		fault_end(t, &faults[k]);
}
