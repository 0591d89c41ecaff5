// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/tls_settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT(side, word, member, is_target, arg, help)                                             \
	{                                                                                          \
		side "-tls-" word, arg, help, is_target, offsetof(struct endpoint_trust, member),  \
			sizeof(((struct endpoint_trust *)0)->member)                               \
	}
#define SIDE(side, is_target)                                                                      \
	TEXT(side, "ca", ca, is_target, "FILE",                                                    \
	     "CA certificates that the " side "'s is checked by, PEM, or a folder of them; "       \
	     "default: the system's"),                                                             \
		TEXT(side, "cert", cert, is_target, "FILE",                                        \
		     "our certificate for the " side ", and what leads to its CA, PEM"),           \
		TEXT(side, "key", key, is_target, "FILE",                                          \
		     "its key, PEM; default: the file of the certificate"),                        \
		TEXT(side, "server-name", server_name, is_target, "NAME",                          \
		     "name in the " side "'s certificate; default: the host of the URL"),          \
	{                                                                                          \
		side "-tls-verify", "yes|no", "no: any certificate of the " side " will do",       \
			is_target, offsetof(struct endpoint_trust, trust_any), 0                   \
	}

static const struct tls_row rows[] = {SIDE("source", false), SIDE("target", true)};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct tls_row *tls_rows(unsigned *n)
{
	*n = N_ROWS;
	return rows;
}

const struct tls_row *tls_row_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < N_ROWS; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

static struct endpoint_trust *side_of(struct link_config *c, const struct tls_row *row)
{
	return row->target ? &c->target.trust : &c->source.trust;
}

static int verify_set(struct endpoint_trust *t, const struct tls_row *row, const char *text,
		      struct failure *f)
{
	if (strcmp(text, "yes") && strcmp(text, "no"))
		return failure_set(f, ERROR_CONFIG, "%s: '%s' is not yes or no", row->name, text);
	t->trust_any = !strcmp(text, "no");
	return 0;
}

// Another process reads the file.
static int path_set(char *out, const struct tls_row *row, const char *text, struct failure *f)
{
	char here[4096] = "";
	if (text[0] && text[0] != '/' && !getcwd(here, sizeof(here)))
		here[0] = 0;
	memset(out, 0, row->len);
	if (strlen(here) + strlen(text) + 2 > row->len)
		return failure_set(f, ERROR_CONFIG, "%s: the whole path is longer than %zu bytes",
				   row->name, row->len - 1);
	snprintf(out, row->len, "%s%s%s", here, here[0] ? "/" : "", text);
	return 0;
}

int tls_row_set(struct link_config *c, const struct tls_row *row, const char *text,
		struct failure *f)
{
	struct endpoint_trust *t = side_of(c, row);
	if (!row->len)
		return verify_set(t, row, text, f);
	char *field = (char *)t + row->at;
	if (!text[0])
		return failure_set(f, ERROR_CONFIG, "%s: the value is empty", row->name);
	if (!strcmp(row->arg, "FILE"))
		return path_set(field, row, text, f);
	if (strlen(text) >= row->len)
		return failure_set(f, ERROR_CONFIG, "%s: the value is longer than %zu bytes",
				   row->name, row->len - 1);
	memset(field, 0, row->len);
	memcpy(field, text, strlen(text));
	return 0;
}

const char *tls_row_text(const struct link_config *c, const struct tls_row *row)
{
	const struct endpoint_trust *t = side_of((struct link_config *)c, row);
	const char *field = (const char *)t + row->at;
	if (!row->len)
		return t->trust_any ? "no" : NULL;
	return field[0] ? field : NULL;
}

int tls_rows_check(const struct link_config *c, struct failure *f)
{
	for (unsigned i = 0; i < N_ROWS; i++) {
		const char *side = rows[i].target ? "target" : "source";
		if (!tls_row_text(c, &rows[i]) || (rows[i].target ? c->target.tls : c->source.tls))
			continue;
		return failure_set(f, ERROR_CONFIG,
				   "%s is set, and the %s is not spoken to in TLS: give its URL "
				   "as rediss://",
				   rows[i].name, side);
	}
	return 0;
}

struct tls_settings endpoint_tls_settings(const struct endpoint *e)
{
	return (struct tls_settings){
		.ca = e->trust.ca,
		.cert = e->trust.cert,
		.key = e->trust.key,
		.name = e->trust.server_name[0] ? e->trust.server_name : e->host,
		.verify = !e->trust.trust_any,
	};
}
