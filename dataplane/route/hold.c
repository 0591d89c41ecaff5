// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/route/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "parsers/crc64.h"

#define INDEX_LEN (2 * HOLDS_MAX)
#define KEYS_MAX  64

// One that a transaction is about to change.
struct hold_change {
	unsigned i;
	struct hold before;
};

void holds_fini(struct holds *h)
{
	free(h->all);
	free(h->index);
	free(h->names);
	free(h->changes);
	*h = (struct holds){.open = h->open};
}

static bool holds_open(struct holds *h)
{
	if (h->all)
		return true;
	h->all = malloc(HOLDS_MAX * sizeof(*h->all));
	h->index = calloc(INDEX_LEN, sizeof(*h->index));
	h->names = malloc(HOLDS_LEN);
	h->changes = malloc(HOLDS_MAX * sizeof(*h->changes));
	if (h->all && h->index && h->names && h->changes)
		return true;
	holds_fini(h);
	return false;
}

static bool is_named(const struct holds *h, const struct hold *hold, int32_t db, struct span key)
{
	return hold->db == db && hold->len == key.len &&
	       !memcmp(h->names + hold->at, key.p, key.len);
}

// The hold of a key, ended or not, and where its number stands or would stand in the index.
static struct hold *hold_seek(const struct holds *h, int32_t db, struct span key, uint32_t **slot)
{
	size_t at = XXH3_64bits(key.p, key.len) % INDEX_LEN;
	for (; h->index[at]; at = (at + 1) % INDEX_LEN) {
		struct hold *hold = &h->all[h->index[at] - 1];
		if (is_named(h, hold, db, key))
			return hold;
	}
	*slot = &h->index[at];
	return NULL;
}

static struct hold *hold_find(const struct holds *h, int32_t db, struct span key)
{
	uint32_t *slot;
	struct hold *hold = h->n_live ? hold_seek(h, db, key, &slot) : NULL;
	return hold && !hold->ended ? hold : NULL;
}

static void hold_set(struct holds *h, struct hold *hold, struct hold to)
{
	if (h->open && h->n_changes < HOLDS_MAX)
		h->changes[h->n_changes++] =
			(struct hold_change){(unsigned)(hold - h->all), *hold};
	h->n_live += (unsigned)!to.ended;
	h->n_live -= (unsigned)!hold->ended;
	*hold = to;
}

void hold_end(struct holds *h, struct hold *hold)
{
	struct hold to = *hold;
	to.ended = true;
	hold_set(h, hold, to);
}

// The entries that have ended give their room to others.
static void holds_compact(struct holds *h)
{
	unsigned n = h->n;
	h->n = h->next = 0;
	h->n_names = 0;
	memset(h->index, 0, INDEX_LEN * sizeof(*h->index));
	for (unsigned i = 0; i < n; i++) {
		struct hold hold = h->all[i];
		uint32_t *slot = NULL;
		if (hold.ended)
			continue;
		memmove(h->names + h->n_names, h->names + hold.at, hold.len);
		hold.at = h->n_names;
		h->n_names += hold.len;
		hold_seek(h, hold.db, (struct span){h->names + hold.at, hold.len}, &slot);
		h->all[h->n] = hold;
		*slot = ++h->n;
	}
}

static bool is_roomy(const struct holds *h, unsigned n, size_t len)
{
	return n <= HOLDS_MAX - h->n && len <= HOLDS_LEN - h->n_names;
}

bool holds_have_room(struct holds *h, unsigned n, size_t len)
{
	if (!holds_open(h))
		return false;
	if (!is_roomy(h, n, len) && !h->open && h->n_live < h->n / 2)
		holds_compact(h);
	return is_roomy(h, n, len);
}

