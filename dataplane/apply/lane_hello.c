// SPDX-License-Identifier: BSD-3-Clause
// The handshake of a lane:
//
//   [AUTH] CLIENT SETNAME, CLIENT ID, INFO, MULTI, EXEC  -> who is there, may we do what we need
//   [CLIENT LIST]                                        -> our id, where CLIENT ID is not known
//   [CLIENT KILL ID old] MGET epoch marker               -> what does it hold
//
// The first lane asks for the markers of all lanes before that. When it opens again, it does so
// once no former connection of any lane can write any more: until then they may say too little.
#include "dataplane/apply/hello.h"
#include "dataplane/apply/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "parsers/auth_error.h"
#include "parsers/info.h"
#include "parsers/noperm.h"
#include "parsers/resp_write.h"
#include "parsers/tls_record.h"

#define MS_NS 1000000ull

enum hello_step {
	STEP_AUTH,
	STEP_SETNAME,
	STEP_CLIENT_ID,
	STEP_INFO,
	STEP_MULTI,
	STEP_EXEC,
	STEP_OWN_ID, // of servers before 5.0
	STEP_LOOK_EPOCH,
	STEP_LOOK_LIST,
	STEP_EPOCH,
	STEP_LIST,
	STEP_OTHERS, // until the other lanes are open
	STEP_FENCE,  // until MGET answers
	STEP_KILL,
	STEP_MARKER,
	STEP_END,
};

#define PUT(...) (n += RESP_WRITE(out + n, sizeof(out) - n, __VA_ARGS__))

// The handshake is small and the stream is fresh: what does not fit at once is a failure.
static void hello_write(struct lane *l, const char *p, size_t len)
{
	struct iovec iov = {(void *)p, len};
	ssize_t n = stream_writev(l->stream, &iov, 1);
	if (n != (ssize_t)len)
		lane_back_off(l, lane_stream_error(l), "the connection to the target was lost: %s",
			      n < 0 ? stream_why(l->stream, (int)-n) : "it takes no bytes");
}

// No two connections have the same name, so that CLIENT LIST can tell which one is ours.
static void client_name(const struct lane *l, char name[CLIENT_NAME_LEN])
{
	hello_name(name, l->config->name, l->run, l->index, l->n_hellos);
}

void lane_hello_begin(struct lane *l)
{
	const struct endpoint *e = &l->config->target;
	char out[2048], name[CLIENT_NAME_LEN];
	size_t n = 0;
	l->n_hellos++;
	client_name(l, name);
	l->hello = resp_replies_new();
	if (!l->hello) {
		lane_fail(l, ERROR_MEMORY, "no memory for a connection");
		return;
	}
	l->hello_step = e->has_password ? STEP_AUTH : STEP_SETNAME;
	n = hello_compose(out, sizeof(out), e, name);
	atomic_store_explicit(&l->state, LANE_HELLO, memory_order_relaxed);
	hello_write(l, out, n);
	explicit_bzero(out, sizeof(out));
}

// What the connection before this one has sent, and the server has not read yet, must not run.
//
// @return whether there was one
static bool old_kill(struct lane *l)
{
	char out[128], id[24];
	size_t n = 0;
	if (!l->old_client_id || l->restarted)
		return false;
	snprintf(id, sizeof(id), "%llu", (unsigned long long)l->old_client_id);
	PUT("CLIENT", "KILL", "ID", id);
	hello_write(l, out, n);
	return true;
}

static void marker_ask(struct lane *l)
{
	char out[512], epoch[MARKER_KEY_LEN];
	size_t n = 0;
	marker_epoch_key(epoch, l->config->name);
	l->hello_step = old_kill(l) ? STEP_KILL : STEP_MARKER;
	if (!l->stream)
		return;
	PUT("MGET", epoch, l->marker_key);
	atomic_store_explicit(&l->state, LANE_MARKER, memory_order_relaxed);
	hello_write(l, out, n);
}

