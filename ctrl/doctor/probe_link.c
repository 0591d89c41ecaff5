// SPDX-License-Identifier: BSD-3-Clause
// probe_link_open() -> hello() -> psync_partial() | psync_full()
// probe_link_gather() -> command_wait() -> command_take()
#include "ctrl/doctor/probe_link.h"

#include <stdlib.h>

#include "ctrl/clock.h"
#include "ctrl/doctor/probe_snapshot.h"
#include "parsers/server_version.h"

#define TURN_MS     50
#define ACK_MS      250
#define FENCE_WAIT_MS 20000

static int link_failed(const struct probe_link *l, struct failure *f)
{
	*f = l->client.failure;
	return -1;
}

// ---- The handshake ----------------------------------------------------------------------------

static int replconf(struct probe_link *l, struct failure *f)
{
	const struct resp_value *v = client_next(&l->client, NULL);
	if (!v)
		return link_failed(l, f);
	if (v->type == RESP_ERROR && v->text.len > 6 && !memcmp(v->text.p, "NOPERM", 6))
		return client_refused(&l->client, "REPLCONF", v->text, f);
	return 0;
}

// An empty filter asks for a snapshot without data; who does not know it says so and sends all.
static int hello(struct probe_link *l, bool no_data, struct failure *f)
{
	const struct span filter[] = {SPAN_LIT("REPLCONF"), SPAN_LIT("rdb-filter-only"), {"", 0}};
	client_ask(&l->client, "REPLCONF capa eof capa psync2");
	if (replconf(l, f))
		return -1;
	if (!no_data)
		return 0;
	client_put(&l->client, 3, filter);
	return replconf(l, f);
}

static int psync_partial(struct probe_link *l, const struct server_facts *info, struct failure *f)
{
	client_ask(&l->client, "PSYNC %b %d", span_of(info->replid), (long long)info->offset + 1);
	const struct resp_value *v = client_next(&l->client, NULL);
	if (!v)
		return link_failed(l, f);
	if (v->type == RESP_STATUS && v->text.len >= 8 && !memcmp(v->text.p, "CONTINUE", 8))
		return 0;
	if (v->type == RESP_STATUS)
		return failure_set(f, ERROR_LINK_STATE,
				   "the source wants a full sync (BGSAVE) although it has a "
				   "backlog: `--probe=full` takes one, a larger "
				   "repl-backlog-size spares it");
	return failure_set(f, ERROR_PSYNC_REFUSED, "the source refuses PSYNC: %.*s",
			   (int)(v->text.len < 200 ? v->text.len : 200), v->text.p);
}

static int psync_full(struct probe_link *l, struct failure *f)
{
	client_ask(&l->client, "PSYNC ? -1");
	return probe_snapshot_skip(&l->client, l->go_on, l->arg, f);
}

int probe_link_open(struct probe_link *l, const struct endpoint *source,
		    const struct server_facts *info, bool full, struct failure *f)
{
	l->client.fd = -1;
	if (!full && info->backlog_active != 1)
		return failure_set(f, ERROR_LINK_STATE,
				   "the source keeps no backlog, as no replica was connected to "
				   "it: reading its stream would cost it a full sync (BGSAVE), "
				   "which `--probe=full` allows");
	if (client_open(&l->client, source, "the source", f) ||
	    hello(l, full && info->version >= SERVER_VERSION(7, 0), f))
		return -1;
	return full ? psync_full(l, f) : psync_partial(l, info, f);
}

void probe_link_close(struct probe_link *l)
{
	if (l->client.replies)
		client_close(&l->client);
}

// ---- The stream -------------------------------------------------------------------------------

// An offset that does not move, so that nobody counts on us; a source sends nothing behind a
// snapshot before it has heard one, and lets us go without.
static void acknowledge(struct probe_link *l)
{
	uint64_t now = mono_ms();
	if (now - l->acked_ms < ACK_MS)
		return;
	client_ask(&l->client, "REPLCONF ACK 0");
	l->acked_ms = now;
}

