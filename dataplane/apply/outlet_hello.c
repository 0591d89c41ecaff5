// SPDX-License-Identifier: BSD-3-Clause
// The handshake of an outlet:
//
//   [AUTH] CLIENT SETNAME, CLIENT ID, INFO, MULTI, EXEC  -> who is there, may we do what we need
//   [CLIENT LIST]                                        -> our id where CLIENT ID is not known, or
//                                                           whether former lives are connected
//   [CLIENT KILL ID old]                                 -> nothing of us runs there any more
//   [GET epoch, at the node that has it]                 -> nobody has replaced us
#include "dataplane/apply/outlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"
#include "dataplane/apply/hello.h"
#include "parsers/auth_error.h"
#include "parsers/info.h"
#include "parsers/noperm.h"
#include "parsers/resp_write.h"
#include "parsers/tls_record.h"

enum step {
	STEP_AUTH,
	STEP_SETNAME,
	STEP_CLIENT_ID,
	STEP_INFO,
	STEP_MULTI,
	STEP_EXEC,
	STEP_LIST,
	STEP_KILL,
};

#define ASK_EVERY_NS 100000000ull

#define PUT(...) (n += RESP_WRITE(out + n, sizeof(out) - n, __VA_ARGS__))

static void hello_write(struct outlet *o, const char *p, size_t len)
{
	struct iovec iov = {(void *)p, len};
	ssize_t n = stream_writev(o->stream, &iov, 1);
	if (n != (ssize_t)len)
		outlet_back_off(o, "the connection to the target's node %s:%u was lost: %s",
				o->host, o->port,
				n < 0 ? stream_why(o->stream, (int)-n) : "it takes no bytes");
}

static void own_name(const struct outlet *o, char name[CLIENT_NAME_LEN])
{
	const struct lane *l = o->cluster->lane;
	hello_name(name, l->config->name, l->run, l->index, o->n_hellos);
}

void outlet_hello_begin(struct outlet *o)
{
	struct lane *l = o->cluster->lane;
	const struct endpoint *e = &l->config->target;
	char out[2048], name[CLIENT_NAME_LEN];
	o->n_hellos++;
	own_name(o, name);
	o->hello = resp_replies_new();
	if (!o->hello) {
		lane_fail(l, ERROR_MEMORY, "no memory for a connection");
		return;
	}
	o->hello_step = e->has_password ? STEP_AUTH : STEP_SETNAME;
	o->state = OUTLET_HELLO;
	o->n_strangers = o->n_kills = 0;
	o->fenced = false;
	hello_write(o, out, hello_compose(out, sizeof(out), e, name));
	explicit_bzero(out, sizeof(out));
}

// ---- Who is there

static void info_take(struct outlet *o, const struct resp_value *v)
{
	struct lane *l = o->cluster->lane;
	char mode[16] = "";
	if (v->type != RESP_STRING ||
	    !info_field(v->text, "run_id", o->run_id, sizeof(o->run_id))) {
		lane_fail(l, ERROR_NOT_REDIS,
			  "what answers at the target's node %s:%u is no Redis "
			  "server",
			  o->host, o->port);
		return;
	}
	info_field(v->text, "redis_mode", mode, sizeof(mode));
	if (strcmp(mode, "cluster") != 0) {
		lane_fail(l, ERROR_CONFIG,
			  "the target's node %s:%u is no cluster node; take redis:// for it",
			  o->host, o->port);
		return;
	}
	server_version_read(v->text, &o->version);
	o->n_keys = hello_keys(v->text, l->config);
}

// Another process may hold less than the one that we wrote to.
static bool is_another(struct outlet *o)
{
	if (!o->open_run_id[0] || !strcmp(o->open_run_id, o->run_id))
		return false;
	map_look(o->cluster, "the target's node %s:%u was restarted", o->host, o->port);
	return true;
}

static void list_ask(struct outlet *o)
{
	char out[64];
	size_t n = 0;
	PUT("CLIENT", "LIST");
	o->hello_step = STEP_LIST;
	hello_write(o, out, n);
}

static void hello_over(struct outlet *o)
{
	struct lane *l = o->cluster->lane;
	resp_replies_free(o->hello);
	o->hello = NULL;
	o->state = OUTLET_CHECK;
	o->check_from_ns = l->was_ready ? l->now.mono_ns : 0;
	outlet_check(o);
}

static void old_kill(struct outlet *o)
{
	char out[128], id[24];
	size_t n = 0;
	if (!o->old_client_id || strcmp(o->old_run_id, o->run_id) != 0) {
		hello_over(o);
		return;
	}
	snprintf(id, sizeof(id), "%llu", (unsigned long long)o->old_client_id);
	PUT("CLIENT", "KILL", "ID", id);
	o->hello_step = STEP_KILL;
	hello_write(o, out, n);
}

static void who_is_known(struct outlet *o)
{
	const struct lane *l = o->cluster->lane;
	if (is_another(o))
		return;
	bool first_look = !l->index && !l->was_ready;
	if (first_look || (!o->client_id && o->version.at < SERVER_VERSION(5, 0)))
		list_ask(o);
	else
		old_kill(o);
}

