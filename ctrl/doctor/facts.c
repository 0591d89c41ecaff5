// SPDX-License-Identifier: BSD-3-Clause
// facts_info() -> version_take(), keyspace_take(), calls_take() ; facts_config() ; facts_modules()
#include "ctrl/doctor/facts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/check/tree.h"
#include "parsers/info.h"
#include "parsers/server_version.h"

static void cli_words(const struct endpoint *e, char *out, size_t out_len)
{
	if (e->path[0])
		snprintf(out, out_len, "redis-cli -s %s", e->path);
	else
		snprintf(out, out_len, "redis-cli -h %s -p %u", e->host, e->port);
}

static void server_init(struct server_facts *s, const struct endpoint *e, const char *who)
{
	memset(s, 0, sizeof(*s));
	s->who = who;
	s->db = e->db;
	snprintf(s->user, sizeof(s->user), "%s", e->user[0] ? e->user : "default");
	snprintf(s->host, sizeof(s->host), "%s", e->host);
	s->port = e->port;
	cli_words(e, s->cli, sizeof(s->cli));
#define X(member, name) s->member = UNKNOWN;
	INFO_NUMBERS(X)
	CONFIG_NUMBERS(X)
#undef X
	s->output_hard = s->output_soft = s->output_soft_s = s->top_db = UNKNOWN;
}

void facts_init(struct facts *k, const struct link_config *c)
{
	memset(k, 0, sizeof(*k));
	server_init(&k->source, &c->source, "the source");
	server_init(&k->target, &c->target, "the target");
	// One side's database is the other's too where that names none.
	if (k->target.db < 0)
		k->target.db = k->source.db;
	memcpy(k->link, c->name, sizeof(k->link));
	k->settings = c->settings;
	k->write_rate = UNKNOWN;
}

int64_t number_read(const char *text)
{
	char *end;
	long long v = strtoll(text, &end, 10);
	return end == text ? UNKNOWN : v;
}

// ---- INFO -------------------------------------------------------------------------------------

static void version_take(struct server_facts *s, struct span info)
{
	struct server_version v;
	bool told = server_version_read(info, &v);
	s->valkey = v.valkey;
	if (v.at)
		s->version = v.at;
	snprintf(s->version_text, sizeof(s->version_text), "%s", told ? v.text : "redis ?");
}

// What follows the next line break. @return NULL at the end
static const char *line_next(const char *p, const char *end)
{
	p = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	return p && p + 1 < end ? p + 1 : NULL;
}

// db0:keys=5,expires=0,avg_ttl=0,subexpiry=0
static void keyspace_take(struct server_facts *s, struct span info)
{
	static const char *const fields[] = {",subexpiry=", ",keys_with_volatile_items="};
	const char *end = info.p + info.len;
	for (const char *p = info.len ? info.p : NULL; p; p = line_next(p, end)) {
		char line[160];
		unsigned db;
		unsigned long long keys;
		snprintf(line, sizeof(line), "%.*s", (int)(end - p < 159 ? end - p : 159), p);
		line[strcspn(line, "\r\n")] = 0;
		if (sscanf(line, "db%u:keys=%llu", &db, &keys) != 2)
			continue;
		if (s->db >= 0 && (int64_t)db != s->db)
			continue;
		s->keys += keys;
		s->top_db = (int64_t)db > s->top_db ? db : s->top_db;
		for (unsigned i = 0; i < 2; i++) {
			const char *field = strstr(line, fields[i]);
			s->field_expiry |= field && number_read(strchr(field, '=') + 1) > 0;
		}
	}
}

// cmdstat_xgroup|create:calls=3,...
static void calls_take(struct server_facts *s, struct span info)
{
	const char *end = info.p + info.len;
	for (const char *p = info.len ? info.p : NULL; p; p = line_next(p, end)) {
		char name[48];
		if (end - p < 9 || memcmp(p, "cmdstat_", 8))
			continue;
		p += 8;
		const char *colon = memchr(p, ':', (size_t)(end - p));
		if (!colon || (size_t)(colon - p) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(colon - p), p);
		char *bar = strchr(name, '|');
		if (bar)
			*bar = ' ';
		struct verb v;
		unsigned i = verb_find(name);
		if (!verb_at(i, &v))
			continue;
		verb_set_add(&s->used, i);
		if (v.side == VERB_STREAM && (size_t)(end - colon) > strlen(":calls="))
			s->write_calls += number_read(colon + strlen(":calls="));
	}
}

