// SPDX-License-Identifier: BSD-3-Clause
// Rows about both servers: do they fit together?
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/doctor/rows.h"
#include "parsers/rewrite_older.h"
#include "parsers/server_version.h"

#define RDB_VERSION_SHARED 11 // the last one that both families have
#define CLIENTS_SPARE      8 // connections that we and a redis-cli take
#define SKEW_MAX_MS        1000

static bool is_replica(const struct server_facts *s)
{
	return !strcmp(s->role, "slave");
}

static bool same_server(const struct facts *k)
{
	const char *id = k->source.run_id;
	return strlen(id) >= 16 && !strcmp(id, k->target.run_id);
}

// Whether both, being two, belong to one replication tree.
static bool same_tree(const struct facts *k)
{
	const char *id = k->source.replid;
	return !same_server(k) && id[0] && strspn(id, "0") != strlen(id) &&
	       !strcmp(id, k->target.replid);
}

// Whether a replica names the other as its master.
static bool follows(const struct server_facts *s, const struct server_facts *master)
{
	return is_replica(s) && master->host[0] && !strcasecmp(s->master_host, master->host) &&
	       number_read(s->master_port) == master->port;
}

void row_same_server(const struct facts *k, struct findings *f)
{
	if (same_server(k))
		finding_put(f, SEVERITY_DAMAGE, NULL,
			    "source and target are the same server: both answer with run id %.8s",
			    k->source.run_id);
}

void row_target_follows(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	struct mend m;
	if (is_replica(t) && (same_tree(k) || follows(t, s)))
		finding_put(f, SEVERITY_DAMAGE, mend_cli(&m, t, "REPLICAOF NO ONE"),
			    "the target is a replica that follows the source by itself (master "
			    "%s:%s)",
			    t->master_host, t->master_port);
}

void row_source_follows(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	struct mend m;
	if (is_replica(s) && !is_replica(t) && (same_tree(k) || follows(s, t)))
		finding_put(f, SEVERITY_DAMAGE, mend_cli(&m, s, "REPLICAOF NO ONE"),
			    "the source is a replica of the target: what is written there would "
			    "come back without end");
}

static void mode_judge(const struct server_facts *s, struct findings *f)
{
	if (!strcmp(s->mode, "sentinel"))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "%s is a Sentinel, which is not supported yet: name the server itself",
			    s->who);
}

void row_mode(const struct facts *k, struct findings *f)
{
	mode_judge(&k->source, f);
	mode_judge(&k->target, f);
}

void row_loading(const struct facts *k, struct findings *f)
{
	const struct server_facts *both[] = {&k->source, &k->target};
	for (unsigned i = 0; i < 2; i++)
		if (both[i]->loading == 1)
			finding_put(f, SEVERITY_WARNING, NULL,
				    "%s is loading its data: a link waits until it is done",
				    both[i]->who);
}

// ---- Versions ---------------------------------------------------------------------------------

static void clients_row(const struct server_facts *s, int64_t need, struct findings *f)
{
	struct mend m;
	if (s->maxclients > 0 && s->connected_clients + need > s->maxclients)
		finding_put(f, SEVERITY_WARNING,
			    mend_cli(&m, s, "CONFIG SET maxclients %lld",
				     (long long)s->maxclients + 1000),
			    "%s has %lld of at most %lld clients", s->who,
			    (long long)s->connected_clients, (long long)s->maxclients);
}

void row_source_clients(const struct facts *k, struct findings *f)
{
	clients_row(&k->source, CLIENTS_SPARE, f);
}

void row_target_clients(const struct facts *k, struct findings *f)
{
	clients_row(&k->target, (int64_t)k->settings.lanes + CLIENTS_SPARE, f);
}

void row_versions(const struct facts *k, struct findings *f)
{
	if (k->source.version && k->target.version)
		finding_put(f, SEVERITY_INFO, NULL, "the source is %s, the target is %s",
			    k->source.version_text, k->target.version_text);
}

void row_source_age(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	if (!s->version)
		return;
	if (s->version < SERVER_VERSION(2, 8))
		finding_put(f, SEVERITY_ERROR, NULL, "the source is %s, which knows no PSYNC",
			    s->version_text);
	if (s->version >= (s->valkey ? SERVER_VERSION(9, 2) : SERVER_VERSION(8, 12)))
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the source is %s: values that only this version has end the link",
			    s->version_text);
}

// The RDB version up to which both families agree, as far as a server restores it.
static unsigned rdb_version(const struct server_facts *s)
{
	struct server_version v = {.valkey = s->valkey, .at = (uint16_t)s->version};
	unsigned version = server_rdb_version(&v);
	return version < RDB_VERSION_SHARED ? version : RDB_VERSION_SHARED;
}

