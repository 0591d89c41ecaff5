// SPDX-License-Identifier: BSD-3-Clause
// A snapshot without servers: an RDB goes in, what the target of a given version would be sent
// comes out as text, one command a line, "{" and "}" around what goes as one transaction.
#pragma once

#include <unistd.h>

#include "dataplane/route/snapshot.h"
#include "parsers/rdb_write.h"
#include "tests/unit/lanes_rig.h"

#define SNAPSHOT_RDB_MAX (200 * 1024)
#define FAR_MS           4102444800000ll

struct snapshot_rig {
	struct rig *rig;
	struct snapshot snapshot;
	struct keyset keys;
	struct holds holds;
	struct park park;
	char folder[64];
	struct rdb_writer rdb;
	char *bytes; // the RDB
	char *said;  // what was sent
	size_t said_len;
	FILE *said_file;
	int rc;      // of the last turn
};

// @param version  "redis 4.0.14"; "": it does not tell
static inline struct server_version rig_version(const char *version)
{
	struct server_version v = {0};
	char info[64];
	if (!*version)
		return v;
	int n = snprintf(info, sizeof(info), "%.*s_version:%s\r\n", (int)strcspn(version, " "),
			 version, strchr(version, ' ') + 1);
	assert_true(server_version_read((struct span){info, (size_t)n}, &v));
	return v;
}

// An RDB to be written by s->rdb: header, database 0. @param header  "REDIS0010"
static inline struct snapshot_rig *snapshot_rig_new(const char *header, unsigned batch_commands)
{
	struct snapshot_rig *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->rig = rig_new(1, batch_commands);
	s->rig->place.marker.phase = MARKER_SNAPSHOT;
	s->rig->config.settings.big_value = 4 * KB;
	strcpy(s->folder, "/tmp/flyover-snapshot-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	park_init(&s->park, &disk_kernel, s->folder);
	s->bytes = malloc(SNAPSHOT_RDB_MAX);
	s->said_file = open_memstream(&s->said, &s->said_len);
	assert_true(s->bytes && s->said_file);
	rdb_write_init(&s->rdb, s->bytes, SNAPSHOT_RDB_MAX, NULL, NULL);
	rdb_write_header(&s->rdb, (int)strtol(header + strcspn(header, "0"), NULL, 10));
	memcpy(s->bytes, header, strlen(header)); // both magics are as long
	rdb_write_selectdb(&s->rdb, 0);
	return s;
}

static inline void snapshot_rig_free(struct snapshot_rig *s)
{
	unlink(s->park.path);
	assert_int_equal(rmdir(s->folder), 0);
	park_fini(&s->park);
	snapshot_fini(&s->snapshot);
	holds_fini(&s->holds);
	rig_free(s->rig);
	fclose(s->said_file);
	free(s->said);
	free(s->bytes);
	free(s);
}

// One word; of a payload its type and version.
static inline void rig_word_say(FILE *f, bool payload, const char *p, size_t len)
{
	if (payload)
		fprintf(f, " <%u v%u>", (uint8_t)p[0],
			(unsigned)((uint8_t)p[len - 10] | (uint8_t)p[len - 9] << 8));
	else if (len > 100)
		fprintf(f, " (%zu bytes)", len);
	else
		fprintf(f, " %.*s", (int)len, p);
}

static inline void rig_item_say(FILE *f, const struct batch *b, unsigned i)
{
	size_t len = batch_item_len(b, i);
	char *bytes = malloc(len + 1), *at = bytes, *end;
	assert_non_null(bytes);
	assert_int_equal(batch_item_bytes(b, i, bytes, len), len);
	bytes[len] = 0;
	unsigned long argc = strtoul(at + 1, &end, 10);
	bool restore = false;
	at = end + 2;
	for (unsigned long k = 0; k < argc; k++) {
		size_t n = strtoul(at + 1, &end, 10);
		at = end + 2;
		restore |= !k && n == 7 && !memcmp(at, "RESTORE", 7);
		rig_word_say(f, restore && k == 3, at, n);
		at += n + 2;
	}
	assert_ptr_equal(at, bytes + len);
	fputc('\n', f);
	free(bytes);
}

// Take and answer what the lane was given. @param most  batches
static inline void rig_answer_all(struct snapshot_rig *s, unsigned most)
{
	const struct batch *b;
	while (most-- && (b = rig_ready(s->rig, 0))) {
		fputs(b->framed ? "{\n" : "", s->said_file);
		for (unsigned i = 0; i < b->n_items; i++)
			rig_item_say(s->said_file, b, i);
		fputs(b->framed ? "}\n" : "", s->said_file);
		rig_answer(s->rig, 0);
	}
	place_collect(&s->rig->place);
}

// Let it run. @param at_once  batches that the lane answers between two turns
// @return what was said; s->rc is -1 when it failed
static inline const char *snapshot_rig_run(struct snapshot_rig *s, const char *version,
					   unsigned at_once)
{
	struct server_version v = rig_version(version);
	struct snapshot *snap = &s->snapshot;
	assert_int_equal(rdb_write_eof(&s->rdb), 0);
	snapshot_init(snap, &s->rig->log, &s->rig->place, &s->rig->counters, &s->keys, &s->holds,
		      &s->park);
	assert_int_equal(snapshot_begin(snap, &s->rig->config.settings, &v), 0);
	assert_int_equal(rig_receive(s->rig, s->bytes, s->rdb.len), s->rdb.len);
	for (unsigned turns = 0; s->rc >= 0 && !(snap->done && rig_is_idle(s->rig)); turns++) {
		assert_true(turns < 100000);
		s->rc = snapshot_turn(snap, 1700000000000);
		place_flush(&s->rig->place, snap->position, 0, true, 0);
		rig_answer_all(s, at_once);
	}
	fflush(s->said_file);
	return s->said;
}