// ---- Fence

// Look before writing: a target that no life of this link has ever written to is left untouched
// until the source has accepted us.
static void fence_look(struct lane *l)
{
	char out[256], epoch[MARKER_KEY_LEN];
	size_t n = 0;
	marker_epoch_key(epoch, l->config->name);
	PUT("GET", epoch);
	PUT("CLIENT", "LIST");
	l->epoch = 0;
	l->hello_step = STEP_LOOK_EPOCH;
	atomic_store_explicit(&l->state, LANE_FENCE, memory_order_relaxed);
	hello_write(l, out, n);
}

// First the epoch, so that whoever connects from now on as a former life finds itself replaced;
// then who is connected by now.
static void fence_ask(struct lane *l)
{
	char out[256], epoch[MARKER_KEY_LEN];
	size_t n = 0;
	marker_epoch_key(epoch, l->config->name);
	PUT("INCR", epoch);
	PUT("CLIENT", "LIST");
	l->hello_step = STEP_EPOCH;
	atomic_store_explicit(&l->state, LANE_FENCE, memory_order_relaxed);
	hello_write(l, out, n);
}

// MGET of the markers that any number of lanes may have left.
static void markers_ask(struct lane *l)
{
	old_kill(l);
	if (!l->stream)
		return;
	size_t max = (size_t)LANES_MAX * (LANES_MAX + 1) / 2 * (MARKER_KEY_LEN + 16) + 64, n;
	char *out = malloc(max), key[MARKER_KEY_LEN];
	if (!out) {
		lane_fail(l, ERROR_MEMORY, "no memory for a connection");
		return;
	}
	n = (size_t)snprintf(out, max, "*%u\r\n$4\r\nMGET\r\n",
			     LANES_MAX * (LANES_MAX + 1) / 2 + 1);
	for (unsigned lanes = 1; lanes <= LANES_MAX; lanes++) {
		for (unsigned i = 0; i < lanes; i++) {
			size_t len = marker_key(key, l->config->name, slots_first(i, lanes),
						slots_first(i + 1, lanes) - 1);
			n += (size_t)snprintf(out + n, max - n, "$%zu\r\n%s\r\n", len, key);
		}
	}
	l->hello_step = STEP_FENCE;
	atomic_store_explicit(&l->state, LANE_FENCE, memory_order_relaxed);
	hello_write(l, out, n);
	free(out);
}

// The others close what they had as they open.
static void others_await(struct lane *l)
{
	l->hello_step = STEP_OTHERS;
	atomic_store_explicit(&l->state, LANE_FENCE, memory_order_relaxed);
	lane_hello_turn(l);
}

void lane_hello_turn(struct lane *l)
{
	if (l->hello_step != STEP_OTHERS)
		return;
	l->hello_deadline_ns = l->now.mono_ns + l->config->settings.connect_timeout * MS_NS;
	if (lane_others_opened(l))
		markers_ask(l);
}

// Ask for the id of this connection where CLIENT ID, of 5.0, is not known: without it a connection
// that breaks cannot be closed from the next one.
static void own_id_ask(struct lane *l)
{
	char out[64];
	size_t n = 0;
	PUT("CLIENT", "LIST");
	l->hello_step = STEP_OWN_ID;
	hello_write(l, out, n);
}

static void own_id_take(struct lane *l, const struct resp_value *list)
{
	char name[CLIENT_NAME_LEN];
	client_name(l, name);
	if (list->type == RESP_STRING)
		l->client_id = hello_own_id(list->text, name);
}

static void stranger_kill(void *lane, uint64_t id)
{
	struct lane *l = lane;
	char text[24], out[128];
	size_t n = 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	PUT("CLIENT", "KILL", "ID", text);
	if (l->stream)
		hello_write(l, out, n);
}

