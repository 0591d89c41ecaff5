// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/link_config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctrl/endpoint.h"
#include "ctrl/secret.h"
#include "ctrl/tls_settings.h"

void link_config_init(struct link_config *c)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->site, sizeof(c->site), "site1");
	settings_default(&c->settings);
}

static int name_set(char *out, const char *what, const char *text, struct failure *f)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(text);
	if (len == 0 || len >= NAME_LEN || strspn(text, letters) != len || text[0] == '.')
		return failure_set(
			f, ERROR_CONFIG,
			"the name of a %s is 1 to %d letters, digits, '_', '.' and '-', and "
			"does not begin with a '.'",
			what, NAME_LEN - 1);
	memcpy(out, text, len + 1);
	return 0;
}

static int url_set(struct endpoint *e, const char *which, const char *text, struct failure *f)
{
	int rc = endpoint_set(e, text, f);
	if (rc)
		failure_prefix(f, which);
	return rc;
}

static int password_take(char *out, const char *text, struct failure *f)
{
	size_t len = strlen(text);
	if (len >= URL_PASSWORD_LEN)
		return failure_set(f, ERROR_CONFIG, "a password is longer than %d bytes",
				   URL_PASSWORD_LEN - 1);
	memcpy(out, text, len + 1);
	return 0;
}

static int password_set(struct endpoint *e, const char *text, struct failure *f)
{
	if (e->has_password)
		return 0; // that of the URL
	e->has_password = !password_take(e->password, text, f);
	return e->has_password ? 0 : -1;
}

static int sentinel_password_set(struct endpoint *e, const char *text, struct failure *f)
{
	e->sentinel.has_password = !password_take(e->sentinel.password, text, f);
	return e->sentinel.has_password ? 0 : -1;
}

static int sentinel_user_set(struct endpoint *e, const char *text, struct failure *f)
{
	if (strlen(text) >= sizeof(e->sentinel.user))
		return failure_set(f, ERROR_CONFIG, "a user's name is longer than %zu bytes",
				   sizeof(e->sentinel.user) - 1);
	strcpy(e->sentinel.user, text);
	return 0;
}

static int file_set(struct endpoint *e, const char *path, struct failure *f,
		    int (*set)(struct endpoint *, const char *, struct failure *))
{
	char password[URL_PASSWORD_LEN];
	int rc = secret_read_file(path, password, sizeof(password), f);
	rc = rc ? rc : set(e, password, f);
	explicit_bzero(password, sizeof(password));
	return rc;
}

// Where a new password will stand. What can be read but once, such as a pipe, and a path that is
// too long are not looked at again.
static void file_keep(char *out, const char *path)
{
	struct stat st;
	char *whole = realpath(path, NULL);
	bool fits = whole && strlen(whole) < PASSWORD_FILE_LEN && !stat(whole, &st) &&
		    S_ISREG(st.st_mode);
	memset(out, 0, PASSWORD_FILE_LEN);
	if (fits && path[0] == '/' && strlen(path) < PASSWORD_FILE_LEN)
		strcpy(out, path); // a name that comes to point elsewhere is followed
	else if (fits)
		strcpy(out, whole);
	free(whole);
}

static int password_from_set(struct endpoint *e, const char *path, struct failure *f)
{
	file_keep(e->password_file, path);
	return 0;
}

static int sentinel_password_from_set(struct endpoint *e, const char *path, struct failure *f)
{
	file_keep(e->sentinel.file, path);
	return 0;
}

static int password_file_set(struct endpoint *e, const char *path, struct failure *f)
{
	bool in_url = e->has_password;
	int rc = file_set(e, path, f, password_set);
	return rc || in_url ? rc : password_from_set(e, path, f);
}

static int sentinel_password_file_set(struct endpoint *e, const char *path, struct failure *f)
{
	int rc = file_set(e, path, f, sentinel_password_set);
	return rc ? rc : sentinel_password_from_set(e, path, f);
}

