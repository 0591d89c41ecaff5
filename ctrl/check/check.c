// SPDX-License-Identifier: BSD-3-Clause
// check_run() -> database_check() -> source_walk(), target_walk() -> suspect_add() ->
// suspects_judge() -> suspects_repair()
#include "ctrl/check/check.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ctrl/check/check_priv.h"
#include "ctrl/check/client_cluster.h"
#include "ctrl/clock.h"

#define SUSPECTS_MANY 10000 // which take long enough to compare

static const unsigned recheck_pause_ms[RECHECKS_MAX] = {200, 500, 1000};

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

// @param repaired  it differs no more
static int found_add(struct check *c, int db, struct span text, enum difference d, bool repaired)
{
	struct check_result *r = c->result;
	r->count[d]++;
	r->differences++;
	r->repaired += repaired;
	if (r->n_found >= c->options->show)
		return 0;
	if (!r->found)
		r->found = calloc(c->options->show, sizeof(*r->found));
	struct found *found = r->found ? &r->found[r->n_found] : NULL;
	char *key = found ? malloc(text.len + 1) : NULL;
	if (!key)
		return no_memory(c);
	memcpy(key, text.p, text.len);
	*found = (struct found){db, d, repaired, key, text.len};
	r->n_found++;
	return 0;
}

int check_goes_on(struct check *c)
{
	const struct check_options *o = c->options;
	if (!o->go_on || o->go_on(o->arg))
		return 0;
	return failure_set(c->failure, ERROR_INTERRUPTED, "ended before everything was compared");
}

static int pause_ms(struct check *c, unsigned ms)
{
	uint64_t end = mono_ms() + ms;
	while (mono_ms() < end) {
		if (check_goes_on(c))
			return -1;
		nanosleep(&(struct timespec){0, 20000000l}, NULL);
	}
	return 0;
}

// Those that are among `left` still differ; all of `before` did. Both are in order.
static int repaired_tell(struct check *c, const struct suspects *before,
			 const struct suspects *left)
{
	unsigned at = 0;
	for (unsigned i = 0; i < before->n; i++) {
		const struct suspect *one = &before->list[i];
		bool stays = at < left->n && left->list[at].key_at == one->key_at;
		at += stays;
		if (found_add(c, one->db[SOURCE], suspect_key(before, one), one->difference,
			      !stays))
			return -1;
	}
	return 0;
}

static int differences_repair(struct check *c)
{
	struct suspects before = c->suspects;
	before.list = malloc((before.n + 1) * sizeof(*before.list));
	if (!before.list)
		return no_memory(c);
	memcpy(before.list, c->suspects.list, before.n * sizeof(*before.list));
	int rc = suspects_repair(c);
	if (rc == 0 && c->suspects.n) // written once more since, perhaps
		rc = pause_ms(c, recheck_pause_ms[1]) || suspects_again(&c->suspects, &c->compare)
			     ? -1
			     : 0;
	before.keys = c->suspects.keys;
	rc = rc ? rc : repaired_tell(c, &before, &c->suspects);
	free(before.list);
	return rc;
}

static int differences_tell(struct check *c)
{
	for (unsigned i = 0; i < c->suspects.n; i++) {
		const struct suspect *one = &c->suspects.list[i];
		if (found_add(c, one->db[SOURCE], suspect_key(&c->suspects, one), one->difference,
			      false))
			return -1;
	}
	return 0;
}

// Writes may be under way: look again, after longer and longer pauses.
static int suspects_judge(struct check *c)
{
	c->result->rechecked += c->suspects.n;
	unsigned wait_ms = 0;
	for (unsigned i = 0; i < RECHECKS_MAX && c->suspects.n; i++) {
		wait_ms += recheck_pause_ms[i];
		if (c->suspects.n > SUSPECTS_MANY && i + 1 < RECHECKS_MAX)
			continue; // an early look would not be over early
		if (pause_ms(c, wait_ms) || suspects_again(&c->suspects, &c->compare))
			return -1;
		wait_ms = 0;
	}
	bool repairs = c->options->repair && c->suspects.n;
	if (repairs ? differences_repair(c) : differences_tell(c))
		return -1;
	suspects_clear(&c->suspects);
	return 0;
}

int suspect_add(struct check *c, struct span key, enum difference d)
{
	if (suspects_add(&c->suspects, c->db, key, d))
		return no_memory(c);
	if (!suspects_full(&c->suspects))
		return 0;
	if (suspects_judge(c))
		return -1;
	return pair_select(&c->pair, c->db, c->failure);
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
	if (same)
		return 0;
	c->result->count[DIFF_FUNCTIONS]++;
	c->result->differences++;
	if (!c->options->repair)
		return 0;
	if (functions_repair(c, &same))
		return -1;
	c->result->repaired += same;
	return 0;
}

static int check_all(struct check *c, const struct endpoint *source, const struct endpoint *target)
{
	bool cluster = source->kind == URL_CLUSTER || target->kind == URL_CLUSTER;
	if (cluster && c->options->repair)
		return failure_set(
			c->failure, ERROR_CONFIG,
			"--repair does not write clusters: `flyover sync --extra-keys=delete` "
			"with a new state folder makes both equal");
	if (client_open_any(&c->pair.client[SOURCE], source, "the source", c->failure) ||
	    client_open_any(&c->pair.client[TARGET], target, "the target", c->failure))
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
	c->source = source;
	c->target = target;
	c->options = o;
	c->result = r;
	c->failure = f;
	c->compare = (struct compare){&c->pair, o->mode, o->ttl_slack_ms, false, f};
	pace_init(&c->keys_pace, o->keys_per_s, mono_ms());
	pace_init(&c->bytes_pace, o->bytes_per_s, mono_ms());
	c->pair.client[SOURCE].fd = c->pair.client[TARGET].fd = -1;
	int rc = check_all(c, source, target);
	client_close(&c->pair.client[SOURCE]);
	client_close(&c->pair.client[TARGET]);
	suspects_free(&c->suspects);
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
