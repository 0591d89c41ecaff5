// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/slot_marker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "dataplane/apply/batch.h"

static const char *const phase_words[] = {"snapshot", "stream"};

uint64_t slot_digest(uint16_t slot)
{
	return XXH3_64bits(&slot, sizeof(slot));
}

static char *put(char *at, const char *p, size_t len)
{
	memcpy(at, p, len);
	return at + len;
}

static char *put_text(char *at, const char *text)
{
	at = put(at, text, strlen(text));
	*at++ = ' ';
	return at;
}

static char *put_number(char *at, uint64_t v, char behind)
{
	at += decimal_write(at, v);
	*at++ = behind;
	return at;
}

size_t slot_marker_key(char *out, const char *link, uint16_t slot)
{
	const char *tag = cluster_tag(slot);
	char *at = put(out, MARKER_PREFIX "{", sizeof(MARKER_PREFIX));
	at = put(at, tag, strlen(tag));
	at = put(at, "}:", 2);
	at = put(at, link, strlen(link));
	*at = 0;
	return (size_t)(at - out);
}

size_t slot_claim_key(char *out, const char *link, uint16_t slot)
{
	size_t len = slot_marker_key(out, link, slot);
	memcpy(out + len, ":low", 5);
	return len + 4;
}

static size_t value_text(char *out, const struct slot_marker *s)
{
	const struct marker *m = &s->marker;
	char *at = put_text(out, "4");
	at = put_number(at, m->epoch, ' ');
	at = put_text(at, m->site);
	at = put_text(at, m->replid);
	at = put_text(at, phase_words[m->phase]);
	at = put_number(at, m->offset, ' ');
	at = put_number(at, (uint64_t)(m->db < 0 ? 0 : m->db), ' ');
	at = put_number(at, m->run, ' ');
	at = put_number(at, m->seq, ' ');
	at = put_number(at, s->low, ' ');
	at = put_number(at, s->first_slot, '-');
	at = put_number(at, s->last_slot, ' ');
	at = put_text(at, s->node);
	at = put_number(at, s->owned, ' ');
	at += decimal_write(at, m->looks);
	return (size_t)(at - out);
}

static char *put_bulk(char *at, struct span s)
{
	*at++ = '$';
	at += decimal_write(at, s.len);
	at = put(at, "\r\n", 2);
	at = put(at, s.p, s.len);
	return put(at, "\r\n", 2);
}

size_t slot_marker_set(char *out, struct span key, const struct slot_marker *m)
{
	char text[MARKER_TEXT_LEN + 96];
	size_t text_len = value_text(text, m);
	char *at = put(out, "*3\r\n$3\r\nSET\r\n", 13);
	at = put_bulk(at, key);
	at = put_bulk(at, (struct span){text, text_len});
	return (size_t)(at - out);
}

int slot_marker_parse(struct slot_marker *s, struct span text)
{
	struct marker *m = &s->marker;
	char z[MARKER_TEXT_LEN + 96], phase[16];
	int version, used = 0;
	if (text.len >= sizeof(z))
		return -EINVAL;
	memcpy(z, text.p, text.len);
	z[text.len] = 0;
	memset(s, 0, sizeof(*s));
	int n = sscanf(z,
		       "%d %" SCNu64 " %63s %40s %15s %" SCNu64 " %d %" SCNu64 " %" SCNu64
		       " %" SCNu64 " %" SCNu16 "-%" SCNu16 " %40s %" SCNu64 " %" SCNu64 "%n",
		       &version, &m->epoch, m->site, m->replid, phase, &m->offset, &m->db, &m->run,
		       &m->seq, &s->low, &s->first_slot, &s->last_slot, s->node, &s->owned,
		       &m->looks, &used);
	if (n != 15 || version != 4 || (size_t)used != text.len || s->first_slot > s->last_slot ||
	    s->last_slot >= SLOT_COUNT)
		return -EINVAL;
	for (unsigned i = 0; i < 2; i++) {
		if (strcmp(phase, phase_words[i]))
			continue;
		m->phase = (enum marker_phase)i;
		return 0;
	}
	return -EINVAL;
}
