// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/marker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/apply/batch.h"

static const char *const phase_words[] = {"snapshot", "stream"};

size_t marker_key(char *out, const char *link, unsigned first_slot, unsigned last_slot)
{
	return (size_t)snprintf(out, MARKER_KEY_LEN, MARKER_PREFIX "{%.64s}:%u-%u", link,
				first_slot, last_slot);
}

size_t marker_epoch_key(char *out, const char *link)
{
	return (size_t)snprintf(out, MARKER_KEY_LEN, MARKER_PREFIX "{%.64s}:epoch", link);
}

static char *put_text(char *at, const char *text)
{
	size_t len = strlen(text);
	memcpy(at, text, len);
	at[len] = ' ';
	return at + len + 1;
}

static char *put_number(char *at, uint64_t v)
{
	at += decimal_write(at, v);
	*at++ = ' ';
	return at;
}

size_t marker_text(char *out, const struct marker *m)
{
	char *at = put_text(out, "1");
	at = put_number(at, m->epoch);
	at = put_text(at, m->site);
	at = put_text(at, m->replid);
	at = put_text(at, phase_words[m->phase]);
	at = put_number(at, m->offset);
	at = put_number(at, (uint64_t)(m->db < 0 ? 0 : m->db));
	at = put_number(at, m->run);
	at = put_number(at, m->seq);
	at = put_number(at, m->client);
	return (size_t)(at - out) - 1;
}

static char *put_bulk(char *at, struct span s)
{
	*at++ = '$';
	at += decimal_write(at, s.len);
	*at++ = '\r';
	*at++ = '\n';
	memcpy(at, s.p, s.len);
	at += s.len;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

size_t marker_set(char *out, struct span key, const struct marker *m)
{
	char text[MARKER_TEXT_LEN];
	size_t text_len = marker_text(text, m);
	memcpy(out, "*3\r\n$3\r\nSET\r\n", 13);
	char *at = put_bulk(out + 13, key);
	at = put_bulk(at, (struct span){text, text_len});
	return (size_t)(at - out);
}

size_t marker_epoch_set(char *out, const char *link, uint64_t epoch)
{
	char key[MARKER_KEY_LEN], number[20];
	size_t key_len = marker_epoch_key(key, link);
	memcpy(out, "*3\r\n$3\r\nSET\r\n", 13);
	char *at = put_bulk(out + 13, (struct span){key, key_len});
	at = put_bulk(at, (struct span){number, decimal_write(number, epoch)});
	return (size_t)(at - out);
}

int marker_parse(struct marker *m, struct span text)
{
	char z[MARKER_TEXT_LEN], phase[16];
	int version, used = 0;
	if (text.len >= sizeof(z))
		return -EINVAL;
	memcpy(z, text.p, text.len);
	z[text.len] = 0;
	int n = sscanf(z,
		       "%d %" SCNu64 " %63s %40s %15s %" SCNu64 " %d %" SCNu64 " %" SCNu64
		       " %" SCNu64 "%n",
		       &version, &m->epoch, m->site, m->replid, phase, &m->offset, &m->db, &m->run,
		       &m->seq, &m->client, &used);
	if (n != 10 || version != 1 || (size_t)used != text.len)
		return -EINVAL;
	for (unsigned i = 0; i < 2; i++) {
		if (strcmp(phase, phase_words[i]))
			continue;
		m->phase = (enum marker_phase)i;
		return 0;
	}
	return -EINVAL;
}
