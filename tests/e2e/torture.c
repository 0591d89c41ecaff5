// SPDX-License-Identifier: BSD-3-Clause
// The torture: nothing is lost, nothing is applied twice, nothing stays that should be gone,
// whatever dies, breaks, stalls or fills up on the way.
//
//   torture [--clusters] [--seed S[-S]|random] [--rounds N] [--long N] [--from N] [--minutes M]
//           [--faults LIST] [--without LIST] [--keep] [--verbose]
//
// --clusters: source and target are clusters, servers or what sentinels watch, in turn.
// Rounds are those of each seed; --seed random: of one that nobody knows before. --long N: so many
// instead when FLYOVER_TEST_LONG is set.
//
// main() -> torture_seed() -> torture_rounds() -> era_begin(), round_run(), era_end(). A seed and a
// round number decide the choices of a round, whichever rounds ran before it. When one fails, the
// command that repeats it is printed, from the beginning of its era, whose rounds share servers.
#include "tests/e2e/torture.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TINY_DISK "size=12m,mode=0700"

struct options {
	uint64_t seed, seed_last;
	unsigned from, rounds, minutes;
	const char *faults, *without;
};

// ---- Eras

static void tiny_disk_mount(struct torture *t)
{
	t->mounted = t->era.tiny_disk && t->may_mount &&
		     !mount("tmpfs", t->state_dir, "tmpfs", 0, TINY_DISK);
}

static void era_begin(struct torture *t)
{
	void *world = NULL;

	assert_int_equal(world_setup(&world), 0);
	t->world = world;
	t->era = era_of(t->seed, t->round, t->clusters);
	t->state_dir = text("%s/state", t->world->dir);
	t->socket = text("%s/flyoverd.sock", t->state_dir);
	assert_int_equal(mkdir(t->state_dir, 0700), 0);
	tiny_disk_mount(t);
	sides_start(t);
}

// Also after a failure, as far as it came.
static void era_end(struct torture *t, bool passed)
{
	void *world = t->world;

	if (!world)
		return;
	t->world->passed = passed;
	t->job = NULL;
	t->writer = NULL;
	if (t->mounted && passed)
		umount2(t->state_dir, MNT_DETACH);
	t->world = NULL;
	t->mounted = false;
	world_teardown(&world);
}

// ---- Rounds

static void link_change(struct torture *t)
{
	enum link_change change = t->plan.change;

	if (t->job && link_has_ended(t))
		torture_fail(t, "the link ended by itself between two rounds");
	if (t->job && t->link.at_least_once)
		change = CHANGE_FRESH;
	if (!t->job && change != CHANGE_FRESH)
		change = CHANGE_ENDED;
	if (change == CHANGE_NOTHING)
		return;
	if (t->job && change == CHANGE_ENDED) {
		link_end(t);
		link_ended(t);
	} else if (t->job) {
		link_kill(t);
	}
	if (change == CHANGE_FRESH)
		link_forget(t);
	t->link = t->plan.link;
	gap_write(t);
	link_start(t);
}

static void round_run(struct torture *t)
{
	t->plan = plan_of(t->seed, t->round, &t->era, t->allowed_faults);
	t->writers = 0;
	if (t->verbose)
		plan_print(&t->plan, &t->era);
	writer_begin(t);
	link_change(t);
	faults_run(t);
	bytes_wait(t, t->plan.bytes_last, 500);
	writer_end(t);
	round_judge(t);
	if (sanitizer_reports(t->world))
		torture_fail(t, "a sanitizer found something, see above");
	processes_forget(t->world);
	t->tally.rounds++;
}

static void torture_rounds(void **state)
{
	struct torture *t = *state;
	const struct options *o = t->options;
	long long end_ms = now_ms() + o->minutes * 60000ll;

	for (t->round = o->from; t->round < o->from + o->rounds; t->round++) {
		if (o->minutes && now_ms() > end_ms)
			break;
		if (t->world && t->round % ERA_ROUNDS == 0) {
			link_end(t);
			link_ended(t);
			era_end(t, true);
		}
		if (!t->world)
			era_begin(t);
		long long began_ms = now_ms();
		round_run(t);
		if (t->verbose)
			printf("round %u: right after %lld ms\n", t->round, now_ms() - began_ms);
	}
	link_end(t);
	link_ended(t);
	t->passed = true;
}

static int torture_end(void **state)
{
	struct torture *t = *state;

	era_end(t, t->passed);
	return 0;
}

// ---- Report

static void tally_print(const struct torture *t, const struct options *o)
{
	unsigned n;
	const struct fault_kind *kinds = fault_kinds(&n);

	printf("%llu rounds, %llu commands, %u links, %u full syncs;", t->tally.rounds,
	       t->tally.commands, t->tally.links, t->tally.full_syncs);
	for (unsigned i = 0; i < n; i++)
		if (t->tally.faults[i])
			printf(" %llu %s", t->tally.faults[i], kinds[i].name);
	if (o->seed == o->seed_last)
		printf("; seed %llu\n", (unsigned long long)o->seed);
	else
		printf("; seeds %llu-%llu\n", (unsigned long long)o->seed,
		       (unsigned long long)o->seed_last);
}

