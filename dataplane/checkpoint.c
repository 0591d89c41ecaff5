// SPDX-License-Identifier: BSD-3-Clause
// checkpoint_parse() -> line_take() -> number_take() | words of each field
#include "dataplane/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsers/crc64.h"

#define HEAD      "flyover-checkpoint 1\n"
#define SUM_LEN   (sizeof("crc64 0123456789abcdef\n") - 1)
#define LINE_LEN  512

void checkpoint_target(char *out, const struct endpoint *target)
{
	char db[16] = "";
	if (target->db >= 0)
		snprintf(db, sizeof(db), "/%d", target->db);
	if (target->kind == URL_UNIX)
		snprintf(out, CHECKPOINT_TARGET_LEN, "%s%s", target->path, db);
	else if (target->kind == URL_SENTINEL)
		snprintf(out, CHECKPOINT_TARGET_LEN, "sentinel %s%s", target->master, db);
	else if (target->kind == URL_CLUSTER)
		snprintf(out, CHECKPOINT_TARGET_LEN, "cluster %s:%u", target->host, target->port);
	else
		snprintf(out, CHECKPOINT_TARGET_LEN, "%s:%u%s", target->host, target->port, db);
}

// ---- Out

static const char *phase_word(enum marker_phase phase)
{
	return phase == MARKER_STREAM ? "stream" : "snapshot";
}

// A reason may hold words of a server: it stays on its line.
static void reason_clean(char *out, const char *reason)
{
	snprintf(out, TEXT_LEN, "%s", reason);
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
}

size_t checkpoint_text(const struct checkpoint *c, char *out)
{
	char reason[TEXT_LEN];
	size_t max = CHECKPOINT_LEN_MAX, n;
	reason_clean(reason, c->full_sync);
	n = (size_t)snprintf(out, max,
			     HEAD
			     "link %s\ntarget %s\nepoch %" PRIu64 "\nrun %" PRIu64
			     "\nphase %s\nmarked %d\nspoilt %d\nours %d\ndb %d\nfrontier %" PRIu64
			     "\ndelivery %s\nreleased %" PRIu64 "\n",
			     c->link, c->target, c->epoch, c->run, phase_word(c->phase), c->marked,
			     c->spoilt, c->ours, c->db, c->frontier,
			     c->exactly_once ? "exactly-once" : "at-least-once", c->released);
	if (c->emptied)
		n += (size_t)snprintf(out + n, max - n, "emptied 1\n");
	for (unsigned i = 0; i < c->chain.n; i++)
		n += (size_t)snprintf(out + n, max - n, "chain %s %" PRIu64 "\n",
				      c->chain.runs[i].replid, c->chain.runs[i].first);
	if (c->kept_len)
		n += (size_t)snprintf(out + n, max - n, "kept %s %" PRIu64 " %" PRIu64 "\n",
				      c->kept_replid, c->kept_offset, c->kept_len);
	n += (size_t)snprintf(out + n, max - n, "full-sync %" PRIu64 " %s\n", c->full_sync_ms,
			      reason);
	n += (size_t)snprintf(out + n, max - n, "crc64 %016" PRIx64 "\n", crc64(0, out, n));
	return n;
}

_Static_assert(CHAIN_MAX * (CHAIN_ID_LEN + 32) + CHECKPOINT_TARGET_LEN + TEXT_LEN + 512 <
		       CHECKPOINT_LEN_MAX,
	       "the longest checkpoint fits");

// ---- In

static bool number_take(const char *value, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(value, &end, 10);
	return !errno && end != value && !*end && *value >= '0' && *value <= '9';
}

static bool flag_take(const char *value, bool *out)
{
	*out = value[0] == '1';
	return (value[0] == '0' || value[0] == '1') && !value[1];
}

static bool word_is(const char *value, const char *yes, const char *no, bool *out)
{
	*out = !strcmp(value, yes);
	return *out || !strcmp(value, no);
}

static bool text_take(const char *value, char *out, size_t len)
{
	return *value && snprintf(out, len, "%s", value) < (int)len;
}

// An id and what follows it. @return what follows, NULL when it is no id
static char *replid_take(char *value, char *out)
{
	char *space = strchr(value, ' ');
	if (!space || space - value != CHAIN_ID_LEN - 1)
		return NULL;
	*space = 0;
	snprintf(out, CHAIN_ID_LEN, "%s", value);
	return space + 1;
}

