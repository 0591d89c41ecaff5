// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/contract/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct setting_row *setting_rows(unsigned *n)
{
	static const struct setting_row rows[] = {
#define X(name, kind, def, min, max, help)                                                         \
	{#name, SETTING_##kind, def, min, max, help, offsetof(struct link_settings, name)},
		LINK_SETTINGS(X)
#undef X
	};
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

static uint64_t *setting_field(struct link_settings *s, const struct setting_row *row)
{
	return (uint64_t *)((char *)s + row->field);
}

static struct db_map *setting_databases(struct link_settings *s, const struct setting_row *row)
{
	return (struct db_map *)((char *)s + row->field);
}

void settings_default(struct link_settings *s)
{
	unsigned n;
	const struct setting_row *rows = setting_rows(&n);
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < n; i++)
		if (rows[i].kind != SETTING_DATABASES)
			*setting_field(s, &rows[i]) = rows[i].def;
}

// '-' and '_' are the same letter in a setting's name.
static bool setting_named(const struct setting_row *row, const char *name)
{
	size_t i;
	for (i = 0; row->name[i] && name[i]; i++)
		if (row->name[i] != (name[i] == '-' ? '_' : name[i]))
			return false;
	return !row->name[i] && !name[i];
}

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit units_bytes[] = {
	{"", 1},    {"b", 1},  {"k", KB},  {"kb", KB}, {"m", MB},
	{"mb", MB}, {"g", GB}, {"gb", GB}, {NULL, 0},
};
static const struct unit units_ms[] = {
	{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0},
};
static const struct unit units_none[] = {{"", 1}, {NULL, 0}};

static int number_parse(const char *text, const struct unit *units, uint64_t *v)
{
	char *end;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	for (; units->suffix; units++)
		if (!strcasecmp(end, units->suffix))
			return __builtin_mul_overflow(n, units->factor, v) ? -ERANGE : 0;
	return -EINVAL;
}

int setting_bytes(const char *text, uint64_t *bytes)
{
	return number_parse(text, units_bytes, bytes);
}

// The index of a word in "a|b|c".
static int word_parse(const char *words, const char *text, uint64_t *v)
{
	size_t len = strlen(text);
	for (uint64_t i = 0; len; i++) {
		const char *end = strchrnul(words, '|');
		if ((size_t)(end - words) == len && !strncasecmp(words, text, len)) {
			*v = i;
			return 0;
		}
		if (!*end)
			break;
		words = end + 1;
	}
	return -EINVAL;
}

static int value_parse(const struct setting_row *row, const char *text, uint64_t *v)
{
	switch (row->kind) {
	case SETTING_U64:
		return number_parse(text, units_none, v);
	case SETTING_BYTES:
		return number_parse(text, units_bytes, v);
	case SETTING_MS:
		return number_parse(text, units_ms, v);
	case SETTING_BOOL:
		return word_parse("no|yes", text, v);
	case SETTING_ENUM:
		return word_parse(row->help, text, v);
	case SETTING_DATABASES:
		break;
	}
	return -EINVAL;
}

static const char *kind_text(const struct setting_row *row)
{
	static const char *const texts[] = {
		[SETTING_U64] = "a number",
		[SETTING_BYTES] = "a size such as 64MB",
		[SETTING_MS] = "a time such as 500ms or 10s",
		[SETTING_BOOL] = "yes or no",
	};
	return row->kind == SETTING_ENUM ? row->help : texts[row->kind];
}

static int databases_set(struct link_settings *s, const struct setting_row *row, const char *text,
			 char *why, unsigned why_len)
{
	int rc = db_map_read(setting_databases(s, row), text);
	if (rc == -EINVAL)
		snprintf(why, why_len, "db-map: '%.80s' is not FROM:TO[,FROM:TO...], such as 3:0",
			 text);
	else if (rc)
		snprintf(why, why_len,
			 "db-map: '%.80s' has more than %d databases, one above %d, or one that "
			 "stands twice on its side",
			 text, DB_MAP_MAX, DB_NUMBER_MAX);
	return rc;
}

int setting_set(struct link_settings *s, const char *name, const char *text, char *why,
		unsigned why_len)
{
	unsigned n;
	const struct setting_row *rows = setting_rows(&n), *row = NULL;
	for (unsigned i = 0; i < n; i++)
		if (setting_named(&rows[i], name))
			row = &rows[i];
	if (!row) {
		snprintf(why, why_len, "there is no setting '%s'", name);
		return -ENOENT;
	}
	uint64_t v = 0;
	if (row->kind == SETTING_DATABASES)
		return databases_set(s, row, text, why, why_len);
	int rc = value_parse(row, text, &v);
	if (!rc && (v < row->min || v > row->max))
		rc = -ERANGE;
	if (rc == -ERANGE)
		snprintf(why, why_len, "%s: '%s' is not between %llu and %llu", name, text,
			 (unsigned long long)row->min, (unsigned long long)row->max);
	else if (rc)
		snprintf(why, why_len, "%s: '%s' is not %s", name, text, kind_text(row));
	else
		*setting_field(s, row) = v;
	return rc;
}

int setting_text(const struct link_settings *s, const struct setting_row *row, char *out,
		 unsigned out_len)
{
	if (row->kind == SETTING_DATABASES)
		return db_map_text(setting_databases((struct link_settings *)s, row), out, out_len);
	uint64_t v = *setting_field((struct link_settings *)s, row);
	if (row->kind == SETTING_BOOL)
		return snprintf(out, out_len, "%s", v ? "yes" : "no");
	if (row->kind != SETTING_ENUM)
		return snprintf(out, out_len, "%llu", (unsigned long long)v);
	const char *word = row->help;
	for (; v && *word; v--)
		word = strchrnul(word, '|') + 1;
	return snprintf(out, out_len, "%.*s", (int)(strchrnul(word, '|') - word), word);
}