static void replay_print(const struct torture *t, const struct options *o)
{
	unsigned first = t->round / ERA_ROUNDS * ERA_ROUNDS;

	if (first < o->from)
		first = o->from;
	printf("\nseed %llu failed in round %u; again: %s/tests/e2e/torture",
	       (unsigned long long)t->seed, t->round, build_dir());
	printf("%s --seed %llu --from %u --rounds %u", t->clusters ? " --clusters" : "",
	       (unsigned long long)t->seed, first, t->round - first + 1);
	if (o->faults)
		printf(" --faults %s", o->faults);
	if (o->without)
		printf(" --without %s", o->without);
	puts(" --verbose --keep");
}

// @return 0 when all rounds were right
static int torture_seed(struct torture *t, const struct options *o)
{
	const struct CMUnitTest tests[] = {
		{"torture", torture_rounds, NULL, torture_end, t},
	};

	t->options = o;
	t->passed = false;
	int failed = cmocka_run_group_tests_name("torture", tests, NULL, NULL);
	if (failed)
		replay_print(t, o);
	return failed;
}

// ---- Start

// State folders of their own size need a mount namespace; the mounts end with us.
static bool mounts_take(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		fprintf(stderr, "no disk will be full: a mount namespace is not permitted (%s)\n",
			strerror(errno));
		return false;
	}
	return true;
}

// @param list  names with commas; NULL: all. @return bits, or -1 for a name that is none
static int64_t faults_parse(const char *list)
{
	unsigned n;
	const struct fault_kind *kinds = fault_kinds(&n);
	int64_t bits = 0;

	if (!list)
		return (1ll << n) - 1;
	if (!strcmp(list, "none"))
		return 0;
	for (const char *at = list; *at;) {
		size_t len = strcspn(at, ",");
		unsigned i = 0;
		while (i < n && (strlen(kinds[i].name) != len || memcmp(kinds[i].name, at, len)))
			i++;
		if (i == n)
			return -1;
		bits |= 1ll << i;
		at += len + (at[len] == ',');
	}
	return bits;
}

static void usage_print(void)
{
	unsigned n;
	const struct fault_kind *kinds = fault_kinds(&n);

	fprintf(stderr, "usage: torture [--clusters] [--seed S[-S]|random] [--rounds N] [--long N] "
			"[--from N] [--minutes M] [--faults LIST|none] [--without LIST] "
			"[--keep] [--verbose]\nfaults:");
	for (unsigned i = 0; i < n; i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
}

static void seeds_parse(struct options *o, const char *text)
{
	char *end = "";
	uint32_t random;

	if (strcmp(text, "random"))
		o->seed = strtoull(text, &end, 10);
	else if (getrandom(&random, sizeof(random), 0) == sizeof(random))
		o->seed = random;
	o->seed_last = *end == '-' ? strtoull(end + 1, NULL, 10) : o->seed;
}

static int options_parse(struct options *o, struct torture *t, int argc, char **argv)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'r'},
		{"from", required_argument, NULL, 'f'},
		{"faults", required_argument, NULL, 'F'},
		{"minutes", required_argument, NULL, 'm'},
		{"keep", no_argument, NULL, 'k'},
		{"verbose", no_argument, NULL, 'v'},
		{"long", required_argument, NULL, 'l'},
		{"clusters", no_argument, NULL, 'c'},
		{"without", required_argument, NULL, 'w'},
		{0},
	};
	const char *is_long = getenv("FLYOVER_TEST_LONG");

	for (int c; (c = getopt_long(argc, argv, "v", names, NULL)) != -1;)
		switch (c) {
		case 's':
			seeds_parse(o, optarg);
			break;
		case 'r':
			o->rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			if (is_long && *is_long)
				o->rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			o->from = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			o->minutes = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'F':
			o->faults = optarg;
			break;
		case 'c':
			t->clusters = true;
			break;
		case 'w':
			o->without = optarg;
			break;
		case 'k':
			setenv("FLYOVER_TEST_KEEP", "1", 1);
			break;
		case 'v':
			t->verbose = true;
			break;
		default:
			return -1;
		}
	int64_t bits = faults_parse(o->faults);
	int64_t without = o->without ? faults_parse(o->without) : 0;
	t->allowed_faults = (uint64_t)(bits & ~without);
	return bits < 0 || without < 0 || optind < argc ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1, .seed_last = 1, .rounds = 8};
	struct torture t = {0};
	int failed = 0;

	if (options_parse(&o, &t, argc, argv)) {
		usage_print();
		return 2;
	}
	t.may_mount = mounts_take();
	for (t.seed = o.seed; t.seed <= o.seed_last && !failed; t.seed++)
		failed = torture_seed(&t, &o);
	tally_print(&t, &o);
	return failed ? 1 : 0;
}
