// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/park.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/resp.h"

void park_init(struct park *p, const struct disk_ops *disk, const char *folder)
{
	p->disk = disk;
	snprintf(p->path, sizeof(p->path), "%s/parked.jsonl", folder);
	pthread_mutex_init(&p->lock, NULL);
}

void park_fini(struct park *p)
{
	pthread_mutex_destroy(&p->lock);
}

static void json_text(FILE *f, struct span s)
{
	fputc('"', f);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void base64(FILE *f, const unsigned char *p, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);
		fputc(letters[v >> 18], f);
		fputc(letters[v >> 12 & 63], f);
		fputc(n > 1 ? letters[v >> 6 & 63] : '=', f);
		fputc(n > 2 ? letters[v & 63] : '=', f);
	}
}

static struct span cut(struct span s, size_t most)
{
	return (struct span){s.p, s.len < most ? s.len : most};
}

// "verb" and "key": the name and the first argument after it, from the RESP text; empty when there
// is none. Cut, so that who lists thousands of commands need not read all of each.
static void words_text(FILE *f, const char *command, size_t len)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame frame;
	struct span words[2] = {SPAN_LIT(""), SPAN_LIT("")};
	if (s && !resp_stream_feed(s, command, len) && resp_stream_next(s, &frame) == RESP_OK)
		for (unsigned i = 0; i < 2 && i < frame.argc; i++)
			words[i] = (struct span){command + frame.argv[i].at, frame.argv[i].len};
	fputs(",\"verb\":", f);
	json_text(f, cut(words[0], PARK_TEXT_MAX));
	fputs(",\"key\":", f);
	json_text(f, cut(words[1], PARK_TEXT_MAX));
	resp_stream_free(s);
}

int park_item(struct park *p, const struct batch *b, unsigned i, const char *phase,
	      uint64_t wall_ms, struct span reason)
{
	const struct batch_item *item = &b->items[i];
	char *command = malloc(item->len + 1), *text = NULL;
	size_t text_len = 0;
	FILE *f = command ? open_memstream(&text, &text_len) : NULL;
	if (!f) {
		free(command);
		return -ENOMEM;
	}
	batch_item_bytes(b, i, command, item->len);
	fprintf(f,
		"{\"time_ms\":%" PRIu64 ",\"phase\":\"%s\",\"replid\":\"%.40s\",\"offset\":%" PRIu64
		",\"db\":%d",
		wall_ms, phase, b->marker.replid, item->offset, item->db);
	words_text(f, command, item->len);
	fputs(",\"reason\":", f);
	json_text(f, cut(reason, PARK_TEXT_MAX));
	fputs(",\"command\":\"", f);
	base64(f, (unsigned char *)command, item->len);
	fputs("\"}\n", f);
	int rc = fclose(f) ? -ENOMEM : 0;
	pthread_mutex_lock(&p->lock);
	if (!rc)
		rc = p->disk->append_line(p->path, text, text_len);
	pthread_mutex_unlock(&p->lock);
	free(command);
	free(text);
	return rc;
}
