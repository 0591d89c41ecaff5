// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/park.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "parsers/resp_skim.h"

#define PIECE_LEN     49152 // a multiple of three, so that base64 needs no filling in between
#define IN_MEMORY_MAX (1024 * 1024)
#define HEAD_LEN      (2 * PARK_TEXT_MAX + 64) // of a command: its name and a key

void park_init(struct park *p, const struct disk_ops *disk, const char *folder)
{
	p->disk = disk;
	p->folder = folder;
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

// The name of a command and the first argument after it, as far as its head has them; empty when
// there is none.
static void words_find(struct span words[2], const char *head, size_t len)
{
	struct resp_skim s;
	enum skim_verdict verdict = SKIM_ARG;
	size_t at = 0, used;
	resp_skim_init(&s);
	words[0] = words[1] = SPAN_LIT("");
	for (unsigned n = 0; verdict == SKIM_ARG && n < 2; at += used) {
		verdict = resp_skim_next(&s, (struct span){head + at, len - at}, &used);
		if (verdict == SKIM_ARG || (verdict == SKIM_MORE && s.in_body))
			words[n++] = cut((struct span){head + s.arg.at, s.arg.len},
					 len - (size_t)s.arg.at);
	}
}

// The whole command, which may be larger than our memory.
static void command_text(FILE *f, const struct batch *b, unsigned i, char *piece)
{
	size_t n, at = 0;
	while ((n = batch_item_piece(b, i, at, piece, PIECE_LEN))) {
		base64(f, (unsigned char *)piece, n);
		at += n;
	}
}

// Where a record is composed: in memory, or for a giant in a file.
struct record {
	FILE *f;
	char *text;
	size_t len;
	struct memory_file file;
	bool in_file;
};

static int record_open(struct record *r, const char *folder, size_t command_len)
{
	*r = (struct record){.in_file = command_len > IN_MEMORY_MAX};
	if (!r->in_file) {
		r->f = open_memstream(&r->text, &r->len);
		return r->f ? 0 : -ENOMEM;
	}
	int rc = memory_file_init(&r->file, folder);
	if (rc)
		return rc;
	int fd = dup(r->file.fd);
	r->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (r->f)
		return 0;
	if (fd >= 0)
		close(fd);
	memory_file_fini(&r->file);
	return -ENOMEM;
}

// All of it was put. @return 0, or -errno
static int record_close(struct record *r)
{
	long len = ftell(r->f);
	if (fclose(r->f) || len < 0)
		return -errno;
	if (!r->in_file)
		return 0;
	r->file.len = (size_t)len;
	return memory_file_seal(&r->file);
}

static void record_free(struct record *r)
{
	free(r->text);
	if (r->in_file)
		memory_file_fini(&r->file);
}

static int record_append(struct park *p, const struct record *r)
{
	pthread_mutex_lock(&p->lock);
	int rc = r->in_file ? p->disk->append_line(p->path, r->file.base, r->file.len)
			    : p->disk->append_line(p->path, r->text, r->len);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

// Words are cut, so that who lists thousands of commands need not read all of each.
static void head_text(FILE *f, const struct park_record *what)
{
	fprintf(f,
		"{\"time_ms\":%" PRIu64 ",\"phase\":\"%s\",\"replid\":\"%.40s\",\"offset\":%" PRIu64
		",\"db\":%d,\"verb\":",
		what->wall_ms, what->phase, what->replid, what->offset, what->db);
	json_text(f, cut(what->verb, PARK_TEXT_MAX));
	fputs(",\"key\":", f);
	json_text(f, cut(what->key, PARK_TEXT_MAX));
	fputs(",\"reason\":", f);
	json_text(f, cut(what->reason, PARK_TEXT_MAX));
	fputs(",\"command\":\"", f);
}

int park_put(struct park *p, const struct park_record *what)
{
	const struct batch *b = what->b;
	char *piece = malloc(PIECE_LEN);
	struct record r;
	int rc = piece ? record_open(&r, p->folder, b ? batch_item_len(b, what->i) : 0) : -ENOMEM;
	if (rc) {
		free(piece);
		return rc;
	}
	head_text(r.f, what);
	if (b)
		command_text(r.f, b, what->i, piece);
	fputs("\"}\n", r.f);
	rc = record_close(&r);
	if (!rc)
		rc = record_append(p, &r);
	record_free(&r);
	free(piece);
	if (b && b->file) // a giant's pages that were looked at
		memory_file_forget(b->file, 0, b->file->len);
	return rc;
}

int park_item(struct park *p, const struct batch *b, unsigned i, const char *phase,
	      uint64_t wall_ms, struct span reason)
{
	char head[HEAD_LEN];
	struct span words[2];
	words_find(words, head, batch_item_piece(b, i, 0, head, sizeof(head)));
	struct park_record what = {.phase = phase,
				   .replid = b->marker.replid,
				   .wall_ms = wall_ms,
				   .offset = b->items[i].offset,
				   .db = b->items[i].db,
				   .verb = words[0],
				   .key = words[1],
				   .reason = reason,
				   .b = b,
				   .i = i};
	return park_put(p, &what);
}
