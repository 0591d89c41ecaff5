// SPDX-License-Identifier: BSD-3-Clause
// journal_open() -> journal_refresh() -> files_open(), scan_more() -> line_take(), settled_take()
#include "ctrl/parked/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/cli/escape.h"
#include "ctrl/parked/base64.h"

#define HEAD_MAX    (64 << 10) // what stands before the command is shorter than that
#define COMMAND     ",\"command\":\""
#define COMMAND_LEN (sizeof(COMMAND) - 1)

const char *parked_fate_word(enum parked_fate fate)
{
	static const char *const words[] = {"open", "applied", "dropped", "left out", "damaged"};
	return words[fate];
}

static int line_take(void *arg, enum line_kind kind, uint64_t at, uint64_t len)
{
	static const enum parked_fate fates[] = {
		[LINE_RECORD] = PARKED_OPEN,
		[LINE_EMPTY] = PARKED_LEFT_OUT,
		[LINE_DAMAGED] = PARKED_DAMAGED,
	};
	struct journal *j = arg;
	if (j->n_lines == j->lines_max) {
		size_t max = j->lines_max ? 2 * j->lines_max : 256;
		struct parked_line *lines = realloc(j->lines, max * sizeof(*lines));
		if (!lines)
			return -ENOMEM;
		j->lines = lines;
		j->lines_max = max;
	}
	j->n_open += kind == LINE_RECORD;
	j->n_damaged += kind == LINE_DAMAGED;
	j->settled_bytes += kind == LINE_DAMAGED ? len : 0;
	j->lines[j->n_lines++] = (struct parked_line){.at = at, .len = len, .fate = fates[kind]};
	return 0;
}

