// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/rights.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
#define X(name, verb, who) name = 1u << RIGHTS_##name,
	RIGHTS_USERS(X)
#undef X
	// Who has much in common.
	LINK_SOURCES = SYNC_SOURCE | DOCTOR_SOURCE,
	REPLICAS = LINK_SOURCES | DUMP_SOURCE | PROBE_SOURCE,
	LINK_TARGETS = SYNC_TARGET | DOCTOR_TARGET | PROBE_TARGET,
	LANES = LINK_TARGETS | RESTORE_TARGET,
	REPLAYS = LANES | RETRY_TARGET, // what a stream, an AOF or a journal holds
	SCANNED = SCAN_SOURCE | FOLLOW_SOURCE,
	COPIED = SCANNED | REPAIR_SOURCE,
	CHECKED = CHECK_SOURCE | CHECK_TARGET | REPAIR_SOURCE | REPAIR_TARGET,
	READ = CHECKED | SCANNED,
	COPY_TARGETS = SCAN_TARGET | REPAIR_TARGET,
	WRITTEN = REPLAYS | COPY_TARGETS,
	ALL = (1u << RIGHTS_USERS_COUNT) - 1,
	CLUSTERS = SYNC_SOURCE | SYNC_TARGET | RESTORE_TARGET | CHECKED,
	GATHERED = SYNC_TARGET | RESTORE_TARGET, // commands over slots
};

#define MESSAGES  "a message that clients of the source publish ends the link"
#define STRANGERS "what a life that was killed has left in its connections may still be applied"
#define HELD      "keys held by a full sync that crashed may expire a day late"
#define NOTIFIED  "notify-keyspace-events is yours to set, and --trust-notifications to say"
#define GAP       "a value that is rebuilt is missing for a moment"
#define LATE      "a failover is known once a connection breaks, not before"
#define PIECES    "a value that is copied in pieces while it changes is told by its length alone"