static bool run_take(struct chain *c, char *value)
{
	if (c->n == CHAIN_MAX)
		return false;
	struct chain_run *run = &c->runs[c->n++];
	value = replid_take(value, run->replid);
	return value && number_take(value, &run->first);
}

static bool kept_take(struct checkpoint *c, char *value)
{
	value = replid_take(value, c->kept_replid);
	char *space = value ? strchr(value, ' ') : NULL;
	if (!space)
		return false;
	*space = 0;
	return number_take(value, &c->kept_offset) && number_take(space + 1, &c->kept_len);
}

static bool reason_take(struct checkpoint *c, char *value)
{
	char *space = strchr(value, ' ');
	if (!space)
		return false;
	*space = 0;
	return number_take(value, &c->full_sync_ms) &&
	       snprintf(c->full_sync, sizeof(c->full_sync), "%s", space + 1) < TEXT_LEN;
}

static bool db_take(const char *value, int32_t *out)
{
	uint64_t v;
	if (!number_take(value, &v) || v > INT32_MAX)
		return false;
	*out = (int32_t)v;
	return true;
}

static bool field_take(struct checkpoint *c, const char *name, char *value)
{
	bool yes = false;
	if (!strcmp(name, "link"))
		return text_take(value, c->link, sizeof(c->link));
	if (!strcmp(name, "target"))
		return text_take(value, c->target, sizeof(c->target));
	if (!strcmp(name, "epoch"))
		return number_take(value, &c->epoch);
	if (!strcmp(name, "run"))
		return number_take(value, &c->run);
	if (!strcmp(name, "phase")) {
		bool known = word_is(value, "stream", "snapshot", &yes);
		c->phase = yes ? MARKER_STREAM : MARKER_SNAPSHOT;
		return known;
	}
	if (!strcmp(name, "marked"))
		return flag_take(value, &c->marked);
	if (!strcmp(name, "spoilt"))
		return flag_take(value, &c->spoilt);
	if (!strcmp(name, "emptied"))
		return flag_take(value, &c->emptied);
	if (!strcmp(name, "ours"))
		return flag_take(value, &c->ours);
	if (!strcmp(name, "db"))
		return db_take(value, &c->db);
	if (!strcmp(name, "frontier"))
		return number_take(value, &c->frontier);
	if (!strcmp(name, "delivery"))
		return word_is(value, "exactly-once", "at-least-once", &c->exactly_once);
	if (!strcmp(name, "released"))
		return number_take(value, &c->released);
	if (!strcmp(name, "chain"))
		return run_take(&c->chain, value);
	if (!strcmp(name, "kept"))
		return kept_take(c, value);
	return !strcmp(name, "full-sync") && reason_take(c, value);
}

static bool line_take(struct checkpoint *c, struct span line)
{
	char text[LINE_LEN];
	if (line.len >= sizeof(text) || memchr(line.p, 0, line.len))
		return false;
	memcpy(text, line.p, line.len);
	text[line.len] = 0;
	char *value = strchr(text, ' ');
	if (!value)
		return false;
	*value = 0;
	return field_take(c, text, value + 1);
}

static bool sum_is_right(struct span text)
{
	char sum[SUM_LEN + 1];
	if (text.len < SUM_LEN)
		return false;
	size_t body = text.len - SUM_LEN;
	snprintf(sum, sizeof(sum), "crc64 %016" PRIx64 "\n", crc64(0, text.p, body));
	return !memcmp(text.p + body, sum, SUM_LEN);
}

int checkpoint_parse(struct checkpoint *c, struct span text, char *why)
{
	static const char head[] = HEAD;
	size_t at = sizeof(head) - 1;
	memset(c, 0, sizeof(*c));
	if (!sum_is_right(text)) {
		snprintf(why, TEXT_LEN, "its sum is wrong");
		return -EBADMSG;
	}
	size_t end = text.len - SUM_LEN;
	if (end < at || memcmp(text.p, head, at)) {
		snprintf(why, TEXT_LEN, "it is of a version that this one does not know");
		return -EBADMSG;
	}
	while (at < end) {
		const char *newline = memchr(text.p + at, '\n', end - at);
		size_t len = newline ? (size_t)(newline - text.p) - at : end - at;
		if (!newline || !line_take(c, (struct span){text.p + at, len})) {
			snprintf(why, TEXT_LEN, "line '%.*s' makes no sense",
				 len < 80 ? (int)len : 80, text.p + at);
			return -EBADMSG;
		}
		at += len + 1;
	}
	return 0;
}
