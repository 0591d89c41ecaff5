// SPDX-License-Identifier: BSD-3-Clause
// image_take() of both servers -> merge of the two sorted lists -> differences by name.
#include "tests/e2e/harness.h"

#include <xxhash.h>

#include "parsers/slot.h"

#define DATABASES 16
#define PAGE      500
#define SHOWN_MAX 20

struct image_key {
	XXH128_hash_t digest; // of type and value
	long long expiry_ms;  // absolute, -1 for none
	size_t len;
	int db;
	char type[12];
	char *name;
};

struct image {
	struct image_key *keys;
	size_t n, room;
};

static void image_free(struct image *image)
{
	for (size_t i = 0; i < image->n; i++)
		free(image->keys[i].name);
	free(image->keys);
}

static struct image_key *image_add(struct image *image, int db, const redisReply *name)
{
	if (image->n == image->room) {
		image->room = image->room ? image->room * 2 : 1024;
		image->keys = realloc(image->keys, image->room * sizeof(*image->keys));
		assert_non_null(image->keys);
	}
	struct image_key *key = &image->keys[image->n++];
	memset(key, 0, sizeof(*key));
	key->db = db;
	key->len = name->len;
	key->name = malloc(name->len + 1);
	assert_non_null(key->name);
	memcpy(key->name, name->str, name->len + 1);
	return key;
}

static int key_compare(const void *left, const void *right)
{
	const struct image_key *a = left, *b = right;
	size_t shorter = a->len < b->len ? a->len : b->len;

	if (a->db != b->db)
		return a->db < b->db ? -1 : 1;
	int order = memcmp(a->name, b->name, shorter);
	return order ? order : a->len < b->len ? -1 : a->len > b->len;
}

static void digest_reply(XXH3_state_t *state, const redisReply *r)
{
	long long head[2] = {r->type, r->type == REDIS_REPLY_INTEGER ? r->integer : 0};

	XXH3_128bits_update(state, head, sizeof(head));
	if (r->type == REDIS_REPLY_ARRAY) {
		XXH3_128bits_update(state, &r->elements, sizeof(r->elements));
		for (size_t i = 0; i < r->elements; i++)
			digest_reply(state, r->element[i]);
	} else if (r->str) {
		XXH3_128bits_update(state, &r->len, sizeof(r->len));
		XXH3_128bits_update(state, r->str, r->len);
	}
}

// @param group  0: the order counts; n: groups of n elements in any order (1 a set, 2 a hash)
static XXH128_hash_t digest_value(const redisReply *r, unsigned group)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t sum = {r->elements, 0};

	assert_non_null(state);
	if (!group) {
		XXH3_128bits_reset(state);
		digest_reply(state, r);
		sum = XXH3_128bits_digest(state);
	}
	for (size_t i = 0; group && i + group <= r->elements; i += group) {
		XXH3_128bits_reset(state);
		for (unsigned k = 0; k < group; k++)
			digest_reply(state, r->element[i + k]);
		XXH128_hash_t one = XXH3_128bits_digest(state);
		sum.low64 += one.low64;
		sum.high64 += one.high64;
	}
	XXH3_freeState(state);
	return sum;
}

static bool text_in(const redisReply *r, const char *const *names)
{
	for (; r->type == REDIS_REPLY_STRING && *names; names++)
		if (!strcmp(r->str, *names))
			return true;
	return false;
}

// XINFO STREAM ... FULL without what belongs to one server: its tree's shape, its clock.
static void stream_forget_local(redisReply *r, bool entries_read)
{
	static const char *const local[] = {"radix-tree-keys", "radix-tree-nodes", "seen-time",
					    "active-time", NULL};
	static const char *const read_so_far[] = {"entries-read", "lag", NULL};

	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
		redisReply *field = r->element[i];
		if (i + 1 < r->elements &&
		    (text_in(field, local) || (!entries_read && text_in(field, read_so_far)))) {
			r->element[i + 1]->type = REDIS_REPLY_NIL;
			free(r->element[i + 1]->str);
			r->element[i + 1]->str = NULL;
		}
		stream_forget_local(field, entries_read);
	}
}