// In the order of the lines: a server goes through the words from left to right, and '-' takes away
// what stands before it.
// clang-format off
static const struct right rights[] = {
	{"~*", 0, READ | HARVEST_SOURCE | WRITTEN, 0},
	{"~__flyover:probe:*", 0, PROBE_SOURCE, 0},
	{"&*", 0, 0, LINK_TARGETS | RETRY_TARGET, MESSAGES},
	{"&__keyevent@*__:*", 0, FOLLOW_SOURCE, 0},
	{"&__flyover:probe:*", 0, PROBE_SOURCE, 0},
	{"&+switch-master", 0, 0, SENTINELS, LATE},

	{"+@all", 0, PROBE_SOURCE, 0},
	{"+@read", 0, READ | PROBE_TARGET, 0},
	{"+@write", 0, WRITTEN, 0},
	{"-@dangerous", 0, READ | WRITTEN | PROBE_SOURCE, 0},
	{"RESTORE", 0, REPLAYS | PROBE_SOURCE, COPY_TARGETS,
	 "values are rebuilt by their commands, consumer groups not exactly"},
	{"SORT", 0, REPLAYS | PROBE_SOURCE, 0},
	{"SWAPDB", 0, REPLAYS, 0},
	{"FLUSHALL", 0, REPLAYS, 0},
	{"FLUSHDB", 0, REPLAYS, 0},

	{"PING", 1, ALL & ~(PROBE_SOURCE | SYNC_SOURCE), SYNC_SOURCE, "there is no pre-flight"},
	{"INFO", 1, ALL & ~(RETRY_TARGET | SENTINELS | SYNC_SOURCE | DUMP_SOURCE),
	 SYNC_SOURCE | DUMP_SOURCE, "the version and the lag of the source are not known"},
	{"PSYNC", 1, REPLICAS, 0},
	{"REPLCONF", 1, REPLICAS, 0},
	{"SELECT", 2, READ | HARVEST_SOURCE | WRITTEN, 0},
	{"MULTI", 1, REPLAYS, COPIED, PIECES},
	{"EXEC", 1, REPLAYS, COPIED, PIECES},
	{"WATCH", 0, 0, COPIED, PIECES},
	{"UNWATCH", 0, 0, COPIED, PIECES},
	{"MULTI", 0, 0, COPY_TARGETS, GAP},
	{"EXEC", 0, 0, COPY_TARGETS, GAP},
	{"GET", 2, LANES, 0},
	{"MGET", 2, REPLAYS, 0},
	{"SCAN", 2, LANES | HARVEST_SOURCE, 0},
	{"DUMP", 0, HARVEST_SOURCE, 0},
	{"PEXPIRETIME", 0, HARVEST_SOURCE, 0},
	{"PTTL", 0, HARVEST_SOURCE, 0, "no key can be read",
	 "from a server before 7.0, instead of +pexpiretime"},
	{"MEMORY USAGE", 0, 0, HARVEST_SOURCE, "big values are asked for as if they were small"},
	{"PFCOUNT", 0, REPLAYS, 0},
	{"PTTL", 2, 0, LANES, HELD},
	{"TIME", 1, 0, LANES, HELD},
	{"TIME", 0, 0, SCANNED | REPAIR_SOURCE | HARVEST_SOURCE,
	 "the source's clock is taken for ours", "from a server before 7.0, or to one before 5.0"},
	{"PUBLISH", 0, 0, LINK_TARGETS | RETRY_TARGET, MESSAGES},
	{"SPUBLISH", 0, 0, LINK_TARGETS | RETRY_TARGET, MESSAGES},
	{"FUNCTION LIST", 2, CHECKED, LANES,
	 "functions that the source does not have stay in the target"},
	{"FUNCTION DUMP", 0, 0, COPIED | HARVEST_SOURCE, "functions are not copied"},
	{"CLIENT SETNAME", 3, 0, LANES, STRANGERS},
	{"CLIENT ID", 2, 0, LANES, STRANGERS},
	{"CLIENT LIST", 2, 0, LANES, STRANGERS},
	{"CLIENT KILL", 3, 0, LANES, STRANGERS},
	{"PSUBSCRIBE", 0, FOLLOW_SOURCE, 0},
	{"CONFIG GET", 0, 0, LINK_SOURCES | LINK_TARGETS | PROBE_SOURCE,
	 "the doctor and the pre-flight look at no settings"},
	{"CONFIG GET", 0, 0, FOLLOW_SOURCE, NOTIFIED},
	{"CONFIG SET", 0, 0, FOLLOW_SOURCE, NOTIFIED},
	{"MODULE LIST", 0, 0, LINK_SOURCES | LINK_TARGETS | PROBE_SOURCE,
	 "modules are not compared"},
	{"DISCARD", 1, 0, LINK_TARGETS, "the doctor does not find out whether EXEC is allowed"},
	{"CLIENT NO-TOUCH", 0, 0, SCANNED | HARVEST_SOURCE,
	 "our reading counts as a use of the keys (LRU, LFU)", "from 7.2 on"},
	{"EVAL", 0, 0, REPLAYS,
	 "commands that it does not know, and that take a script, end the link",
	 "to a target older than its source"},
	{"CLUSTER NODES", 2, CLUSTERS, 0, .kind = RIGHTS_CLUSTER},
	{"CLUSTER SLOTS", 2, 0, CLUSTERS, "the names of nodes are those that they call themselves",
	 .kind = RIGHTS_CLUSTER},
	{"CLUSTER INFO", 2, 0, SYNC_SOURCE | GATHERED, "the age of a map is not known",
	 .kind = RIGHTS_CLUSTER},
	{"ASKING", 1, CHECKED | GATHERED, 0, .kind = RIGHTS_CLUSTER},
	{"DUMP", 2, GATHERED, 0, .kind = RIGHTS_CLUSTER},
	{"PEXPIRETIME", 2, GATHERED, 0, .kind = RIGHTS_CLUSTER},
	{"LINDEX", 3, GATHERED, 0, .kind = RIGHTS_CLUSTER},
	{"EXISTS", 2, GATHERED, 0, .kind = RIGHTS_CLUSTER},
	{"ROLE", 1, 0, SYNC_SOURCE | SYNC_TARGET,
	 "the sentinels are believed, and the server is not asked whether it is a master",
	 .kind = RIGHTS_WATCHED},
	{"SENTINEL GET-MASTER-ADDR-BY-NAME", 0, SENTINELS, 0},
	{"SENTINEL MASTER", 0, 0, SENTINELS,
	 "a sentinel that has slept is believed, since its configuration epoch is not known"},
	{"SENTINEL SENTINELS", 0, 0, SENTINELS, "those alone are asked that the URL names"},
	{"SUBSCRIBE", 0, 0, SENTINELS, LATE},
	{"SENTINEL SLAVES", 0, SENTINELS, 0, "no replica is found", "with --prefer-replica"},
};
// clang-format on

_Static_assert(RIGHTS_USERS_COUNT < 32, "a bit each");
#define N_RIGHTS (sizeof(rights) / sizeof(rights[0]))

const struct right *right_at(unsigned i)
{
	return i < N_RIGHTS ? &rights[i] : NULL;
}

static const struct rights_row users[] = {
#define X(name, verb, who) {verb, who},
	RIGHTS_USERS(X)
#undef X
};

const struct rights_row *rights_row(enum rights_user user)
{
	return &users[user];
}

static bool is_command(const struct right *r)
{
	return isupper((uint8_t)r->word[0]);
}

