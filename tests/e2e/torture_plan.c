// SPDX-License-Identifier: BSD-3-Clause
// What a seed and a round number decide, and nothing else does.
#include "tests/e2e/torture.h"

#define PICK(r, list) ((list)[random_below((r), sizeof(list) / sizeof(*(list)))])

// In turn, so that few eras have seen all of them.
static struct deployment deployment_of(uint64_t seed, unsigned round, bool clusters)
{
	static const struct deployment list[] = {
		{"3 shards to a server", SIDE_CLUSTER, SIDE_PAIR, 3, 0},
		{"a server to 3 shards", SIDE_PAIR, SIDE_CLUSTER, 0, 3},
		{"3 shards to 2", SIDE_CLUSTER, SIDE_CLUSTER, 3, 2},
		{"sentinels to sentinels", SIDE_WATCHED, SIDE_WATCHED, 0, 0},
		{"2 shards to 3", SIDE_CLUSTER, SIDE_CLUSTER, 2, 3},
		{"sentinels to 2 shards", SIDE_WATCHED, SIDE_CLUSTER, 0, 2},
		{"2 shards to sentinels", SIDE_CLUSTER, SIDE_WATCHED, 2, 0},
	};
	static const struct deployment pairs = {"server to server", SIDE_PAIR, SIDE_PAIR, 0, 0};
	size_t n = sizeof(list) / sizeof(*list);

	return clusters ? list[(seed + round / ERA_ROUNDS) % n] : pairs;
}

struct era era_of(uint64_t seed, unsigned round, bool clusters)
{
	static const char *const backlogs[] = {"64mb", "64mb", "64mb", "64mb", "1mb", "16kb"};
	static const char *const limits[] = {"0", "0", "0", "0", "8388608", "2097152"};
	struct random r = random_of(seed, 1000000 + round / ERA_ROUNDS);

	return (struct era){
		.deployment = deployment_of(seed, round, clusters),
		.source = (enum keeps)random_below(&r, KEEPS_COUNT),
		.target = (enum keeps)random_below(&r, KEEPS_COUNT),
		.backlog = PICK(&r, backlogs),
		.output_limit = PICK(&r, limits),
		.tiny_disk = random_percent(&r, 25),
	};
}

void link_plan_draw(struct link_plan *p, struct random *r)
{
	static const unsigned lanes[] = {1, 1, 1, 2, 3, 5};
	static const char *const windows[] = {"1MB", "2MB", "8MB", "64MB"};
	static const char *const keeps[] = {"0", "0", "1MB", "64MB"};
	static const char *const batches[] = {"1", "7", "128", "128", "128", "1000"};
	static const char *const bigs[] = {"4KB", "64KB", "256KB", "256KB"};

	p->lanes = PICK(r, lanes);
	p->io = random_percent(r, 50) ? "epoll" : "io_uring";
	p->memory_window = PICK(r, windows);
	p->log_keep = PICK(r, keeps);
	p->extra_keys = random_percent(r, 50) ? "auto" : "delete";
	p->ack = random_percent(r, 70) ? "observer" : "applied";
	p->batch = PICK(r, batches);
	p->big_value = PICK(r, bigs);
	p->daemon = random_percent(r, 50);
	p->at_least_once = false;
}

static enum link_change change_draw(struct random *r)
{
	unsigned dice = random_below(r, 100);

	return dice < 45   ? CHANGE_NOTHING
	       : dice < 70 ? CHANGE_ENDED
	       : dice < 90 ? CHANGE_KILLED
			   : CHANGE_FRESH;
}

// Those that exist in the era.
static uint64_t faults_of(const struct era *era)
{
	unsigned n, sides = era->deployment.source | era->deployment.target;
	const struct fault_kind *kinds = fault_kinds(&n);
	uint64_t bits = 0;

	for (unsigned i = 0; i < n; i++)
		if (!kinds[i].sides || kinds[i].sides & sides)
			bits |= 1ull << i;
	return bits;
}

