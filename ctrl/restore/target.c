// SPDX-License-Identifier: BSD-3-Clause
// target_look() -> server_look() -> markers_ask() | cluster_look() -> slots_ask(), slots_take() ;
// target_clean() -> markers_ask() | slots_ask(), slots_take()
#include "ctrl/restore/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/client_cluster.h"
#include "parsers/slot.h"

#define KEY_LEN   128
#define NAMES_MAX (LANES_MAX * (LANES_MAX + 1) / 2 + 1)

// The epoch, and the markers of every number of lanes: see README, "Nothing lost, nothing twice".
struct names {
	char text[NAMES_MAX][KEY_LEN];
	struct span words[NAMES_MAX + 1]; // [0] is for the command
	unsigned n;
};

static struct names *names_of(const char *link)
{
	struct names *names = calloc(1, sizeof(*names));
	if (!names)
		return NULL;
	int len = snprintf(names->text[0], KEY_LEN, "__flyover:{%.64s}:epoch", link);
	names->words[1] = (struct span){names->text[0], (size_t)len};
	names->n = 1;
	for (unsigned lanes = 1; lanes <= LANES_MAX; lanes++)
		for (unsigned i = 0; i < lanes; i++, names->n++) {
			char *at = names->text[names->n];
			len = snprintf(at, KEY_LEN, "__flyover:{%.64s}:%u-%u", link,
				       i * SLOT_COUNT / lanes, (i + 1) * SLOT_COUNT / lanes - 1);
			names->words[names->n + 1] = (struct span){at, (size_t)len};
		}
	return names;
}

// @return the reply, or NULL with f
static const struct resp_value *reply_take(struct client *c, const char *what, unsigned *n,
					   struct failure *f)
{
	const struct resp_value *v = client_next(c, n);
	if (!v)
		*f = c->failure;
	else if (v->type == RESP_ERROR)
		client_refused(c, what, v->text, f);
	return v && v->type != RESP_ERROR ? v : NULL;
}

static const struct resp_value *markers_ask(struct client *c, const char *verb, const char *link,
					    unsigned *n, struct failure *f)
{
	struct names *names = names_of(link);
	if (!names) {
		failure_set(f, ERROR_MEMORY, "no memory for the names of the markers");
		return NULL;
	}
	names->words[0] = span_of(verb);
	client_put(c, names->n + 1, names->words);
	const struct resp_value *v = reply_take(c, verb, n, f);
	free(names);
	return v;
}

// db0:keys=1,expires=0,avg_ttl=0
static void keys_count(struct span info, int db, struct target_facts *facts)
{
	const char *end = info.p + info.len;
	for (const char *p = info.p; p && p < end;
	     p = memchr(p, '\n', (size_t)(end - p)), p += !!p) {
		size_t left = (size_t)(end - p);
		const char *keys = memmem(p, left, ":keys=", 6);
		if (left < 3 || p[0] != 'd' || p[1] != 'b' || !keys)
			continue;
		if (db >= 0 && span_digits((struct span){p + 2, left - 2}) != (uint64_t)db)
			continue;
		facts->n_keys += span_digits((struct span){keys + 6, (size_t)(end - keys) - 6});
	}
}

static void markers_read(const struct resp_value *v, unsigned n, struct target_facts *facts)
{
	for (unsigned i = 1; i < n; i++) {
		if (v[i].type != RESP_STRING)
			continue;
		facts->marked = true;
		facts->streamed |= memmem(v[i].text.p, v[i].text.len, " stream ", 8) != NULL;
	}
}

// ---- A cluster --------------------------------------------------------------------------------

// Markers lie with the slots: one of each, and a claim now and then. See dataplane/apply/
// slot_marker.h.
static void slots_ask(struct client *c, const char *verb, const char *link)
{
	char marker[KEY_LEN], claim[KEY_LEN];
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		const char *tag = cluster_tag((uint16_t)slot);
		int len = snprintf(marker, KEY_LEN, "__flyover:{%s}:%.64s", tag, link);
		int claim_len = snprintf(claim, KEY_LEN, "__flyover:{%s}:%.64s:low", tag, link);
		struct span words[3] = {
			span_of(verb), {marker, (size_t)len}, {claim, (size_t)claim_len}};
		client_put(c, 3, words);
	}
	int len = snprintf(marker, KEY_LEN, "__flyover:{%.64s}:epoch", link);
	struct span words[2] = {span_of(verb), {marker, (size_t)len}};
	client_put(c, 2, words);
}

// @param facts  NULL: nobody wants to know what they were
static int slots_take(struct client *c, const char *verb, struct target_facts *facts,
		      struct failure *f)
{
	unsigned n;
	for (unsigned slot = 0; slot <= SLOT_COUNT; slot++) {
		const struct resp_value *v = reply_take(c, verb, &n, f);
		if (!v)
			return -1;
		if (facts && v->type == RESP_ARRAY)
			markers_read(v, n, facts);
	}
	return 0;
}

static int cluster_look(struct client *c, const char *link, struct target_facts *facts,
			struct failure *f)
{
	for (unsigned i = 0; client_master_choose(c, i); i++) {
		client_ask(c, "INFO keyspace");
		const struct resp_value *v = reply_take(c, "INFO", NULL, f);
		if (!v)
			return -1;
		if (v->type == RESP_STRING)
			keys_count(v->text, 0, facts);
	}
	slots_ask(c, "MGET", link);
	return slots_take(c, "MGET", facts, f);
}

static int server_look(struct client *c, const char *link, int db, struct target_facts *facts,
		       struct failure *f)
{
	unsigned n;
	client_ask(c, "INFO keyspace");
	const struct resp_value *v = reply_take(c, "INFO", NULL, f);
	if (v && v->type == RESP_STRING)
		keys_count(v->text, db, facts);
	v = v ? markers_ask(c, "MGET", link, &n, f) : NULL;
	if (v && v->type == RESP_ARRAY)
		markers_read(v, n, facts);
	return v ? 0 : -1;
}

// ---- Either -----------------------------------------------------------------------------------

int target_look(const struct endpoint *e, const char *link, int db, struct target_facts *facts,
		struct failure *f)
{
	struct client c;
	*facts = (struct target_facts){0};
	if (client_open_any(&c, e, "the target", f))
		return -1;
	int rc = client_is_cluster(&c) ? cluster_look(&c, link, facts, f)
				       : server_look(&c, link, db, facts, f);
	client_close(&c);
	return rc;
}

int target_clean(const struct endpoint *e, const char *link, struct failure *f)
{
	struct client c;
	unsigned n;
	int rc;
	if (client_open_any(&c, e, "the target", f))
		return -1;
	if (client_is_cluster(&c)) {
		slots_ask(&c, "DEL", link);
		rc = slots_take(&c, "DEL", NULL, f);
	} else {
		rc = markers_ask(&c, "DEL", link, &n, f) ? 0 : -1;
	}
	client_close(&c);
	return rc;
}