static void fence_decide(struct lane *l, const struct resp_value *list)
{
	if (l->was_marked || (list->type == RESP_STRING &&
	     hello_strangers(list->text, l->config->name, l->run, NULL, NULL))) {
		fence_ask(l);
		return;
	}
	l->epoch = 1; // stands in the target with the first markers
	markers_ask(l);
}

// @param v  the array of MGET, its elements behind it
static void founds_take(struct lane *l, const struct resp_value *v, unsigned n)
{
	free(l->found);
	l->n_found = 0;
	atomic_store_explicit(&l->found_server, l->server, memory_order_relaxed);
	l->found = calloc(n, sizeof(*l->found));
	unsigned at = 1;
	for (unsigned lanes = 1; lanes <= LANES_MAX && l->found; lanes++) {
		for (unsigned i = 0; i < lanes && at < n; i++, at++) {
			struct lane_found *f = &l->found[l->n_found];
			f->first_slot = slots_first(i, lanes);
			f->last_slot = slots_first(i + 1, lanes) - 1;
			if (v[at].type == RESP_STRING && !marker_parse(&f->marker, v[at].text))
				l->n_found++;
		}
	}
	marker_ask(l);
}

// ---- INFO

static void not_redis(struct lane *l)
{
	char place[TEXT_LEN];
	lane_fail(l, ERROR_NOT_REDIS, "what answers at the target %s is no Redis server",
		  seek_place(&l->seek, place));
}

static void info_take(struct lane *l, const struct resp_value *v)
{
	struct span info = v->text;
	char run_id[LANE_RUN_ID_LEN] = "", role[16] = "", mode[16] = "";
	if (v->type != RESP_STRING || !info_field(info, "run_id", run_id, sizeof(run_id))) {
		not_redis(l);
		return;
	}
	server_version_read(info, &l->version);
	atomic_store_explicit(&l->release, l->version.at | (uint32_t)l->version.valkey << 16,
			      memory_order_relaxed);
	info_field(info, "role", role, sizeof(role));
	info_field(info, "redis_mode", mode, sizeof(mode));
	l->is_replica = !strcmp(role, "slave");
	l->is_cluster = !strcmp(mode, "cluster");
	l->restarted = l->open_run_id[0] && strcmp(l->open_run_id, run_id) != 0;
	snprintf(l->run_id, sizeof(l->run_id), "%s", run_id);
	atomic_store_explicit(&l->server, XXH3_64bits(run_id, strlen(run_id)),
			      memory_order_relaxed);
	if (!l->opened)
		l->n_keys = hello_keys(info, l->config);
}

// ---- Replies

// @param step  that was refused. A login that is not understood is one that was not let in
static void hello_error(struct lane *l, unsigned step, struct span line)
{
	enum error_id error;
	enum refusal refusal = refusal_of(line, &error);
	if (step == STEP_AUTH && (refusal == REFUSAL_STOP || refusal == REFUSAL_PARK)) {
		refusal = REFUSAL_STOP;
		error = ERROR_AUTH;
	}
	const struct endpoint *e = &l->config->target;
	char advice[TEXT_LEN], says[AUTH_ERROR_LEN];
	auth_error_text(line, e->password, says);
	noperm_advice(line, e->user, advice, sizeof(advice));
	bool waits = error == ERROR_AUTH && l->was_ready &&
		     endpoint_password_may_change(e, l->config->settings.fail_fast);
	if (refusal == REFUSAL_STOP && !waits)
		lane_fail(l, error, "the target says: %s%s", says, advice);
	else if (refusal == REFUSAL_PARK)
		lane_fail(l, ERROR_NOT_REDIS, "the target says: %s", says);
	else
		lane_back_off(l, error, "the target says: %s", says);
}

