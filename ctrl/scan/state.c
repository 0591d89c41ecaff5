// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/scan/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#define FILE_NAME "scan.json"
#define FILE_NEW  "scan.json.new"
#define VERSION   1

static void text_take(const json_t *o, const char *key, char *out, size_t len)
{
	const char *text = json_string_value(json_object_get(o, key));
	snprintf(out, len, "%s", text ? text : "");
}

static uint64_t number_take(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

int scan_state_read(const struct state_dir *d, struct scan_state *s, struct failure *f)
{
	*s = (struct scan_state){.db = -1};
	int fd = openat(d->fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return failure_set(f, ERROR_STATE_DIR, "%s/%s cannot be read: %s", d->path,
				   FILE_NAME, strerror(errno));
	json_t *o = json_loadfd(fd, 0, NULL);
	close(fd);
	bool usable = number_take(o, "version") == VERSION;
	if (usable) {
		text_take(o, "source", s->source, sizeof(s->source));
		text_take(o, "target", s->target, sizeof(s->target));
		text_take(o, "run_id", s->run_id, sizeof(s->run_id));
		text_take(o, "cursor", s->cursor, sizeof(s->cursor));
		s->db = (int)json_integer_value(json_object_get(o, "db"));
		s->keys = number_take(o, "keys");
		s->gone = number_take(o, "gone");
		s->target_was_empty = json_is_true(json_object_get(o, "target_was_empty"));
		s->complete = json_is_true(json_object_get(o, "complete"));
	}
	json_decref(o);
	return usable;
}

static int text_write(const struct state_dir *d, const char *text)
{
	int fd = openat(d->fd, FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, strlen(text));
	int rc = n < 0 ? -errno : (size_t)n < strlen(text) ? -ENOSPC : 0;
	if (rc == 0 && fdatasync(fd))
		rc = -errno;
	close(fd);
	if (rc == 0 && renameat(d->fd, FILE_NEW, d->fd, FILE_NAME))
		rc = -errno;
	return rc;
}

int scan_state_write(const struct state_dir *d, const struct scan_state *s, struct failure *f)
{
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:I, s:I, s:b, s:b}", "version",
			      VERSION, "source", s->source, "target", s->target, "run_id",
			      s->run_id, "db", s->db, "cursor", s->cursor, "keys",
			      (json_int_t)s->keys, "gone", (json_int_t)s->gone,
			      "target_was_empty", s->target_was_empty, "complete", s->complete);
	char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	int rc = text ? text_write(d, text) : -ENOMEM;
	free(text);
	if (rc == 0)
		return 0;
	return failure_set(f, ERROR_DISK, "the state in %s cannot be written: %s", d->path,
			   strerror(-rc));
}