// The next command of the stream. @return its nodes, or NULL with f
static const struct resp_value *command_wait(struct probe_link *l, uint64_t end_ms, unsigned *n,
					     struct failure *f)
{
	struct client *c = &l->client;
	for (;;) {
		acknowledge(l);
		client_flush(c);
		const struct resp_value *v = client_poll(c, n);
		if (v && mono_ms() <= end_ms)
			return v;
		if (c->failure.id) {
			link_failed(l, f);
			return NULL;
		}
		if (!l->go_on(l->arg)) {
			failure_set(f, ERROR_LINK_STATE, "the probe was interrupted");
			return NULL;
		}
		if (mono_ms() > end_ms) {
			failure_set(f, ERROR_DEADLINE,
				    "the source's stream has not brought a write of the probe's "
				    "own for %d s",
				    FENCE_WAIT_MS / 1000);
			return NULL;
		}
		clients_wait(&c, 1, TURN_MS);
	}
}

struct gathering {
	struct probe_list *came;
	bool in_multi, ours; // a transaction is under way; a command of it is ours
	unsigned before_n;   // what `came` was when it began
	size_t before_len;
	bool before_cut;
};

// @return the number of a fence, or -1 when it is none
static long fence_number(const struct probe_link *l, unsigned argc, const struct span *argv)
{
	size_t len = strlen(l->names->prefix);
	if (argc < 3 || !probe_is_key(l->names, argv[1]) || argv[1].len != len + 5 ||
	    memcmp(argv[1].p + len, "fence", 5))
		return -1;
	return (long)span_digits(argv[2]);
}

static bool is_bookkeeping(struct span name)
{
	return span_caseeq(name, "SELECT") || span_caseeq(name, "PING") ||
	       span_caseeq(name, "REPLCONF");
}

static void transaction_end(struct gathering *g)
{
	if (!g->ours) { // somebody else's
		g->came->n = g->before_n;
		g->came->len = g->before_len;
		g->came->cut = g->before_cut;
	}
	g->in_multi = false;
}

static void command_take(struct probe_link *l, struct gathering *g, unsigned argc,
			 const struct span *argv)
{
	if (is_bookkeeping(argv[0]))
		return;
	bool ours = probe_is_ours(l->names, argc, argv);
	if (span_caseeq(argv[0], "MULTI")) {
		g->in_multi = true;
		g->ours = false;
		g->before_n = g->came->n;
		g->before_len = g->came->len;
		g->before_cut = g->came->cut;
	}
	g->ours |= ours;
	if (ours || g->in_multi)
		probe_list_add(g->came, argc, argv);
	if (span_caseeq(argv[0], "EXEC") && g->in_multi)
		transaction_end(g);
}

// The words of a command. @return how many, 0 when it is none
static unsigned words_of(const struct resp_value *v, unsigned n, struct span *argv)
{
	unsigned argc = v->type == RESP_ARRAY && v->elements == n - 1 ? v->elements : 0;
	if (argc > PROBE_ARGS_MAX + 1) // one more than a list takes, so that it is cut
		argc = PROBE_ARGS_MAX + 1;
	for (unsigned i = 0; i < argc; i++) {
		if (v[i + 1].type != RESP_STRING)
			return 0;
		argv[i] = v[i + 1].text;
	}
	return argc;
}

int probe_link_gather(struct probe_link *l, unsigned fence, struct probe_list *came,
		      struct failure *f)
{
	struct gathering g = {.came = came};
	struct span argv[PROBE_ARGS_MAX + 1];
	uint64_t end_ms = mono_ms() + FENCE_WAIT_MS;
	unsigned n;
	came->n = 0;
	came->len = 0;
	came->cut = false;
	for (;;) {
		const struct resp_value *v = command_wait(l, end_ms, &n, f);
		if (!v)
			return -1;
		unsigned argc = words_of(v, n, argv);
		if (!argc)
			return failure_set(f, ERROR_STREAM_GARBAGE,
					   "the source's stream holds what is no command");
		long number = fence_number(l, argc, argv);
		if (number == (long)fence)
			return 0;
		if (number < 0)
			command_take(l, &g, argc, argv);
	}
}