void facts_rate(struct facts *k, const struct server_facts *later, uint64_t ms)
{
	const struct server_facts *s = &k->source;
	int64_t bytes = later->offset - s->offset;
	int64_t writes = later->write_calls - s->write_calls, calls = later->calls - s->calls;
	// Nobody replicates from the source yet, so it counts no stream: then the bytes that its
	// clients send are taken, as far as they write.
	k->rate_is_guess = later->backlog_active != 1;
	if (k->rate_is_guess && calls > 0)
		bytes = (int64_t)((double)(later->input_bytes - s->input_bytes) * (double)writes /
				  (double)calls);
	if (s->offset != UNKNOWN && later->offset != UNKNOWN && bytes >= 0 && ms)
		k->write_rate = bytes * 1000 / (int64_t)ms;
}

void facts_info(struct server_facts *s, struct span info, int64_t before_us, int64_t after_us)
{
	char text[32];
	version_take(s, info);
#define X(member, name)                                                                            \
	if (info_field(info, name, text, sizeof(text)))                                            \
		s->member = number_read(text);
	INFO_NUMBERS(X)
#undef X
#define X(member, name) info_field(info, name, s->member, sizeof(s->member));
	INFO_TEXTS(X)
#undef X
	s->keys = 0;
	s->write_calls = 0;
	keyspace_take(s, info);
	calls_take(s, info);
	s->skew_ms = 0;
	if (s->time_us != UNKNOWN && s->time_us < before_us)
		s->skew_ms = (s->time_us - before_us) / 1000;
	if (s->time_us != UNKNOWN && s->time_us > after_us)
		s->skew_ms = (s->time_us - after_us) / 1000;
}

// ---- CONFIG -----------------------------------------------------------------------------------

const char *const *config_names(unsigned *n)
{
#define X(member, name) name,
	static const char *const names[] = {CONFIG_NUMBERS(X) CONFIG_TEXTS(X)};
#undef X
	*n = sizeof(names) / sizeof(names[0]);
	return names;
}

// "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
static void output_limit_take(struct server_facts *s)
{
	const char *p = strstr(s->output_limit, "slave ");
	long long hard, soft, seconds;
	if (!p)
		p = strstr(s->output_limit, "replica ");
	if (!p || sscanf(strchr(p, ' '), "%lld %lld %lld", &hard, &soft, &seconds) != 3)
		return;
	s->output_hard = hard;
	s->output_soft = soft;
	s->output_soft_s = seconds;
}

void facts_config(struct server_facts *s, unsigned i, const struct resp_value *v, unsigned n)
{
	char *texts[] = {
#define X(member, name) s->member,
		CONFIG_TEXTS(X)
#undef X
	};
	int64_t *numbers[] = {
#define X(member, name) &s->member,
		CONFIG_NUMBERS(X)
#undef X
	};
	const unsigned n_numbers = sizeof(numbers) / sizeof(numbers[0]);
	char value[FACT_LEN];
	s->config_refused |= v->type == RESP_ERROR;
	if (v->type != RESP_ARRAY || n < 3 || v[2].type != RESP_STRING)
		return;
	snprintf(value, sizeof(value), "%.*s", (int)v[2].text.len, v[2].text.p);
	if (i < n_numbers)
		*numbers[i] = number_read(value);
	else
		memcpy(texts[i - n_numbers], value, FACT_LEN);
	output_limit_take(s);
}

// ---- MODULE LIST ------------------------------------------------------------------------------

// A name that may stand in a command for a shell, whatever a server calls its module.
static void name_take(char *out, size_t out_len, struct span name)
{
	size_t n = 0;
	for (; n < name.len && n < out_len - 1; n++)
		out[n] = isalnum((uint8_t)name.p[n]) || strchr("-._", name.p[n]) ? name.p[n] : '_';
	out[n] = 0;
}

void facts_modules(struct server_facts *s, const struct resp_value *v, unsigned n)
{
	if (v->type != RESP_ARRAY)
		return;
	s->modules_known = true;
	for (unsigned i = 1; i < n && s->n_modules < MODULES_MAX; i = tree_skip(v, n, i)) {
		unsigned name = tree_field(v, n, i, "name"), ver = tree_field(v, n, i, "ver");
		if (!name || v[name].type != RESP_STRING)
			continue;
		struct module *m = &s->modules[s->n_modules++];
		name_take(m->name, sizeof(m->name), v[name].text);
		m->version = ver && v[ver].type == RESP_INTEGER ? v[ver].integer : 0;
	}
}