static bool hold_put(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
		     int64_t set_at_ms)
{
	uint32_t *slot;
	struct hold *hold;
	if (!holds_open(h))
		return false;
	hold = hold_seek(h, db, key, &slot);
	if (!hold) {
		if (!holds_have_room(h, 1, key.len) || hold_seek(h, db, key, &slot))
			return false;
		hold = &h->all[h->n];
		*hold = (struct hold){
			.at = h->n_names, .len = (uint32_t)key.len, .db = db, .ended = true};
		if (key.len)
			memcpy(h->names + h->n_names, key.p, key.len);
		h->n_names += (uint32_t)key.len;
		*slot = ++h->n;
	}
	struct hold to = *hold;
	to.ended = false;
	to.expire_at_ms = expire_at_ms;
	to.set_at_ms = set_at_ms;
	hold_set(h, hold, to);
	return true;
}

int64_t hold_add(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
		 uint64_t now_ms)
{
	int64_t set_at_ms = (int64_t)(now_ms + HOLD_EXTEND_MS);
	if (expire_at_ms < 0 || (uint64_t)expire_at_ms > now_ms + HOLD_HORIZON_MS ||
	    !hold_put(h, db, key, expire_at_ms, set_at_ms))
		return expire_at_ms;
	return set_at_ms;
}

// ---- The stream

void hold_keep(struct holds *h, int32_t db, struct span key, int64_t expire_at_ms,
	       int64_t set_at_ms)
{
	hold_put(h, db, key, expire_at_ms, set_at_ms);
}

void holds_begin(struct holds *h)
{
	h->open = true;
	h->n_changes = 0;
}

void holds_commit(struct holds *h)
{
	h->open = false;
	h->n_changes = 0;
}

void holds_back(struct holds *h)
{
	h->open = false;
	while (h->n_changes) {
		const struct hold_change *change = &h->changes[--h->n_changes];
		hold_set(h, &h->all[change->i], change->before);
	}
}

static void key_end(struct holds *h, int32_t db, struct span key)
{
	struct hold *hold = hold_find(h, db, key);
	if (hold)
		hold_end(h, hold);
}

// The expiry goes along with a key that is renamed, copied or moved.
static void hold_carry(struct holds *h, int32_t db, struct span key, int32_t to_db, struct span to)
{
	const struct hold *hold = hold_find(h, db, key);
	int64_t expire_at_ms = hold ? hold->expire_at_ms : -1;
	int64_t set_at_ms = hold ? hold->set_at_ms : -1;
	key_end(h, to_db, to);
	if (hold)
		hold_put(h, to_db, to, expire_at_ms, set_at_ms);
}

static void holds_swap(struct holds *h, int32_t a, int32_t b)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct hold to = h->all[i];
		if (to.db != a && to.db != b)
			continue;
		to.db = to.db == a ? b : a;
		hold_set(h, &h->all[i], to);
	}
}

static bool keeps_expiry(const struct span *argv, int argc)
{
	for (int i = 3; i < argc; i++)
		if (span_caseeq(argv[i], "KEEPTTL"))
			return true;
	return false;
}

// Commands that may leave a key with another expiry than it had, or take it away. Others that take
// it away need no notice: what has no expiry gets none at the end.
static bool may_set_expiry(const struct command *c, const struct span *argv, int argc)
{
	static const char *const names[] = {"SETEX", "PSETEX", "GETEX", "MSETEX", "RESTORE",
					    "RESTORE-ASKING", "DEL", "UNLINK"};
	if (c->class == CLASS_TTL)
		return true;
	if (!strcmp(c->name, "SET"))
		return !keeps_expiry(argv, argc);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(c->name, names[i]))
			return true;
	return false;
}