static void hello_settle(struct lane *l)
{
	char place[TEXT_LEN];
	seek_place(&l->seek, place);
	if (l->is_cluster)
		lane_fail(l, ERROR_CONFIG,
			  "the target %s is a cluster node, which redis:// does not write to",
			  place);
	else if (l->is_replica)
		lane_back_off(l, ERROR_TARGET_READONLY, "the target %s is a replica", place);
	else if (!l->index && !l->was_ready)
		fence_look(l);
	else if (!l->index && !l->opened)
		others_await(l);
	else
		marker_ask(l);
}

// ---- What the marker says

// Batches that the target holds already are done. @return false when the target lost something
static bool marker_reconcile(struct lane *l, const struct marker *m)
{
	bool exact = l->config->settings.delivery == DELIVERY_EXACTLY_ONCE;
	bool snapshot = atomic_load_explicit(&l->phase_snapshot, memory_order_relaxed);
	bool ours = m && m->run == l->run;
	bool torn = l->torn_seq && !l->restarted; // we removed it, or it is of a later batch
	uint64_t held = ours ? m->seq : 0;
	if (l->restarted && l->plain_done_seq > held && snapshot) {
		lane_resync(l, "the target was restarted while the snapshot was loaded");
		return false;
	}
	if (exact && !torn && held < l->framed_done_seq) {
		lane_look(l, m ? "the target has lost writes that it had answered"
			       : "the marker is gone from the target");
		return false;
	}
	// Another process may hold less than the markers said that we go by.
	if (exact && !snapshot && l->opened && l->restarted && !l->framed_done_seq) {
		lane_look(l, "the target was restarted");
		return false;
	}
	// Behind a refused batch it may speak of a later one: those are all sent again.
	while (l->n_queued && ours && !l->torn_seq && lane_batch(l, 0)->framed &&
	       lane_batch(l, 0)->seq <= held)
		lane_batch_done(l, true);
	return true;
}

// What is on its way was worded for another release: it is read again from the markers on.
static bool release_reconcile(struct lane *l)
{
	uint32_t release = atomic_load_explicit(&l->release, memory_order_relaxed);
	bool differs = l->opened && release != l->open_release;
	l->open_release = release;
	if (differs)
		lane_look(l, "the target is another release now (%s)", l->version.text);
	return !differs;
}

static void lane_open(struct lane *l, const struct marker *m)
{
	lane_send_rewind(l, 0);
	if (!marker_reconcile(l, m) || !release_reconcile(l))
		return;
	lane_replies_reset(l);
	resp_replies_free(l->hello);
	l->hello = NULL;
	l->was_ready = l->opened = true;
	l->old_client_id = 0; // it is closed
	snprintf(l->open_run_id, sizeof(l->open_run_id), "%s", l->run_id);
	l->backoff_ns = l->waiting_since_ns = 0;
	atomic_store(&l->wait_deadline_ms, 0);
	shared_text_set(&l->waiting, "");
	atomic_store_explicit(&l->state, LANE_READY, memory_order_release);
	core_wake(l->home);
	if (l->index)
		core_wake(l->all[0].core);
}

// Whether a later life of this link has taken the target over. Before the first lane has drawn an
// epoch there is nothing to compare.
static bool is_replaced(const struct lane *l, const struct resp_value *epoch)
{
	if (!l->was_ready || !l->all[0].epoch || epoch->type != RESP_STRING)
		return false;
	char number[24];
	snprintf(number, sizeof(number), "%.*s", (int)epoch->text.len, epoch->text.p);
	return strtoull(number, NULL, 10) > l->all[0].epoch;
}

// @param v  array, epoch, marker
static void marker_take(struct lane *l, const struct resp_value *v, unsigned n)
{
	struct marker m;
	if (n != 3)
		not_redis(l);
	else if (is_replaced(l, &v[1]))
		lane_fail(l, ERROR_MARKER, "another flyover has taken over this link's target");
	else if (v[2].type == RESP_NIL)
		lane_open(l, NULL);
	else if (v[2].type == RESP_STRING && !marker_parse(&m, v[2].text))
		lane_open(l, &m);
	else
		lane_fail(l, ERROR_MARKER, "the key %s of the target is not a marker of ours",
			  l->marker_key);
}