// How to read a value of each type, and whether its elements have an order.
static const struct value_kind {
	const char *type, *command;
	unsigned group;
} value_kinds[] = {
	{"string", "GET %b", 0},
	{"list", "LRANGE %b 0 -1", 0},
	{"set", "SMEMBERS %b", 1},
	{"hash", "HGETALL %b", 2},
	{"zset", "ZRANGE %b 0 -1 WITHSCORES", 0},
	{"stream", "XINFO STREAM %b FULL COUNT 0", 0},
};

static const struct value_kind *kind_of(const char *type)
{
	for (unsigned i = 0; i < sizeof(value_kinds) / sizeof(*value_kinds); i++)
		if (!strcmp(value_kinds[i].type, type))
			return &value_kinds[i];
	fail_msg("a key of unknown type %s", type);
	return NULL;
}

static redisReply *reply_next(redisContext *c)
{
	void *reply = NULL;

	if (redisGetReply(c, &reply) != REDIS_OK)
		fail_msg("a server went away while it was compared: %s", c->errstr);
	return reply;
}

// A connection to compare by, which sees of a cluster's node what a client would that follows
// redirects. There may be more: one that came back with an old RDB keeps the keys of slots that it
// has lost since, and calls them importing, though their owner sends nobody there.
struct reading {
	redisContext *c;
	const bool *given; // slots that their owner is giving to this node
	bool entries_read;
};

static bool is_asking(const struct reading *r, const struct image_key *key)
{
	return r->given[key_slot((struct span){key->name, key->len})];
}

static void reading_append(const struct reading *r, const char *format, const struct image_key *key)
{
	if (is_asking(r, key))
		redisAppendCommand(r->c, "ASKING");
	redisAppendCommand(r->c, format, key->name, key->len);
}

static redisReply *reading_next(const struct reading *r, const struct image_key *key)
{
	if (is_asking(r, key))
		freeReplyObject(reply_next(r->c));
	return reply_next(r->c);
}

// Types and expiries of the keys from..n, then their values; both pipelined.
static void image_read_values(struct image *image, size_t from, const struct reading *r)
{
	for (size_t i = from; i < image->n; i++) {
		reading_append(r, "TYPE %b", &image->keys[i]);
		reading_append(r, "PEXPIRETIME %b", &image->keys[i]);
	}
	for (size_t i = from; i < image->n; i++) {
		const struct image_key *key = &image->keys[i];
		redisReply *type = reading_next(r, key), *expiry = reading_next(r, key);
		bool moved = type->type == REDIS_REPLY_ERROR; // to another node
		snprintf(image->keys[i].type, sizeof(image->keys[i].type), "%s",
			 moved ? "none" : type->str);
		image->keys[i].expiry_ms = expiry->integer;
		freeReplyObject(type);
		freeReplyObject(expiry);
	}
	for (size_t i = from; i < image->n; i++)
		if (strcmp(image->keys[i].type, "none")) // expired since the SCAN
			reading_append(r, kind_of(image->keys[i].type)->command, &image->keys[i]);
	for (size_t i = from; i < image->n; i++) {
		if (!strcmp(image->keys[i].type, "none"))
			continue;
		redisReply *value = reading_next(r, &image->keys[i]);
		if (!strcmp(image->keys[i].type, "stream"))
			stream_forget_local(value, r->entries_read);
		image->keys[i].digest = digest_value(value, kind_of(image->keys[i].type)->group);
		freeReplyObject(value);
	}
}

static bool is_own(const redisReply *name)
{
	return name->len >= 10 && !memcmp(name->str, "__flyover:", 10);
}