void row_target_age(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	if (!s->version || !t->version)
		return;
	unsigned from = rdb_version(s), to = rdb_version(t);
	if (t->version < SERVER_VERSION(2, 8))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the target is %s: a link writes to 2.8 and later", t->version_text);
	else if (from > to)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the target (%s, RDB %u) is older than the source (%s, RDB %u): %s "
			    "go there by commands, and what it cannot hold is parked",
			    t->version_text, to, s->version_text, from,
			    to < 10 ? "small hashes, sorted sets, lists and streams"
				    : "small sets and streams");
}

void row_functions(const struct facts *k, struct findings *f)
{
	if (k->source.libraries > 0 && k->target.version &&
	    k->target.version < SERVER_VERSION(7, 0))
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the source has %lld function libraries, which are parked: the target "
			    "(%s) knows no functions",
			    (long long)k->source.libraries, k->target.version_text);
}

static bool takes_field_expiry(const struct server_facts *s, const struct server_facts *t)
{
	if (s->valkey != t->valkey)
		return false; // the forms in which they are dumped differ
	return t->version >= (t->valkey ? SERVER_VERSION(9, 0) : SERVER_VERSION(7, 4));
}

void row_field_expiry(const struct facts *k, struct findings *f)
{
	if (k->source.field_expiry && k->target.version &&
	    !takes_field_expiry(&k->source, &k->target))
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the source (%s) has hashes with fields that expire, which the target "
			    "(%s) cannot restore: they are parked, or lose those expiries with "
			    "--field-ttl=drop",
			    k->source.version_text, k->target.version_text);
}

// ---- Commands ---------------------------------------------------------------------------------

// A command that is missing by the target's version, and cannot be said otherwise, counts when the
// source has had calls of it. One
// that its version should have was renamed or switched off.
void row_commands(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	const struct server_version release = {.valkey = t->valkey, .at = (uint16_t)t->version};
	struct verb_set newer = {0}, off = {0}, off_used = {0};
	struct older older;
	char names[200];
	struct verb v;
	older_init(&older, &release, false);
	for (unsigned i = 0; verb_at(i, &v); i++) {
		bool used = verb_set_has(&s->used, i) || verb_is_ours(&v);
		if (!v.name || v.side == VERB_SOURCE)
			continue;
		if (!verb_since(&v, t->valkey, t->version)) {
			if (used && !(v.row && older_reaches(&older, v.row)))
				verb_set_add(&newer, i);
		} else if (verb_set_has(&t->rights.absent, i) && (v.row || v.needed)) {
			verb_set_add(used ? &off_used : &off, i);
		}
	}
	if (verb_set_text(&newer, names, sizeof(names)))
		finding_put(f, SEVERITY_WARNING, NULL,
			    "clients of the source use commands that the target (%s) does not "
			    "know, and that have no older words, so they are parked: %s",
			    t->version_text, names);
	if (verb_set_text(&off_used, names, sizeof(names)))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the target does not know commands that a link needs, renamed or "
			    "switched off there: %s",
			    names);
	if (verb_set_text(&off, names, sizeof(names)))
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the target does not know %s, renamed or switched off there: a link "
			    "ends when the source sends one",
			    names);
}

// ---- Modules ----------------------------------------------------------------------------------

static const struct module *module_find(const struct server_facts *s, const char *name)
{
	for (unsigned i = 0; i < s->n_modules; i++)
		if (!strcasecmp(s->modules[i].name, name))
			return &s->modules[i];
	return NULL;
}

void row_modules(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source, *t = &k->target;
	// Redis 8 brings modules along that nobody need have used.
	bool bundled = !s->valkey && s->version >= SERVER_VERSION(8, 0);
	struct mend m;
	for (unsigned i = 0; t->modules_known && i < s->n_modules; i++) {
		const struct module *a = &s->modules[i], *b = module_find(t, a->name);
		if (!b)
			finding_put(f, bundled ? SEVERITY_WARNING : SEVERITY_ERROR,
				    mend_cli(&m, t, "MODULE LOAD /path/to/%s.so", a->name),
				    "the source has the module %s, the target has not: values of "
				    "it cannot be restored there",
				    a->name);
		else if (b->version < a->version)
			finding_put(f, SEVERITY_WARNING, NULL,
				    "the module %s is older in the target (%lld) than in the "
				    "source (%lld)",
				    a->name, (long long)b->version, (long long)a->version);
	}
}

// ---- Clock ------------------------------------------------------------------------------------

void row_clock(const struct facts *k, struct findings *f)
{
	long long skew = k->target.skew_ms - k->source.skew_ms;
	if (llabs(skew) > SKEW_MAX_MS)
		finding_put(f, SEVERITY_WARNING, "chronyc makestep",
			    "the clock of the target is %lld ms %s the source's: keys expire that "
			    "much %s there",
			    llabs(skew), skew > 0 ? "ahead of" : "behind",
			    skew > 0 ? "earlier" : "later");
}