// What there is for both sides: the word behind "source-" or "target-".
static const struct {
	const char *word;
	int (*set)(struct endpoint *e, const char *text, struct failure *f);
} side_rows[] = {
	{"password", password_set},
	{"password-file", password_file_set},
	{"password-from", password_from_set}, // of the API: the password comes beside it
	{"sentinel-user", sentinel_user_set},
	{"sentinel-password", sentinel_password_set},
	{"sentinel-password-file", sentinel_password_file_set},
	{"sentinel-password-from", sentinel_password_from_set},
};

// @return 0, -1 on error, 1 when it is no setting of a side
static int side_set(struct endpoint *e, const char *word, const char *text, struct failure *f)
{
	for (unsigned i = 0; i < sizeof(side_rows) / sizeof(side_rows[0]); i++)
		if (!strcmp(word, side_rows[i].word))
			return side_rows[i].set(e, text, f);
	return 1;
}

static int loop_check(const struct link_config *c, struct failure *f)
{
	if (!endpoint_meet(&c->source, &c->target))
		return 0;
	return failure_set(f, ERROR_CONFIG, "source and target are the same server%s",
			   c->source.n_nodes > 1 ? "s" : "");
}

int link_config_set(struct link_config *c, const char *key, const char *text, struct failure *f)
{
	char why[200];
	if (!strcmp(key, "name"))
		return name_set(c->name, "link", text, f);
	if (!strcmp(key, "site"))
		return name_set(c->site, "site", text, f);
	if (!strcmp(key, "source"))
		return url_set(&c->source, "the source", text, f);
	if (!strcmp(key, "target"))
		return url_set(&c->target, "the target", text, f);
	const struct tls_row *row = tls_row_find(key, strlen(key));
	if (row)
		return tls_row_set(c, row, text, f);
	int rc = 1;
	if (!strncmp(key, "source-", 7))
		rc = side_set(&c->source, key + 7, text, f);
	else if (!strncmp(key, "target-", 7))
		rc = side_set(&c->target, key + 7, text, f);
	if (rc <= 0)
		return rc;
	if (setting_set(&c->settings, key, text, why, sizeof(why)))
		return failure_set(f, ERROR_CONFIG, "%s", why);
	return 0;
}

static int endpoint_missing(const struct endpoint *e)
{
	return !e->n_nodes && !e->path[0];
}

static int databases_check(const struct link_config *c, struct failure *f)
{
	const struct db_map *map = &c->settings.db_map;
	if (map->n && (c->source.db >= 0 || c->target.db >= 0))
		return failure_set(f, ERROR_CONFIG,
				   "db-map and the database of a URL both say what is synced; "
				   "give one of them");
	for (uint32_t i = 0; c->target.kind == URL_CLUSTER && i < map->n; i++)
		if (map->pairs[i].to)
			return failure_set(f, ERROR_CONFIG,
					   "db-map: a cluster has database 0 alone, so %u:%u "
					   "cannot be",
					   map->pairs[i].from, map->pairs[i].to);
	return 0;
}

int link_config_check(const struct link_config *c, struct failure *f)
{
	if (!c->name[0])
		return failure_set(f, ERROR_CONFIG, "a link needs a name");
	if (endpoint_missing(&c->source))
		return failure_set(f, ERROR_CONFIG, "the link %s has no source", c->name);
	if (endpoint_missing(&c->target))
		return failure_set(f, ERROR_CONFIG, "the link %s has no target", c->name);
	if (databases_check(c, f) || tls_rows_check(c, f))
		return -1;
	return loop_check(c, f);
}

int link_config_same(const struct link_config *a, const struct link_config *b)
{
	return !strcmp(a->site, b->site) && endpoint_same(&a->source, &b->source) &&
	       endpoint_same(&a->target, &b->target) &&
	       !memcmp(&a->settings, &b->settings, sizeof(a->settings));
}