// Refusals that leave us with less comfort, but able to work.
static bool may_fail(unsigned step)
{
	return step == STEP_SETNAME || step == STEP_CLIENT_ID || step == STEP_OWN_ID ||
	       step == STEP_LOOK_LIST || step == STEP_LIST || step == STEP_FENCE ||
	       step == STEP_KILL;
}

// Behind the replies of CLIENT KILL comes that of MGET, without which nothing goes on.
static bool denies_markers(unsigned step, struct span error)
{
	char word[NOPERM_WORD_LEN];
	return step == STEP_FENCE && noperm_word(error, word) && !strcmp(word, "+mget");
}

static void hello_step(struct lane *l, const struct resp_value *v, unsigned n)
{
	unsigned step = l->hello_step++;
	if (v->type == RESP_ERROR && (!may_fail(step) || denies_markers(step, v->text))) {
		hello_error(l, step, v->text);
		return;
	}
	switch (step) {
	case STEP_CLIENT_ID:
		l->client_id = v->type == RESP_INTEGER ? (uint64_t)v->integer : 0;
		break;
	case STEP_INFO:
		info_take(l, v);
		break;
	case STEP_EXEC:
		if (l->client_id || l->version.at >= SERVER_VERSION(5, 0))
			hello_settle(l);
		else
			own_id_ask(l);
		break;
	case STEP_OWN_ID:
		own_id_take(l, v);
		hello_settle(l);
		break;
	case STEP_LOOK_EPOCH:
		l->was_marked = v->type == RESP_STRING;
		break;
	case STEP_LOOK_LIST:
		fence_decide(l, v);
		break;
	case STEP_EPOCH:
		l->epoch = v->type == RESP_INTEGER ? (uint64_t)v->integer : 0;
		break;
	case STEP_LIST:
		if (v->type == RESP_STRING)
			hello_strangers(v->text, l->config->name, l->run, stranger_kill, l);
		if (l->stream)
			markers_ask(l);
		break;
	case STEP_FENCE:
		l->hello_step = STEP_FENCE; // replies of CLIENT KILL come first
		if (v->type == RESP_ARRAY)
			founds_take(l, v, n);
		break;
	case STEP_MARKER:
		marker_take(l, v, n);
		break;
	default:
		break;
	}
}

// @param n  as the stream's read said
static void hello_lost(struct lane *l, ssize_t n)
{
	bool silent = l->hello_step <= STEP_SETNAME && !l->config->target.tls;
	lane_back_off(l, lane_stream_error(l),
		      "the target closed the connection in the handshake%s%s%s", n ? ": " : "",
		      n ? stream_why(l->stream, (int)-n) : "", silent ? "; " TLS_PORT_HINT : "");
}

void lane_hello_replies(struct lane *l)
{
	char in[16384];
	while (l->stream && l->hello && (l->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(l->stream, in, sizeof(in));
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			hello_lost(l, n);
			return;
		}
		if (tls_alert_begins((struct span){in, (size_t)n})) {
			lane_fail(l, ERROR_TLS,
				  "the target speaks TLS on this port: take rediss:// or its port "
				  "for plain text");
			return;
		}
		if (resp_replies_feed(l->hello, in, (size_t)n)) {
			lane_fail(l, ERROR_MEMORY, "no memory for a reply");
			return;
		}
		const struct resp_value *v;
		unsigned n_values;
		enum resp_verdict verdict = RESP_MORE;
		while (l->hello &&
		       (verdict = resp_replies_next(l->hello, &v, &n_values)) == RESP_OK)
			hello_step(l, v, n_values);
		if (l->hello && verdict == RESP_BAD)
			lane_fail(l, ERROR_NOT_REDIS,
				  "what answers at the target does not speak RESP");
	}
}
