// SPDX-License-Identifier: BSD-3-Clause
// check_run() -> database_check() -> source_walk(), target_walk() -> portion_judge() ->
// suspects_judge()
#include "ctrl/check/check.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ctrl/check/databases.h"
#include "ctrl/check/suspects.h"

static const unsigned recheck_pause_ms[RECHECKS_MAX] = {200, 500, 1000};

// Keys of one SCAN, copied: the next question to the same server wipes its answer out.
struct portion {
	char *bytes;
	size_t room;
	unsigned n;
	struct subject *keys; // SCAN may give more than it was asked for
	unsigned keys_room;
	char cursor[24];
};

struct check {
	const struct check_options *options;
	struct check_result *result;
	struct failure *failure;
	struct pair pair;
	struct compare compare;
	struct databases databases;
	struct suspects suspects;
	struct portion portion;
	int db[2];
};

#define X(name, word, sentence) word,
static const char *const words[] = {DIFFERENCES(X)};
#undef X
#define X(name, word, sentence) sentence,
static const char *const sentences[] = {DIFFERENCES(X)};
#undef X

const char *difference_word(enum difference d)
{
	return words[d];
}

const char *difference_sentence(enum difference d)
{
	return sentences[d];
}

static int no_memory(struct check *c)
{
	return failure_set(c->failure, ERROR_MEMORY, "no memory for more keys");
}

// ---- What differs -----------------------------------------------------------------------------

static int found_add(struct check *c, const struct suspect *s)
{
	struct check_result *r = c->result;
	r->count[s->difference]++;
	r->differences++;
	if (r->n_found >= c->options->show)
		return 0;
	if (!r->found)
		r->found = calloc(c->options->show, sizeof(*r->found));
	struct found *found = r->found ? &r->found[r->n_found] : NULL;
	char *key = found ? malloc(s->key_len + 1) : NULL;
	if (!key)
		return no_memory(c);
	memcpy(key, s->key, s->key_len);
	*found = (struct found){s->db[SOURCE], s->difference, key, s->key_len};
	r->n_found++;
	return 0;
}

// Writes may be under way: look again, after longer and longer pauses.
static int suspects_judge(struct check *c)
{
	c->result->rechecked += c->suspects.n;
	for (unsigned i = 0; i < RECHECKS_MAX && c->suspects.n; i++) {
		unsigned ms = recheck_pause_ms[i];
		nanosleep(&(struct timespec){ms / 1000, (ms % 1000) * 1000000l}, NULL);
		if (suspects_again(&c->suspects, &c->compare))
			return -1;
	}
	for (unsigned i = 0; i < c->suspects.n; i++)
		if (found_add(c, &c->suspects.list[i]))
			return -1;
	suspects_clear(&c->suspects);
	return 0;
}

static int suspect_add(struct check *c, struct span key, enum difference d)
{
	if (suspects_add(&c->suspects, c->db, key, d))
		return no_memory(c);
	if (c->suspects.n < SUSPECTS_MAX)
		return 0;
	if (suspects_judge(c))
		return -1;
	return pair_select(&c->pair, c->db, c->failure);
}

// ---- Scanning ---------------------------------------------------------------------------------

