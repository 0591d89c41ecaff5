// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/link_config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

static int password_set(struct endpoint *e, const char *text, struct failure *f)
{
	size_t len = strlen(text);
	if (len >= sizeof(e->password))
		return failure_set(f, ERROR_CONFIG, "a password is longer than %zu bytes",
				   sizeof(e->password) - 1);
	if (e->has_password)
		return 0;
	memcpy(e->password, text, len + 1);
	e->has_password = 1;
	return 0;
}

static int password_file_set(struct endpoint *e, const char *path, struct failure *f)
{
	char password[sizeof(e->password)];
	int rc = secret_read_file(path, password, sizeof(password), f);
	rc = rc ? rc : password_set(e, password, f);
	explicit_bzero(password, sizeof(password));
	return rc;
}

static int loop_check(const struct link_config *c, struct failure *f)
{
	const struct endpoint *s = &c->source, *t = &c->target;
	if (strcmp(s->host, t->host) || strcmp(s->path, t->path) || s->port != t->port)
		return 0;
	return failure_set(f, ERROR_CONFIG, "source and target are the same server");
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
	if (!strcmp(key, "source-password"))
		return password_set(&c->source, text, f);
	if (!strcmp(key, "target-password"))
		return password_set(&c->target, text, f);
	if (!strcmp(key, "source-password-file"))
		return password_file_set(&c->source, text, f);
	if (!strcmp(key, "target-password-file"))
		return password_file_set(&c->target, text, f);
	const struct tls_row *row = tls_row_find(key, strlen(key));
	if (row)
		return tls_row_set(c, row, text, f);
	if (setting_set(&c->settings, key, text, why, sizeof(why)))
		return failure_set(f, ERROR_CONFIG, "%s", why);
	return 0;
}

static int endpoint_missing(const struct endpoint *e)
{
	return !e->host[0] && !e->path[0];
}

int link_config_check(const struct link_config *c, struct failure *f)
{
	if (!c->name[0])
		return failure_set(f, ERROR_CONFIG, "a link needs a name");
	if (endpoint_missing(&c->source))
		return failure_set(f, ERROR_CONFIG, "the link %s has no source", c->name);
	if (endpoint_missing(&c->target))
		return failure_set(f, ERROR_CONFIG, "the link %s has no target", c->name);
	return tls_rows_check(c, f) ? -1 : loop_check(c, f);
}

static int endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return !strcmp(a->host, b->host) && !strcmp(a->path, b->path) &&
	       !strcmp(a->user, b->user) && a->port == b->port && a->db == b->db &&
	       !memcmp(&a->tls, &b->tls, sizeof(a->tls));
}

int link_config_same(const struct link_config *a, const struct link_config *b)
{
	return !strcmp(a->site, b->site) && endpoint_same(&a->source, &b->source) &&
	       endpoint_same(&a->target, &b->target) &&
	       !memcmp(&a->settings, &b->settings, sizeof(a->settings));
}
