// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/job.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "ctrl/config_file.h"
#include "ctrl/endpoint.h"
#include "ctrl/link_config.h"
#include "ctrl/secret.h"
#include "ctrl/tls_settings.h"

static int file_apply(const struct options *o, struct link_config *c, struct failure *f)
{
	struct config_node *root;
	if (!o->config)
		return 0;
	if (config_file_read(o->config, &root, f))
		return -1;
	int rc = config_file_link(o->config, root, c, f);
	config_free(root);
	return rc;
}

static int password_apply(struct link_config *c, const char *key, const char *file, const char *env,
			  struct failure *f)
{
	char text[sizeof(c->source.password)], file_key[64];
	snprintf(file_key, sizeof(file_key), "%s-file", key);
	int rc = secret_take_env(env, text, sizeof(text), f);
	if (rc < 0)
		return -1;
	rc = file ? 1 : rc;
	if (rc == 1 && file)
		rc = link_config_set(c, file_key, file, f);
	else if (rc == 1)
		rc = link_config_set(c, key, text, f);
	explicit_bzero(text, sizeof(text));
	return rc;
}

int job_credentials(const struct options *o, struct link_config *c, struct failure *f)
{
	const struct {
		const char *key, *file, *env;
	} rows[] = {
		{"source-password", o->source_password_file, SOURCE_PASSWORD_ENV},
		{"target-password", o->target_password_file, TARGET_PASSWORD_ENV},
		{"source-sentinel-password", o->source_sentinel_password_file,
		 SOURCE_SENTINEL_PASSWORD_ENV},
		{"target-sentinel-password", o->target_sentinel_password_file,
		 TARGET_SENTINEL_PASSWORD_ENV},
	};
	for (unsigned i = 0; i < o->n_tls; i++)
		if (link_config_set(c, o->tls[i].name, o->tls[i].text, f))
			return -1;
	if (tls_rows_check(c, f))
		return -1;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (password_apply(c, rows[i].key, rows[i].file, rows[i].env, f))
			return -1;
	if (o->source_sentinel_user &&
	    link_config_set(c, "source-sentinel-user", o->source_sentinel_user, f))
		return -1;
	if (o->target_sentinel_user &&
	    link_config_set(c, "target-sentinel-user", o->target_sentinel_user, f))
		return -1;
	return 0;
}

// Whoever syncs the same source into the same target again finds the same state and markers.
static void name_derive(struct link_config *c)
{
	char source[ENDPOINT_TEXT_LEN], target[ENDPOINT_TEXT_LEN], both[2 * ENDPOINT_TEXT_LEN + 8];
	endpoint_text(&c->source, source);
	endpoint_text(&c->target, target);
	int len = snprintf(both, sizeof(both), "%s -> %s", source, target);
	snprintf(c->name, sizeof(c->name), "sync-%012llx",
		 (unsigned long long)(XXH3_64bits(both, (size_t)len) >> 16));
}

int job_read(const struct options *o, const char *name, const char *source, const char *target,
	     struct link_config *c, struct failure *f)
{
	link_config_init(c);
	c->settings.fail_fast |= o->watched;
	if (file_apply(o, c, f))
		return -1;
	if (source && link_config_set(c, "source", source, f))
		return -1;
	if (target && link_config_set(c, "target", target, f))
		return -1;
	if (job_credentials(o, c, f))
		return -1;
	for (unsigned i = 0; i < o->n_settings; i++)
		if (link_config_set(c, o->settings[i].name, o->settings[i].text, f))
			return -1;
	if (name && link_config_set(c, "name", name, f))
		return -1;
	if (!c->name[0])
		name_derive(c);
	return 0;
}

int job_config(const struct options *o, const char *name, const char *source, const char *target,
	       struct link_config *c, struct failure *f)
{
	return job_read(o, name, source, target, c, f) ? -1 : link_config_check(c, f);
}

// @param side  "source" or "target"
static void endpoint_add(json_t *o, const struct endpoint *e, const char *side)
{
	char url[ENDPOINT_TEXT_LEN], key[64];
	endpoint_text(e, url);
	json_object_set_new(o, side, json_string(url));
	snprintf(key, sizeof(key), "%s-password", side);
	if (e->has_password)
		json_object_set_new(o, key, json_string(e->password));
	snprintf(key, sizeof(key), "%s-password-from", side);
	if (e->password_file[0])
		json_object_set_new(o, key, json_string(e->password_file));
	snprintf(key, sizeof(key), "%s-sentinel-user", side);
	if (e->sentinel.user[0])
		json_object_set_new(o, key, json_string(e->sentinel.user));
	snprintf(key, sizeof(key), "%s-sentinel-password", side);
	if (e->sentinel.has_password)
		json_object_set_new(o, key, json_string(e->sentinel.password));
	snprintf(key, sizeof(key), "%s-sentinel-password-from", side);
	if (e->sentinel.file[0])
		json_object_set_new(o, key, json_string(e->sentinel.file));
}

static void tls_add(json_t *o, const struct link_config *c)
{
	unsigned n;
	const struct tls_row *rows = tls_rows(&n);
	for (unsigned i = 0; i < n; i++) {
		const char *text = tls_row_text(c, &rows[i]);
		if (text)
			json_object_set_new(o, rows[i].name, json_string(text));
	}
}

json_t *job_request(const struct link_config *c, bool replace)
{
	unsigned n;
	const struct setting_row *rows = setting_rows(&n);
	json_t *o = json_pack("{s:s, s:b, s:s, s:s}", "verb", "link-create", "replace", replace,
			      "name", c->name, "site", c->site);
	endpoint_add(o, &c->source, "source");
	endpoint_add(o, &c->target, "target");
	tls_add(o, c);
	for (unsigned i = 0; i < n; i++) {
		char text[SETTING_TEXT_LEN];
		setting_text(&c->settings, &rows[i], text, sizeof(text));
		json_object_set_new(o, rows[i].name, json_string(text));
	}
	return o;
}