static int portion_room(struct portion *p, unsigned keys, size_t bytes)
{
	if (keys > p->keys_room) {
		struct subject *more = realloc(p->keys, keys * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->keys = more;
		p->keys_room = keys;
	}
	if (bytes > p->room) {
		char *more = realloc(p->bytes, bytes);
		if (!more)
			return -ENOMEM;
		p->bytes = more;
		p->room = bytes;
	}
	return 0;
}

// Take over what SCAN answered: cursor and keys. Our own are left out.
static int portion_fill(struct portion *p, const struct resp_value *v, unsigned n)
{
	size_t bytes = 1;
	for (unsigned i = 3; i < n; i++)
		bytes += v[i].text.len;
	if (portion_room(p, n, bytes))
		return -ENOMEM;
	memcpy(p->cursor, v[1].text.p, v[1].text.len);
	p->cursor[v[1].text.len] = 0;
	p->n = 0;
	char *room = p->bytes;
	for (unsigned i = 3; i < n; i++) {
		if (key_is_own(v[i].text))
			continue;
		memcpy(room, v[i].text.p, v[i].text.len);
		p->keys[p->n++].key = (struct span){room, v[i].text.len};
		room += v[i].text.len;
	}
	return 0;
}

// The next keys of one side. @return 1 when there were more to come, 0 after the last, -1 failed
static int scan_next(struct check *c, enum side side)
{
	struct client *client = &c->pair.client[side];
	struct portion *p = &c->portion;
	unsigned n;
	client_ask(client, "SCAN %b COUNT %d", span_of(p->cursor), (long long)BATCH_KEYS);
	const struct resp_value *v = client_next(client, &n);
	if (!v)
		return pair_failed(&c->pair, c->failure);
	if (v->type == RESP_ERROR)
		return client_refused(client, "SCAN", v->text, c->failure);
	if (v->type != RESP_ARRAY || n < 3 || v[1].text.len >= sizeof(p->cursor))
		return failure_set(c->failure, ERROR_NOT_REDIS,
				   "%s answers SCAN in a way of its own", client->who);
	if (portion_fill(p, v, n))
		return no_memory(c);
	return strcmp(p->cursor, "0") != 0;
}

static int portion_compare(struct check *c)
{
	struct portion *p = &c->portion;
	for (unsigned at = 0; at < p->n; at += BATCH_KEYS) {
		unsigned n = p->n - at < BATCH_KEYS ? p->n - at : BATCH_KEYS;
		if (subjects_compare(&c->compare, p->keys + at, n))
			return -1;
	}
	for (unsigned i = 0; i < p->n; i++)
		if (p->keys[i].difference != DIFF_NONE &&
		    suspect_add(c, p->keys[i].key, p->keys[i].difference))
			return -1;
	return 0;
}

static int source_walk(struct check *c)
{
	int more;
	strcpy(c->portion.cursor, "0");
	do {
		more = scan_next(c, SOURCE);
		if (more < 0 || portion_compare(c))
			return -1;
		c->result->keys += c->portion.n;
		if (c->options->progress)
			c->options->progress(c->options->progress_arg, c->db[SOURCE],
					     c->result->keys);
	} while (more);
	return 0;
}

// Whether the source has every key of the portion: one command, which counts them.
static int portion_known(struct check *c, bool *all)
{
	struct client *source = &c->pair.client[SOURCE];
	struct portion *p = &c->portion;
	struct span *argv = malloc((p->n + 1) * sizeof(*argv));
	if (!argv)
		return no_memory(c);
	argv[0] = SPAN_LIT("EXISTS");
	for (unsigned i = 0; i < p->n; i++)
		argv[i + 1] = p->keys[i].key;
	client_put(source, p->n + 1, argv);
	free(argv);
	const struct resp_value *v = client_next(source, NULL);
	if (!v)
		return pair_failed(&c->pair, c->failure);
	if (v->type != RESP_INTEGER)
		return client_refused(source, "EXISTS", v->text, c->failure);
	*all = v->integer == (int64_t)p->n;
	return 0;
}

static int extras_find(struct check *c)
{
	struct client *source = &c->pair.client[SOURCE];
	struct portion *p = &c->portion;
	for (unsigned i = 0; i < p->n; i++)
		client_ask(source, "EXISTS %b", p->keys[i].key);
	for (unsigned i = 0; i < p->n; i++) {
		const struct resp_value *v = client_next(source, NULL);
		if (!v)
			return pair_failed(&c->pair, c->failure);
		p->keys[i].difference = v->integer ? DIFF_NONE : DIFF_EXTRA;
	}
	for (unsigned i = 0; i < p->n; i++)
		if (p->keys[i].difference != DIFF_NONE &&
		    suspect_add(c, p->keys[i].key, DIFF_EXTRA))
			return -1;
	return 0;
}

static int target_walk(struct check *c)
{
	int more;
	strcpy(c->portion.cursor, "0");
	do {
		bool all = true;
		more = scan_next(c, TARGET);
		if (more < 0 || (c->portion.n && portion_known(c, &all)))
			return -1;
		if (!all && extras_find(c))
			return -1;
	} while (more);
	return 0;
}

// ---- The whole --------------------------------------------------------------------------------

static int database_check(struct check *c, const int db[2])
{
	memcpy(c->db, db, sizeof(c->db));
	if (pair_select(&c->pair, db, c->failure))
		return -1;
	return source_walk(c) || target_walk(c) ? -1 : 0;
}

// PEXPIRETIME is there since 7.0; its answer does not depend on when it is asked.
static int expiry_prepare(struct check *c)
{
	struct pair_reply r;
	pair_ask(&c->pair, "PEXPIRETIME %b", span_of(OWN_KEYS));
	if (pair_next_any(&c->pair, &r, c->failure))
		return -1;
	c->compare.absolute_expiry =
		r.v[SOURCE]->type == RESP_INTEGER && r.v[TARGET]->type == RESP_INTEGER;
	return 0;
}

static int functions_check(struct check *c)
{
	bool same = true;
	if (c->options->mode != CHECK_FULL)
		return 0;
	if (functions_compare(&c->compare, &same))
		return -1;
	if (!same) {
		c->result->count[DIFF_FUNCTIONS]++;
		c->result->differences++;
	}
	return 0;
}

static int check_all(struct check *c, const struct endpoint *source, const struct endpoint *target)
{
	if (client_open(&c->pair.client[SOURCE], source, "the source", c->failure) ||
	    client_open(&c->pair.client[TARGET], target, "the target", c->failure))
		return -1;
	if (expiry_prepare(c) ||
	    databases_read(&c->databases, &c->pair, source, target, c->failure))
		return -1;
	c->result->databases = c->databases.n;
	for (unsigned i = 0; i < c->databases.n; i++)
		if (database_check(c, c->databases.pairs[i]))
			return -1;
	return suspects_judge(c) || functions_check(c) ? -1 : 0;
}

int check_run(const struct endpoint *source, const struct endpoint *target,
	      const struct check_options *o, struct check_result *r, struct failure *f)
{
	struct check *c = calloc(1, sizeof(*c));
	memset(r, 0, sizeof(*r));
	if (!c)
		return failure_set(f, ERROR_MEMORY, "no memory for a check");
	c->options = o;
	c->result = r;
	c->failure = f;
	c->compare = (struct compare){&c->pair, o->mode, o->ttl_slack_ms, false, f};
	c->pair.client[SOURCE].fd = c->pair.client[TARGET].fd = -1;
	int rc = check_all(c, source, target);
	client_close(&c->pair.client[SOURCE]);
	client_close(&c->pair.client[TARGET]);
	suspects_clear(&c->suspects);
	free(c->portion.bytes);
	free(c->portion.keys);
	free(c);
	return rc;
}

void check_result_free(struct check_result *r)
{
	for (unsigned i = 0; i < r->n_found; i++)
		free(r->found[i].key);
	free(r->found);
	memset(r, 0, sizeof(*r));
}