static unsigned kind_draw(struct random *r, uint64_t allowed_faults)
{
	unsigned n, sum = 0;
	const struct fault_kind *kinds = fault_kinds(&n);

	for (unsigned i = 0; i < n; i++)
		sum += allowed_faults >> i & 1 ? kinds[i].weight : 0;
	unsigned dice = random_below(r, sum);
	for (unsigned i = 0; i < n; i++) {
		unsigned weight = allowed_faults >> i & 1 ? kinds[i].weight : 0;
		if (dice < weight)
			return i;
		dice -= weight;
	}
	return 0;
}

static void fault_draw(struct fault_plan *f, struct random *r, const struct era *era,
		       uint64_t allowed_faults)
{
	static const unsigned bytes[] = {0, 1, 3000, 30000, 100000, 300000, 600000};
	unsigned n;

	f->kind = kind_draw(r, allowed_faults);
	f->span = random_percent(r, 60) ? 0 : random_between(r, 1, 3);
	f->bytes = PICK(r, bytes);
	f->amount = random_below(r, 1000);
	f->source_side = random_percent(r, 50);
	f->replacement = (unsigned)random_next(r);
	unsigned sides = fault_kinds(&n)[f->kind].sides;
	if (sides && !(sides & (f->source_side ? era->deployment.source : era->deployment.target)))
		f->source_side = !f->source_side;
}

static unsigned habits_draw(struct random *r)
{
	unsigned habits = 0;

	if (random_percent(r, 12))
		habits |= WRITES_HEAVY;
	if (random_percent(r, 5))
		habits |= WRITES_GIANTS;
	if (random_percent(r, 20))
		habits |= WRITES_FLUSHES;
	if (random_percent(r, 15))
		habits |= WRITES_CALMLY;
	return habits;
}

struct plan plan_of(uint64_t seed, unsigned round, const struct era *era, uint64_t allowed_faults)
{
	struct plan p = {.seed = seed, .round = round};
	struct random r = random_of(seed, round);

	allowed_faults &= faults_of(era);
	p.change = change_draw(&r);
	link_plan_draw(&p.link, &r);
	p.writer_seed = (unsigned)random_next(&r);
	p.connections = random_between(&r, 1, 4);
	p.habits = habits_draw(&r);
	// Delivery at least once is right only for commands that may be repeated; and it leaves no
	// markers by which a later life would know that the target's keys are ours to delete.
	bool pairs = (era->deployment.source & era->deployment.target) == SIDE_PAIR;
	if (random_percent(&r, 4) && pairs) {
		p.change = CHANGE_FRESH;
		p.link.at_least_once = true;
		p.link.extra_keys = "delete";
		p.habits |= WRITES_IDEMPOTENT;
	}
	if (!allowed_faults || random_percent(&r, 4))
		p.n_faults = 0;
	else
		p.n_faults = random_between(&r, 1, random_percent(&r, 20) ? FAULTS_MAX : 3);
	for (unsigned i = 0; i < FAULTS_MAX; i++)
		if (allowed_faults)
			fault_draw(&p.faults[i], &r, era, allowed_faults);
	p.bytes_last = random_percent(&r, 30) ? 0 : 100000;
	return p;
}

void plan_print(const struct plan *p, const struct era *era)
{
	static const char *const keeps[] = {"nothing", "rdb", "aof-everysec", "aof-always"};
	static const char *const changes[] = {"same link", "ended before", "killed before",
					      "fresh link"};
	unsigned n;
	const struct fault_kind *kinds = fault_kinds(&n);

	printf("round %u: %s, source keeps %s, target keeps %s, backlog %s, limit %s%s; %s: %s, %u "
	       "lanes, %s, window %s, log-keep %s, batch %s%s; %u writers, habits %u;",
	       p->round, era->deployment.name, keeps[era->source], keeps[era->target], era->backlog,
	       era->output_limit, era->tiny_disk ? ", tiny disk" : "", changes[p->change],
	       p->link.daemon ? "flyoverd" : "flyover sync", p->link.lanes, p->link.io,
	       p->link.memory_window, p->link.log_keep, p->link.batch,
	       p->link.at_least_once ? ", at least once" : "", p->connections, p->habits);
	for (unsigned i = 0; i < p->n_faults; i++)
		printf(" %s/%s+%u", kinds[p->faults[i].kind].name,
		       p->faults[i].source_side ? "source" : "target", p->faults[i].span);
	putchar('\n');
	fflush(stdout);
}
