// SPDX-License-Identifier: BSD-3-Clause
// Reading key by key where the source gives no right to replicate: one connection names the keys,
// another gives their values.
//
// dump_by_scan() -> both_open(), databases_find(), file_begin(), harvest_database()
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/databases.h"
#include "ctrl/check/tree.h"
#include "ctrl/clock.h"
#include "ctrl/dump/harvest.h"

#define VALKEY_VERSION_MIN 80 // from here on its RDB versions and magic are its own

static int databases_find(struct harvest *h, struct databases *all)
{
	const struct decode_filter *f = &h->d->options->filter;
	struct client *c = &h->naming.client[SOURCE];
	*all = (struct databases){0};
	if (f->one_db) {
		all->n = 1;
		all->pairs[0][SOURCE] = (int)f->db;
		return 0;
	}
	client_ask(c, "INFO keyspace");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return pair_failed(&h->naming, h->d->failure);
	if (v->type != RESP_STRING)
		return client_refused(c, "INFO", v->text, h->d->failure);
	databases_add(all, v->text);
	return 0;
}

// ---- What stands before the keys --------------------------------------------------------------

// The libraries one by one, where they are not to be had as they stand in a file.
static int libraries_write(struct harvest *h)
{
	unsigned n;
	struct client *c = &h->naming.client[SOURCE];
	client_ask(c, "FUNCTION LIST WITHCODE");
	const struct resp_value *v = client_next(c, &n);
	if (!v)
		return pair_failed(&h->naming, h->d->failure);
	if (value_is_error(v, "NOPERM"))
		dump_note(h->d, "functions are not in the file: %.*s",
			  v->text.len < 150 ? (int)v->text.len : 150, v->text.p);
	for (unsigned at = 1; v->type == RESP_ARRAY && at < n; at = tree_skip(v, n, at)) {
		unsigned code = tree_field(v, n, at, "library_code");
		if (code)
			rdb_write_function(&h->w, v[code].text);
	}
	return 0;
}

static void head_write(struct harvest *h, int version)
{
	struct dump_progress *p = h->d->progress;
	const char *name = strchr(p->server.text, ' '); // "redis 7.0.15"
	char now[24];
	snprintf(now, sizeof(now), "%llu", (unsigned long long)(wall_ms() / 1000));
	p->version = h->payload.version = version;
	p->magic = version >= VALKEY_VERSION_MIN ? RDB_MAGIC_VALKEY : RDB_MAGIC_REDIS;
	h->payload.magic = p->magic;
	rdb_write_magic(&h->w, p->magic, version);
	if (name)
		rdb_write_aux(&h->w, span_of(p->server.valkey ? "valkey-ver" : "redis-ver"),
			      span_of(name + 1));
	rdb_write_aux(&h->w, SPAN_LIT("redis-bits"), SPAN_LIT("64"));
	rdb_write_aux(&h->w, SPAN_LIT("ctime"), span_of(now));
}

// The version of the file is that of the source's payloads, which FUNCTION DUMP shows (7.0), else
// that of its release.
static int file_begin(struct harvest *h)
{
	struct client *c = &h->naming.client[SOURCE];
	const struct decode_filter *f = &h->d->options->filter;
	bool functions = !f->match && (!f->type || !strcasecmp(f->type, "function"));
	client_ask(c, "FUNCTION DUMP");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return pair_failed(&h->naming, h->d->failure);
	bool whole = v->type == RESP_STRING && v->text.len >= RDB_FOOTER_LEN;
	int version =
		whole ? payload_version(v->text) : server_rdb_version(&h->d->progress->server);
	if (version == 0)
		return failure_set(h->d->failure, ERROR_NOPERM,
				   "the source %s tells its version neither by INFO nor by "
				   "FUNCTION DUMP", c->url);
	head_write(h, version);
	if (!functions)
		return 0;
	if (!whole)
		return libraries_write(h);
	rdb_write_bytes(&h->w, (struct span){v->text.p, v->text.len - RDB_FOOTER_LEN});
	return 0;
}

static int both_open(struct harvest *h)
{
	struct dump *d = h->d;
	struct client *naming = &h->naming.client[SOURCE];
	if (dump_connect(d, naming) || dump_connect(d, &h->values) || dump_look(d, naming) ||
	    can_probe_source(&h->can, &h->naming, d->failure))
		return -1;
	if (!h->can.dump)
		return failure_set(d->failure, ERROR_NOPERM,
				   "the source %s gives neither the right to replicate nor DUMP: "
				   "`flyover help rights dump` prints both",
				   naming->url);
	client_ask(&h->values, "CLIENT NO-TOUCH ON"); // 7.2: our reading keeps nothing warm
	if (client_skip(&h->values)) {
		*d->failure = h->values.failure;
		return -1;
	}
	h->names = (struct names){.client = naming,
				  .measures = h->can.memory_usage,
				  .match = d->options->filter.match};
	return 0;
}

static int harvest_run(struct harvest *h)
{
	struct databases all;
	int rc = databases_find(h, &all) || file_begin(h) ? -1 : 0;
	h->d->progress->phase = "snapshot";
	for (unsigned i = 0; i < all.n && rc == 0; i++)
		rc = harvest_database(h, all.pairs[i][SOURCE]);
	if (rc == 0 && rdb_write_eof(&h->w))
		rc = dump_not_written(h->d, h->w.error);
	return rc;
}

int dump_by_scan(struct dump *d)
{
	struct harvest *h = calloc(1, sizeof(*h));
	if (!h)
		return failure_set(d->failure, ERROR_MEMORY, "no memory for a scan");
	h->d = d;
	h->naming.client[SOURCE].fd = h->naming.client[TARGET].fd = h->values.fd = -1;
	rdb_write_init(&h->w, h->buf, sizeof(h->buf), dump_write, d);
	h->payload.w = &h->w;
	int rc = both_open(h);
	if (rc == 0 && intake_init(&h->in, &h->values, d->options->bytes_per_s))
		rc = failure_set(d->failure, ERROR_MEMORY, "no memory for a scan");
	rc = rc ? rc : harvest_run(h);
	intake_fini(&h->in);
	names_free(&h->names);
	client_close(&h->naming.client[SOURCE]);
	client_close(&h->values);
	free(h);
	return rc;
}
