// SPDX-License-Identifier: BSD-3-Clause
// aof_manifest_read() -> line_read() -> entry_read() -> entry_check() -> entry_add()
#include "parsers/aof_manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/aof_words.h"

#define WORD_LEN AOF_MANIFEST_LINE

// What is being read: all parts that were named, the history too, since no name may be there twice.
struct reading {
	struct aof_manifest *m;
	struct aof_part *all;
	size_t n, max;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct reading *r, const char *format, ...)
{
	struct aof_manifest *m = r->m;
	int n = m->line ? snprintf(m->error, sizeof(m->error), "line %u: ", m->line) : 0;
	va_list ap;
	va_start(ap, format);
	vsnprintf(m->error + n, sizeof(m->error) - (size_t)n, format, ap);
	va_end(ap);
	return -EINVAL;
}

// A whole number from 0, and nothing else.
static bool number_read(struct span text, int64_t *v)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	*v = (int64_t)span_digits(text);
	return text.len > 0 && text.len <= 18;
}

static int name_check(struct reading *r, struct span name)
{
	if (!name.len || name.len > AOF_NAME_LEN)
		return wrong(r, "a file name has 1 to %d bytes", AOF_NAME_LEN);
	if (memchr(name.p, '/', name.len) || memchr(name.p, '\0', name.len) ||
	    span_eq(name, SPAN_LIT(".")) || span_eq(name, SPAN_LIT("..")))
		return wrong(r, "the file must be a plain name beside the manifest, not a path");
	return 0;
}

static int value_take(struct reading *r, struct aof_part *part, struct span key, struct span value)
{
	int64_t seq;
	if (span_caseeq(key, "file")) {
		if (part->name[0])
			return wrong(r, "two file names");
		if (name_check(r, value))
			return -EINVAL;
		memcpy(part->name, value.p, value.len);
	} else if (span_caseeq(key, "seq")) {
		if (!number_read(value, &seq) || !seq)
			return wrong(r, "seq is no number from 1");
		part->seq = (uint64_t)seq;
	} else if (span_caseeq(key, "type")) {
		if (value.len != 1 || !value.p[0] || !strchr("bih", value.p[0]))
			return wrong(r, "type is b, i or h");
		part->type = (enum aof_part_type)value.p[0];
	} else if (span_caseeq(key, "startoffset")) {
		if (!number_read(value, &part->start_offset))
			return wrong(r, "startoffset is no number");
	} else if (span_caseeq(key, "endoffset")) {
		if (!number_read(value, &part->end_offset))
			return wrong(r, "endoffset is no number");
	}
	return 0; // what else newer servers say is theirs
}

// KEY VALUE pairs.
static int entry_read(struct reading *r, struct span line, struct aof_part *part)
{
	char key[WORD_LEN], value[WORD_LEN];
	size_t key_len, value_len;
	*part = (struct aof_part){.start_offset = -1, .end_offset = -1};
	for (;;) {
		int rc = aof_word_take(&line, key, sizeof(key), &key_len);
		if (!rc)
			break;
		if (rc < 0 || aof_word_take(&line, value, sizeof(value), &value_len) <= 0)
			return wrong(r, "not pairs of a word and its value; expected "
					"'file NAME seq NUMBER type b|i|h'");
		if (value_take(r, part, (struct span){key, key_len},
			       (struct span){value, value_len}))
			return -EINVAL;
	}
	if (!part->name[0] || !part->seq || !part->type)
		return wrong(r, "expected 'file NAME seq NUMBER type b|i|h'");
	return 0;
}

static int entry_check(struct reading *r, const struct aof_part *part)
{
	uint64_t last = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct aof_part *p = &r->all[i];
		if (!strcmp(p->name, part->name))
			return wrong(r, "the file is named a second time");
		if (part->type == AOF_PART_BASE && p->type == AOF_PART_BASE)
			return wrong(r, "a second base file");
		if (p->type == AOF_PART_INCR)
			last = p->seq;
	}
	if (part->type == AOF_PART_INCR && part->seq <= last)
		return wrong(r, "seq %llu comes after seq %llu: increments must ascend",
			     (unsigned long long)part->seq, (unsigned long long)last);
	return 0;
}

static int entry_add(struct reading *r, const struct aof_part *part)
{
	if (r->n == AOF_PARTS_MAX)
		return wrong(r, "more than %d files", AOF_PARTS_MAX);
	if (r->n == r->max) {
		size_t max = r->max ? 2 * r->max : 16;
		struct aof_part *more = realloc(r->all, max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->all = more;
		r->max = max;
	}
	r->all[r->n++] = *part;
	return 0;
}

static int line_read(struct reading *r, struct span line)
{
	struct aof_part part;
	if (line.len && line.p[0] == '#')
		return 0;
	int rc = entry_read(r, line, &part);
	rc = rc ? rc : entry_check(r, &part);
	return rc ? rc : entry_add(r, &part);
}

static int lines_read(struct reading *r, struct span text)
{
	if (text.len > AOF_MANIFEST_LEN)
		return wrong(r, "longer than %d bytes", AOF_MANIFEST_LEN);
	for (int rc = 0; text.len;) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t len = end ? (size_t)(end - text.p) : text.len;
		r->m->line++;
		if (len >= AOF_MANIFEST_LINE)
			return wrong(r, "longer than %d bytes", AOF_MANIFEST_LINE);
		if (!end)
			return wrong(r, "cut short: no line end");
		rc = line_read(r, (struct span){text.p, len});
		if (rc)
			return rc;
		text = (struct span){end + 1, text.len - len - 1};
	}
	r->m->line = 0;
	return 0;
}

// The base to the front, increments behind it, and no history.
static int parts_order(struct reading *r)
{
	struct aof_manifest *m = r->m;
	m->parts = calloc(r->n + 1, sizeof(*m->parts));
	if (!m->parts)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		if (r->all[i].type == AOF_PART_BASE)
			m->parts[m->n_parts++] = r->all[i];
	for (size_t i = 0; i < r->n; i++)
		if (r->all[i].type == AOF_PART_INCR)
			m->parts[m->n_parts++] = r->all[i];
	for (size_t i = 0; i < r->n; i++)
		m->n_history += r->all[i].type == AOF_PART_HISTORY;
	return m->n_parts ? 0 : wrong(r, "names no base and no increment");
}

int aof_manifest_read(struct aof_manifest *m, struct span text)
{
	struct reading r = {.m = m};
	*m = (struct aof_manifest){0};
	int rc = lines_read(&r, text);
	rc = rc ? rc : parts_order(&r);
	free(r.all);
	if (rc)
		aof_manifest_fini(m);
	return rc;
}

void aof_manifest_fini(struct aof_manifest *m)
{
	free(m->parts);
	m->parts = NULL;
	m->n_parts = 0;
}