// A cluster has one database and refuses the others.
static bool db_select(const struct reading *r, int db)
{
	redisReply *reply = redisCommand(r->c, "SELECT %d", db);

	if (!reply)
		fail_msg("a server went away while it was compared: %s", r->c->errstr);
	bool selected = reply->type != REDIS_REPLY_ERROR;
	freeReplyObject(reply);
	return selected;
}

static void image_read_db(struct image *image, const struct reading *r, int db)
{
	char cursor[32] = "0";

	do {
		redisReply *page = redisCommand(r->c, "SCAN %s COUNT %d", cursor, PAGE);
		if (!page || page->type != REDIS_REPLY_ARRAY)
			fail_msg("SCAN fails: %s", page ? page->str : r->c->errstr);
		size_t from = image->n;
		snprintf(cursor, sizeof(cursor), "%s", page->element[0]->str);
		for (size_t i = 0; i < page->element[1]->elements; i++)
			if (!is_own(page->element[1]->element[i]))
				image_add(image, db, page->element[1]->element[i]);
		freeReplyObject(page);
		image_read_values(image, from, r);
	} while (strcmp(cursor, "0"));
}

// SCAN may show a key twice, and one that expires meanwhile not at all. Another server's key of the
// same name stays.
static void image_tidy(struct image *image, size_t from)
{
	struct image_key *keys = image->keys + from;
	size_t n = image->n - from, kept = 0;

	if (n)
		qsort(keys, n, sizeof(*keys), key_compare);
	for (size_t i = 0; i < n; i++) {
		bool twice = kept && !key_compare(&keys[kept - 1], &keys[i]);
		if (twice || !strcmp(keys[i].type, "none"))
			free(keys[i].name);
		else
			keys[kept++] = keys[i];
	}
	image->n = from + kept;
}

static bool is_cluster(struct server *s)
{
	return !strcmp(info_text(s, "cluster", "cluster_enabled"), "1");
}

// What the owners among these servers say of slots that they give away: [SLOT->-NODE].
static void given_find(const struct servers *side, const char *node, bool *given)
{
	char to[41];
	unsigned slot;

	for (unsigned i = 0; i < side->n; i++) {
		redisReply *nodes = ask(side->list[i], "CLUSTER NODES");
		for (const char *at = nodes->str; (at = strchr(at, '[')); at++)
			if (sscanf(at, "[%u->-%40[0-9a-f]]", &slot, to) == 2 && !strcmp(to, node))
				given[slot] = true;
		freeReplyObject(nodes);
	}
}

static void image_add_server(struct image *image, const struct servers *side, struct server *s,
			     bool entries_read)
{
	bool given[SLOT_COUNT] = {false};
	struct reading r = {server_connect(s), given, entries_read};
	size_t from = image->n;

	if (is_cluster(s))
		given_find(side, ask_text(s, "CLUSTER MYID"), given);

	if (!r.c)
		fail_msg("cannot connect to %s to compare it", s->name);
	for (int db = 0; db < DATABASES && db_select(&r, db); db++)
		image_read_db(image, &r, db);
	redisFree(r.c);
	image_tidy(image, from);
}

static void image_take(struct image *image, const struct servers *side, bool entries_read)
{
	memset(image, 0, sizeof(*image));
	for (unsigned i = 0; i < side->n; i++) {
		queue_flush(side->list[i]);
		image_add_server(image, side, side->list[i], entries_read);
	}
	if (image->n)
		qsort(image->keys, image->n, sizeof(*image->keys), key_compare);
}

static const char *name_shown(const struct image_key *key)
{
	char shown[200];
	size_t n = 0;

	for (size_t i = 0; i < key->len && n < sizeof(shown) - 8; i++) {
		unsigned char byte = (unsigned char)key->name[i];
		n += (size_t)snprintf(shown + n, sizeof(shown) - n,
				      byte < 32 || byte > 126 ? "\\x%02x" : "%c", byte);
	}
	shown[n] = 0;
	return text("db %d, %s '%s'", key->db, key->type, shown);
}