size_t right_text(const struct right *r, char *out, size_t out_len)
{
	char word[64];
	size_t n = 0;
	if (is_command(r))
		word[n++] = '+';
	for (const char *p = r->word; *p && n < sizeof(word) - 1; p++)
		word[n++] = *p == ' ' ? '|' : (char)(is_command(r) ? tolower((uint8_t)*p) : *p);
	word[n] = 0;
	const char *quote = strpbrk(word, "~*&|") ? "'" : "";
	return (size_t)snprintf(out, out_len, "%s%s%s", quote, word, quote);
}

static bool has_user(const struct right *r, enum rights_user user)
{
	return (r->needed | r->useful) >> user & 1;
}

static bool in_line(const struct right *r, enum rights_user user, enum rights_kind kind)
{
	return has_user(r, user) && !r->when && (!r->kind || r->kind == kind);
}

const char *rights_text(enum rights_user user, enum rights_kind kind, char *out)
{
	size_t at = 0;
	out[0] = 0;
	for (unsigned i = 0; i < N_RIGHTS; i++) {
		if (!in_line(&rights[i], user, kind) || at + 2 >= RIGHTS_LEN)
			continue;
		if (at)
			out[at++] = ' ';
		at += right_text(&rights[i], out + at, RIGHTS_LEN - at);
	}
	return out;
}

// ---- Help -------------------------------------------------------------------------------------

static bool of_verb(unsigned user, const char *verb)
{
	return !*verb || !strcmp(users[user].verb, verb) || (1u << user & SENTINELS);
}

// A kind of deployment that needs nothing of its own has no line.
static void lines_print(unsigned user)
{
	static const char *const kinds[] = {"", ", each node of a cluster",
					    ", each server that sentinels watch"};
	char words[RIGHTS_LEN], plain[RIGHTS_LEN];
	rights_text(user, RIGHTS_SINGLE, plain);
	for (unsigned kind = RIGHTS_SINGLE; kind <= RIGHTS_WATCHED; kind++)
		if (strcmp(rights_text(user, kind, words), plain) || kind == RIGHTS_SINGLE)
			printf("%s%s:\n  ACL SETUSER flyover reset on '>PASSWORD' %s\n",
			       users[user].who, kinds[kind], words);
}

static bool has_note(const struct right *r, const char *verb)
{
	bool noted = false;
	for (unsigned user = 0; user < RIGHTS_USERS_COUNT && r->without; user++)
		noted |= of_verb(user, verb) && has_user(r, user) &&
			 (r->useful >> user & 1 || r->when);
	return noted;
}

static bool says_the_same(const struct right *a, const struct right *b)
{
	return !strcmp(a->without, b->without) &&
	       !strcmp(a->when ? a->when : "", b->when ? b->when : "");
}

// Words of which the same is to be said stand in one note.
static void notes_print(const char *verb)
{
	bool told[N_RIGHTS] = {false};
	char word[64];
	for (unsigned i = 0; i < N_RIGHTS; i++) {
		if (told[i] || !has_note(&rights[i], verb))
			continue;
		for (unsigned k = i; k < N_RIGHTS; k++) {
			if (!has_note(&rights[k], verb) || !says_the_same(&rights[i], &rights[k]))
				continue;
			told[k] = true;
			right_text(&rights[k], word, sizeof(word));
			printf("%s%s", k == i ? "  " : " ", word);
		}
		if (rights[i].when)
			printf(" : %s; without it %s\n", rights[i].when, rights[i].without);
		else
			printf(" : %s\n", rights[i].without);
	}
}

static void verb_print(const char *verb)
{
	printf("flyover %s\n\n", verb);
	for (unsigned user = 0; user < RIGHTS_USERS_COUNT; user++)
		if (of_verb(user, verb))
			lines_print(user);
	puts("\nWhat may be left out, and what is missed then:");
	notes_print(verb);
	putchar('\n');
}

int rights_print(const char *verb)
{
	unsigned n = 0;
	for (unsigned user = 0; user < RIGHTS_USERS_COUNT; user++)
		n += !(1u << user & SENTINELS) && of_verb(user, verb);
	if (!n)
		return -1;
	puts("Users with the rights that a verb needs, and no more: take a name and a password of\n"
	     "your own. A server before 7.0 does not know +spublish, +function and the words with\n"
	     "a '|', and one before 6.2 no '&*': leave them out there.\n");
	const char *last = "";
	for (unsigned user = 0; user < RIGHTS_USERS_COUNT; user++) {
		if ((1u << user & SENTINELS) || !of_verb(user, verb) ||
		    !strcmp(users[user].verb, last))
			continue;
		last = users[user].verb;
		verb_print(last);
	}
	return 0;
}