static int file_read(int fd, uint64_t at, char *out, size_t len)
{
	ssize_t n = pread(fd, out, len, (off_t)at);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

static void fate_set(struct journal *j, struct parked_line *line, const char *word)
{
	if (line->fate != PARKED_OPEN)
		return;
	bool applied = !strcmp(word, parked_fate_word(PARKED_APPLIED));
	line->fate = applied ? PARKED_APPLIED : PARKED_DROPPED;
	j->settled_bytes += line->len;
	j->n_settled++;
	j->n_open--;
}

static int settled_take(void *arg, enum line_kind kind, uint64_t at, uint64_t len)
{
	struct journal *j = arg;
	char text[256];
	int rc = 0;
	if (kind != LINE_RECORD || len >= sizeof(text) ||
	    file_read(j->settled.fd, at, text, len))
		return 0;
	json_t *o = json_loadb(text, len, 0, NULL);
	uint64_t id = (uint64_t)json_integer_value(json_object_get(o, "id"));
	const char *word = json_string_value(json_object_get(o, "fate"));
	if (word && id >= j->first_id) {
		// It may have been parked and settled since we read the other file.
		if (id - j->first_id >= j->n_lines)
			rc = scan_more(&j->scan, line_take, j);
		if (id - j->first_id < j->n_lines)
			fate_set(j, &j->lines[id - j->first_id], word);
	}
	json_decref(o);
	return rc;
}

// Whether the files are still those that were read.
static bool files_are_same(const struct journal *j)
{
	char path[sizeof(j->folder) + 32];
	struct stat st;
	snprintf(path, sizeof(path), "%s/" PARKED_FILE, j->folder);
	if (j->scan.fd < 0 || stat(path, &st) || st.st_ino != j->scan.ino)
		return false;
	snprintf(path, sizeof(path), "%s/" SETTLED_FILE, j->folder);
	return j->settled.fd >= 0 && !stat(path, &st) && st.st_ino == j->settled.ino &&
	       (uint64_t)st.st_size >= j->settled.at;
}

static int files_open(struct journal *j)
{
	struct scan_header header;
	journal_close(j);
	j->n_lines = j->n_open = j->n_damaged = 0;
	j->settled_bytes = 0;
	int rc = scan_open(&j->scan, j->folder, PARKED_FILE);
	rc = rc ? rc : scan_open(&j->settled, j->folder, SETTLED_FILE);
	if (rc)
		return rc;
	size_t skip = scan_header(&j->scan, &header);
	if (skip)
		j->scan.at = j->scan.begin = skip + 1;
	j->first_id = header.first_id;
	j->n_settled = header.settled;
	return 0;
}

int journal_refresh(struct journal *j, struct failure *f)
{
	int rc = files_are_same(j) ? 0 : files_open(j);
	rc = rc ? rc : scan_more(&j->scan, line_take, j);
	rc = rc ? rc : scan_more(&j->settled, settled_take, j);
	if (!rc)
		return 0;
	return failure_set(f, rc == -ENOMEM ? ERROR_MEMORY : ERROR_STATE_DIR,
			   "the parked commands in %s cannot be read: %s", j->folder,
			   strerror(-rc));
}

int journal_open(struct journal *j, const char *folder, struct failure *f)
{
	memset(j, 0, sizeof(*j));
	j->scan.fd = j->settled.fd = -1;
	snprintf(j->folder, sizeof(j->folder), "%s", folder);
	int rc = journal_refresh(j, f);
	if (rc)
		journal_close(j);
	return rc;
}

void journal_close(struct journal *j)
{
	scan_close(&j->scan);
	scan_close(&j->settled);
	free(j->lines);
	j->lines = NULL;
	j->n_lines = j->lines_max = 0;
}

ssize_t journal_find(const struct journal *j, uint64_t id, struct failure *f)
{
	if (id >= j->first_id && id - j->first_id < j->n_lines)
		return (ssize_t)(id - j->first_id);
	return failure_set(f, ERROR_LINK_STATE, "there is no parked command %llu",
			   (unsigned long long)id);
}

// A text of a record has one code point a byte. @return to be freed, escaped; NULL without memory
static char *text_escaped(const char *utf8, size_t len)
{
	size_t n = 0;
	char *bytes = malloc(len + 1);
	for (size_t i = 0; bytes && i < len; i++) {
		unsigned char c = (unsigned char)utf8[i];
		if (c >= 0xc0 && i + 1 < len)
			c = (unsigned char)(c << 6 | ((unsigned char)utf8[++i] & 0x3f));
		bytes[n++] = (char)c;
	}
	char *text = bytes ? escape_text(bytes, n) : NULL;
	free(bytes);
	return text;
}

static void field_escape(json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	char *text = json_is_string(v) ? text_escaped(json_string_value(v), json_string_length(v))
				       : NULL;
	json_object_set_new(o, key, json_string(text ? text : ""));
	free(text);
}

// What stands before the command, made a whole object. @return bytes, 0: there is no such place
static size_t head_end(char *text, size_t len)
{
	char *at = memmem(text, len, COMMAND, COMMAND_LEN);
	if (!at)
		return 0;
	*at = '}';
	return (size_t)(at - text) + 1;
}

json_t *journal_head(const struct journal *j, size_t i)
{
	const struct parked_line *line = &j->lines[i];
	size_t len = line->len < HEAD_MAX ? line->len : HEAD_MAX;
	char *text = malloc(len + 1);
	json_t *o = NULL;
	if (text && !file_read(j->scan.fd, line->at, text, len)) {
		len = head_end(text, len);
		o = len ? json_loadb(text, len, JSON_ALLOW_NUL, NULL) : NULL;
	}
	free(text);
	if (!json_is_object(o)) {
		json_decref(o);
		return NULL;
	}
	field_escape(o, "verb");
	field_escape(o, "key");
	field_escape(o, "reason");
	json_t *head = json_pack("{s:I, s:s}", "id", (json_int_t)journal_id(j, i), "fate",
				 parked_fate_word((enum parked_fate)line->fate));
	json_object_update(head, o);
	json_decref(o);
	return head;
}

int journal_command(const struct journal *j, size_t i, char **out, size_t *len, struct failure *f)
{
	const struct parked_line *line = &j->lines[i];
	char *text = malloc(line->len + 1);
	if (!text)
		return failure_set(f, ERROR_MEMORY, "no memory for parked command %llu",
				   (unsigned long long)journal_id(j, i));
	if (!file_read(j->scan.fd, line->at, text, line->len)) {
		char *at = memmem(text, line->len, COMMAND, COMMAND_LEN);
		size_t begin = at ? (size_t)(at - text) + COMMAND_LEN : line->len;
		const char *end = memchr(text + begin, '"', line->len - begin);
		ssize_t n = end ? base64_decode(text + begin, (size_t)(end - text) - begin, text)
				: -EINVAL;
		if (n >= 0) {
			*out = text;
			*len = (size_t)n;
			return 0;
		}
	}
	free(text);
	return failure_set(f, ERROR_STATE_DIR, "parked command %llu cannot be read from %s/%s",
			   (unsigned long long)journal_id(j, i), j->folder, PARKED_FILE);
}