void holds_follow(struct holds *h, int32_t db, const struct command *c, const struct span *argv,
		  int argc)
{
	int keys[KEYS_MAX], n;
	if (!c || !(c->flags & COMMAND_WRITE))
		return;
	if (!strncmp(c->name, "RENAME", 6) && argc == 3) {
		hold_carry(h, db, argv[1], db, argv[2]);
		key_end(h, db, argv[1]);
	} else if (c->scope == SCOPE_CROSS_DB && argc >= 3) {
		int other = command_other_db(c, argv, argc);
		bool moves = !strcmp(c->name, "MOVE");
		hold_carry(h, db, argv[1], other < 0 ? db : other, moves ? argv[1] : argv[2]);
		if (moves)
			key_end(h, db, argv[1]);
	} else if (!strcmp(c->name, "SWAPDB") && argc == 3) {
		holds_swap(h, (int32_t)span_digits(argv[1]), (int32_t)span_digits(argv[2]));
	} else if (may_set_expiry(c, argv, argc)) {
		n = command_keys(c, argv, argc, keys, KEYS_MAX);
		for (int i = 0; i < n; i++)
			key_end(h, db, argv[keys[i]]);
	}
}

struct hold *hold_next(struct holds *h, struct span *key)
{
	while (h->next < h->n) {
		struct hold *hold = &h->all[h->next++];
		if (hold->ended)
			continue;
		*key = (struct span){h->names + hold->at, hold->len};
		return hold;
	}
	h->next = 0;
	return NULL;
}

// ---- The file: magic, count, entries, sum

#define MAGIC "flyhold1"

struct packed_head {
	char magic[8];
	uint64_t n;
};

struct packed_hold {
	int64_t expire_at_ms, set_at_ms;
	int32_t db;
	uint32_t len; // of the name, which follows
};

_Static_assert(sizeof(struct packed_head) == 16 && sizeof(struct packed_hold) == 24,
	       "lies on the disk");

static char *put(char *at, const void *p, size_t len)
{
	if (len)
		memcpy(at, p, len);
	return at + len;
}

size_t holds_pack(const struct holds *h, char **out)
{
	struct packed_head head = {.magic = MAGIC};
	size_t max = sizeof(head) + h->n * sizeof(struct packed_hold) + h->n_names + 8;
	char *p = malloc(max), *at = p + sizeof(head);
	if (!p)
		return 0;
	for (unsigned i = 0; i < h->n; i++) {
		const struct hold *hold = &h->all[i];
		if (hold->ended)
			continue;
		struct packed_hold packed = {hold->expire_at_ms, hold->set_at_ms, hold->db,
					     hold->len};
		at = put(at, &packed, sizeof(packed));
		at = put(at, h->names + hold->at, hold->len);
		head.n++;
	}
	put(p, &head, sizeof(head));
	uint64_t sum = crc64(0, p, (size_t)(at - p));
	at = put(at, &sum, sizeof(sum));
	*out = p;
	return (size_t)(at - p);
}

// One entry. @return bytes of it, 0 when it is not whole
static size_t hold_unpack(struct holds *h, struct span bytes, int *rc)
{
	struct packed_hold packed;
	if (bytes.len < sizeof(packed))
		return 0;
	memcpy(&packed, bytes.p, sizeof(packed));
	if (packed.len > bytes.len - sizeof(packed) || packed.db < 0)
		return 0;
	struct span key = {bytes.p + sizeof(packed), packed.len};
	if (!hold_put(h, packed.db, key, packed.expire_at_ms, packed.set_at_ms))
		*rc = -ENOMEM;
	return sizeof(packed) + packed.len;
}

int holds_unpack(struct holds *h, struct span bytes)
{
	struct packed_head head;
	uint64_t sum;
	int rc = 0;
	if (bytes.len < sizeof(head) + sizeof(sum))
		return -EBADMSG;
	size_t at = sizeof(head), end = bytes.len - sizeof(sum);
	memcpy(&head, bytes.p, sizeof(head));
	memcpy(&sum, bytes.p + end, sizeof(sum));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) || sum != crc64(0, bytes.p, end))
		return -EBADMSG;
	for (uint64_t i = 0; i < head.n && !rc; i++) {
		size_t n = hold_unpack(h, (struct span){bytes.p + at, end - at}, &rc);
		if (!n)
			rc = -EBADMSG;
		at += n;
	}
	if (!rc && at != end)
		rc = -EBADMSG;
	if (rc)
		holds_fini(h);
	return rc;
}