static void list_take(struct outlet *o, const struct resp_value *v)
{
	const struct lane *l = o->cluster->lane;
	char name[CLIENT_NAME_LEN];
	own_name(o, name);
	if (v->type == RESP_STRING) {
		if (!o->client_id)
			o->client_id = hello_own_id(v->text, name);
		o->n_strangers = hello_strangers(v->text, l->config->name, l->run, NULL, NULL);
	}
	old_kill(o);
}

// ---- Replies

static void hello_error(struct outlet *o, struct span line)
{
	enum error_id error;
	enum refusal refusal = refusal_of(line, &error);
	struct lane *l = o->cluster->lane;
	const struct endpoint *e = &l->config->target;
	char says[AUTH_ERROR_LEN];
	bool waits = error == ERROR_AUTH && l->was_ready &&
		     endpoint_password_may_change(e, l->config->settings.fail_fast);
	auth_error_text(line, e->password, says);
	noperm_short(line, e->user, says, sizeof(says));
	if ((refusal == REFUSAL_STOP || refusal == REFUSAL_PARK) && !waits)
		lane_fail(l, refusal == REFUSAL_STOP ? error : ERROR_NOT_REDIS,
			  "the target's node %s:%u says: %s", o->host, o->port, says);
	else
		outlet_back_off(o, "the target's node %s:%u says: %s", o->host, o->port, says);
}

// Refusals that leave us with less comfort, but able to work.
static bool may_fail(unsigned step)
{
	return step == STEP_SETNAME || step == STEP_CLIENT_ID || step == STEP_LIST ||
	       step == STEP_KILL;
}

static void hello_step(struct outlet *o, const struct resp_value *v)
{
	unsigned step = o->hello_step++;
	if (v->type == RESP_ERROR && !may_fail(step)) {
		hello_error(o, v->text);
		return;
	}
	switch (step) {
	case STEP_CLIENT_ID:
		o->client_id = v->type == RESP_INTEGER ? (uint64_t)v->integer : 0;
		break;
	case STEP_INFO:
		info_take(o, v);
		break;
	case STEP_EXEC:
		who_is_known(o);
		break;
	case STEP_LIST:
		list_take(o, v);
		break;
	case STEP_KILL:
		hello_over(o);
		break;
	default:
		break;
	}
}

static void hello_lost(struct outlet *o, ssize_t n)
{
	bool silent = o->hello_step <= STEP_SETNAME && !o->cluster->lane->config->target.tls;
	outlet_back_off(o, "the target's node %s:%u closed the connection in the handshake%s%s%s",
			o->host, o->port, n ? ": " : "", n ? stream_why(o->stream, (int)-n) : "",
			silent ? "; " TLS_PORT_HINT : "");
}

void outlet_hello_replies(struct outlet *o)
{
	struct lane *l = o->cluster->lane;
	char in[16384];
	while (o->stream && o->hello && (o->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(o->stream, in, sizeof(in));
		const struct resp_value *v;
		unsigned n_values;
		enum resp_verdict verdict = RESP_MORE;
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			hello_lost(o, n);
			return;
		}
		if (resp_replies_feed(o->hello, in, (size_t)n)) {
			lane_fail(l, ERROR_MEMORY, "no memory for a reply");
			return;
		}
		while (o->hello &&
		       (verdict = resp_replies_next(o->hello, &v, &n_values)) == RESP_OK)
			hello_step(o, v);
		if (o->hello && verdict == RESP_BAD)
			lane_fail(l, ERROR_NOT_REDIS,
				  "what answers at the target's node %s:%u does not speak RESP",
				  o->host, o->port);
	}
}

// ---- The epoch

static void outlet_opens(struct outlet *o)
{
	struct cluster_lane *c = o->cluster;
	o->state = OUTLET_READY;
	o->backoff_ns = o->since_ns = 0;
	o->check_from_ns = 0;
	memcpy(o->open_run_id, o->run_id, sizeof(o->open_run_id));
	slots_of_outlet_ready(c, o);
}

static void epoch_ask(struct outlet *at)
{
	uint64_t now = at->cluster->lane->now.mono_ns;
	if (at->check_sent_ns > at->check_stands_ns && now < at->check_sent_ns + ASK_EVERY_NS)
		return; // its answer is on its way
	at->check_sent_ns = now;
	outlet_push(at, (struct unit){.slot = SLOTS_ALL, .kind = UNIT_CHECK});
}

void outlet_check(struct outlet *o)
{
	struct cluster_lane *c = o->cluster;
	uint8_t has = c->slots[epoch_slot(c)].outlet;
	struct outlet *at = has == OUTLET_NONE ? NULL : c->outlets[has];
	if (!o->check_from_ns || (at && at->check_stands_ns >= o->check_from_ns))
		outlet_opens(o);
	else if (at && at->state >= OUTLET_CHECK)
		epoch_ask(at);
}

void outlet_check_take(struct outlet *o, char type, struct span text)
{
	struct lane *l = o->cluster->lane;
	char number[24];
	snprintf(number, sizeof(number), "%.*s", (int)text.len, text.p);
	if (type == '-') { // it has moved: the map will tell where to ask
		map_poke(o->cluster);
		return;
	}
	o->check_stands_ns = o->check_sent_ns;
	if (type == '$' && l->all[0].epoch && strtoull(number, NULL, 10) > l->all[0].epoch)
		lane_fail(l, ERROR_MARKER, "another flyover has taken over this link's target");
}
