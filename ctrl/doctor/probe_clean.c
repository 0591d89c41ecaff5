// SPDX-License-Identifier: BSD-3-Clause
// probe_clean_all() -> names_gather(), side_clean() -> database_clean()
#include "ctrl/doctor/probe_clean.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/doctor/probe_cases.h"

#define KEYS_MAX 48

struct keys {
	unsigned n;
	struct span list[KEYS_MAX]; // names without the prefix
};

static void key_add(struct keys *k, struct span name)
{
	for (unsigned i = 0; i < k->n; i++)
		if (span_eq(k->list[i], name))
			return;
	if (k->n < KEYS_MAX)
		k->list[k->n++] = name;
}

// "@cup" of a case's text.
static void names_gather(struct keys *k, const char *text)
{
	for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@'))
		key_add(k, (struct span){at + 1, strcspn(at + 1, " ")});
}

static void key_delete(struct client *c, const struct probe_names *names, struct span name)
{
	char key[PROBE_PREFIX_LEN + 32];
	snprintf(key, sizeof(key), "%s%.*s", names->prefix, (int)name.len, name.p);
	client_ask(c, "DEL %b", span_of(key));
}

static void library_delete(struct client *c, const struct probe_names *names)
{
	char library[64];
	snprintf(library, sizeof(library), "flyover_probe_%s", names->token);
	client_ask(c, "FUNCTION DELETE %b", span_of(library));
}

// ---- After a case -----------------------------------------------------------------------------

static bool has_library(const struct probe_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (span_eq(l->list[i].argv[0], SPAN_LIT("FUNCTION")))
			return true;
	return false;
}

static void keys_delete(struct client *c, const struct probe_names *names,
			const struct probe_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		for (unsigned k = 1; k < l->list[i].argc; k++)
			if (probe_is_key(names, l->list[i].argv[k]))
				client_ask(c, "DEL %b", l->list[i].argv[k]);
}

int probe_clean_case(struct pair *p, const struct probe_names *names,
		     const struct probe_list *setup, const struct probe_list *command,
		     struct failure *f)
{
	for (int i = 0; i < 2; i++) {
		struct client *c = &p->client[i];
		keys_delete(c, names, setup);
		keys_delete(c, names, command);
		if (has_library(setup) || has_library(command))
			library_delete(c, names);
		while (c->pending)
			if (client_skip(c))
				return pair_failed(p, f);
	}
	return 0;
}

// ---- At the end -------------------------------------------------------------------------------

static void database_clean(struct client *c, const struct probe_names *names, int db,
			   const struct keys *keys)
{
	client_ask(c, "SELECT %d", (long long)db);
	for (unsigned i = 0; i < keys->n; i++)
		key_delete(c, names, keys->list[i]);
}

// @return 0 everything was deleted, or was not there
static int side_clean(const struct endpoint *e, const char *who, const struct probe_names *names,
		      int db, const struct keys *keys)
{
	struct client *c = malloc(sizeof(*c));
	struct failure f;
	int rc = c ? client_open(c, e, who, &f) : -1;
	if (rc == 0) {
		database_clean(c, names, db, keys);
		if (names->other_db >= 0)
			database_clean(c, names, names->other_db, keys);
		while (c->pending && rc == 0) {
			const struct resp_value *v = client_next(c, NULL);
			rc = v && v->type != RESP_ERROR ? 0 : -1;
		}
		library_delete(c, names); // before 7.0, and where there is none, an error
		rc = client_skip(c) ? -1 : rc;
		client_close(c);
	}
	free(c);
	return rc;
}

int probe_clean_all(const struct link_config *c, const struct probe_names *names, const int db[2])
{
	struct keys keys = {.n = 2, .list = {SPAN_LIT("fence"), SPAN_LIT("marker")}};
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	for (unsigned i = 0; i < n; i++) {
		names_gather(&keys, rows[i].setup);
		names_gather(&keys, rows[i].command);
	}
	int source = side_clean(&c->source, "the source", names, db[SOURCE], &keys);
	int target = side_clean(&c->target, "the target", names, db[TARGET], &keys);
	return source || target ? -1 : 0;
}