// @param slack_ms  by which the time may differ, not whether there is one
static bool expiries_agree(long long a, long long b, long long slack_ms)
{
	return a == b || (a > 0 && b > 0 && llabs(a - b) <= slack_ms);
}

static const char *key_difference(const struct image_key *a, const struct image_key *b,
				  long long slack_ms)
{
	if (strcmp(a->type, b->type))
		return text("has type %s in the target", b->type);
	if (a->digest.low64 != b->digest.low64 || a->digest.high64 != b->digest.high64)
		return "has another value in the target";
	if (!expiries_agree(a->expiry_ms, b->expiry_ms, slack_ms))
		return text("expires at %lld, in the target at %lld", a->expiry_ms, b->expiry_ms);
	return NULL;
}

static unsigned images_compare(const struct image *a, const struct image *b, long long slack_ms,
			       bool show)
{
	unsigned n = 0;

	for (size_t i = 0, k = 0; i < a->n || k < b->n;) {
		int order = i == a->n ? 1 : k == b->n ? -1 : key_compare(&a->keys[i], &b->keys[k]);
		const char *why = order < 0   ? "is missing in the target"
				  : order > 0 ? "is only in the target"
					      : key_difference(&a->keys[i], &b->keys[k], slack_ms);
		if (why && n++ < SHOWN_MAX && show)
			fprintf(stderr, "differs: %s %s\n",
				name_shown(order > 0 ? &b->keys[k] : &a->keys[i]), why);
		i += order <= 0;
		k += order >= 0;
	}
	return n;
}

static unsigned compare(const struct servers *source, const struct servers *target,
			bool entries_read, long long slack_ms, bool show)
{
	struct image a, b;

	image_take(&a, source, entries_read);
	image_take(&b, target, entries_read);
	unsigned n = images_compare(&a, &b, slack_ms, show);
	if (n && show)
		fprintf(stderr, "%zu keys in %s, %zu in %s, %u differ\n", a.n,
			source->list[0]->name, b.n, target->list[0]->name, n);
	image_free(&a);
	image_free(&b);
	return n;
}

static XXH128_hash_t functions_digest(struct server *s)
{
	redisReply *r = ask(s, "FUNCTION LIST WITHCODE");
	XXH128_hash_t digest = digest_value(r, 1);

	freeReplyObject(r);
	return digest;
}

// Each server of the target has those of each of the source.
static void functions_compare(const struct servers *source, const struct servers *target)
{
	for (unsigned i = 0; i < source->n * target->n; i++) {
		struct server *from = source->list[i % source->n];
		struct server *to = target->list[i / source->n];
		XXH128_hash_t left = functions_digest(from), right = functions_digest(to);
		if (left.low64 != right.low64 || left.high64 != right.high64)
			fail_msg("the functions of %s and %s differ", from->name, to->name);
	}
}

void assert_same_data_of(const struct servers *source, const struct servers *target,
			 bool entries_read)
{
	functions_compare(source, target);
	assert_int_equal(compare(source, target, entries_read, 0, true), 0);
}

unsigned data_differences_of(const struct servers *source, const struct servers *target)
{
	return compare(source, target, false, 0, false);
}

unsigned data_differences_within(const struct servers *source, const struct servers *target,
				 long long slack_ms, bool show)
{
	return compare(source, target, false, slack_ms, show);
}

void assert_same_data_with(struct server *source, struct server *target, bool entries_read)
{
	struct servers a = just(source), b = just(target);
	assert_same_data_of(&a, &b, entries_read);
}

void assert_same_data(struct server *source, struct server *target)
{
	assert_same_data_with(source, target, false);
}

unsigned data_differences(struct server *source, struct server *target)
{
	struct servers a = just(source), b = just(target);
	return data_differences_of(&a, &b);
}
