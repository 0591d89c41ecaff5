// SPDX-License-Identifier: BSD-3-Clause
// The report for a terminal.
#include <inttypes.h>
#include <stdlib.h>

#include "ctrl/aof/instant.h"
#include "ctrl/cli/escape.h"
#include "ctrl/cli/figures.h"
#include "ctrl/decode/report.h"

static double share(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void row(FILE *out, const char *name, const struct report_count *c,
		const struct report_count *all)
{
	char keys[24], bytes[24], elements[24], expiring[24];
	if (!c->keys)
		return;
	fprintf(out, "  %-28s %14s %5.1f%% %10s %5.1f%% %16s %14s\n", name,
		figure_count(c->keys, keys), share(c->keys, all->keys),
		figure_bytes((double)c->bytes, bytes), share(c->bytes, all->bytes),
		figure_count(c->elements, elements), figure_count(c->expiring, expiring));
}

static void title(FILE *out, const char *text)
{
	fprintf(out, "\n%-30s %14s %6s %10s %6s %16s %14s\n", text, "keys", "", "bytes", "",
		"elements", "with expiry");
}

static void databases(const struct report *r, FILE *out)
{
	char name[32];
	title(out, "By database");
	for (unsigned i = 0; i < REPORT_DATABASES; i++) {
		snprintf(name, sizeof(name), "db%u", i);
		row(out, name, &r->databases[i], &r->all);
	}
	row(out, "other databases", &r->other_databases, &r->all);
}

static void commands(const struct report *r, FILE *out)
{
	const struct report_name *list[REPORT_TOP];
	const struct report_commands *c = &r->commands;
	char n[24], bytes[24], from[INSTANT_LEN], to[INSTANT_LEN];
	unsigned n_list = report_names(r, list, REPORT_TOP);
	fprintf(out, "\n%s commands", figure_count(c->n, n));
	fprintf(out, ", %s keys named", figure_count(c->n_keys, n));
	fprintf(out, ", about %s different ones", figure_count(report_keys_different(r), n));
	if (c->first_s != -1)
		fprintf(out, ", from %s to %s", instant_write(c->first_s, from),
			instant_write(c->last_s, to));
	fprintf(out, "\n\n%-30s %14s %6s %10s\n", "By command", "commands", "", "bytes");
	for (unsigned i = 0; i < n_list; i++)
		fprintf(out, "  %-28s %14s %5.1f%% %10s %5.1f%%\n", list[i]->text,
			figure_count(list[i]->n, n), share(list[i]->n, c->n),
			figure_bytes((double)list[i]->bytes, bytes),
			share(list[i]->bytes, c->bytes));
}

static void sizes(const struct report *r, FILE *out)
{
	char name[64], from[24], to[24];
	title(out, "By size in the file");
	for (unsigned i = 1; i < REPORT_SIZES; i++) {
		snprintf(name, sizeof(name), "%s to %s",
			 figure_bytes((double)(1ull << (i - 1)), from),
			 figure_bytes((double)(1ull << i), to));
		row(out, name, &r->sizes[i], &r->all);
	}
}

static void prefixes(const struct report *r, FILE *out)
{
	const struct report_prefix *list[REPORT_PREFIXES];
	unsigned n = report_prefixes(r, list);
	title(out, "By prefix");
	for (unsigned i = 0; i < n && i < 20; i++) {
		char *text = escape_text(list[i]->text, list[i]->len);
		row(out, list[i]->len ? text ? text : "?" : "(none)", &list[i]->count, &r->all);
		free(text);
	}
	row(out, "(others)", &r->other_prefixes, &r->all);
}

static void top(const struct report_key *top, unsigned n, const char *text, FILE *out)
{
	char bytes[24], elements[24];
	fprintf(out, "\n%-30s %10s %16s  %-10s %-26s\n", text, "bytes", "elements", "type",
		"encoding");
	for (unsigned i = 0; i < n; i++) {
		const struct report_key *k = &top[i];
		size_t shown = k->len < REPORT_KEY_LEN ? k->len : REPORT_KEY_LEN;
		char *key = escape_text(k->key, shown);
		fprintf(out, "  db%-3" PRIu64 " %-22s %10s %16s  %-10s %-26s\n", k->db,
			key ? key : "?", figure_bytes((double)k->bytes, bytes),
			figure_count(k->elements, elements), k->type, k->encoding);
		free(key);
	}
}

static void summary(const struct report *r, const struct report_file *file, FILE *out)
{
	char bytes[24], keys[24], memory[24];
	fprintf(out, "%s: %s", file->path, file->magic);
	if (file->version)
		fprintf(out, "%0*d", file->magic[0] == 'V' ? 3 : 4, file->version);
	fprintf(out, "%s, %s", file->version && r->commands.any ? " and AOF" : "",
		figure_bytes((double)file->bytes, bytes));
	if (r->server[0])
		fprintf(out, ", written by %s", r->server);
	if (r->used_memory)
		fprintf(out, " with %s of memory in use",
			figure_bytes((double)r->used_memory, memory));
	fprintf(out, "\n%s keys", figure_count(r->all.keys, keys));
	fprintf(out, ", %s elements", figure_count(r->all.elements, keys));
	fprintf(out, ", %s keys with an expiry", figure_count(r->all.expiring, keys));
	if (r->field_expiries)
		fprintf(out, ", %s fields with an expiry",
			figure_count(r->field_expiries, keys));
	if (r->n_functions)
		fprintf(out, ", %s libraries of functions", figure_count(r->n_functions, keys));
	fputc('\n', out);
	if (file->warning)
		fprintf(out, "Note: %s\n", file->warning);
}

void report_text(const struct report *r, const struct report_file *file, FILE *out)
{
	summary(r, file, out);
	if (r->commands.any)
		commands(r, out);
	if (r->commands.any && !r->all.keys)
		return;
	title(out, "By type");
	for (unsigned i = 0; i < REPORT_TYPES; i++)
		row(out, rdb_kind_name(i), &r->types[i], &r->all);
	title(out, "By encoding");
	for (unsigned i = 0; i < REPORT_ENCODINGS; i++)
		row(out, r->encoding_names[i] ? r->encoding_names[i] : "", &r->encodings[i],
		    &r->all);
	databases(r, out);
	sizes(r, out);
	title(out, "By time to expiry");
	for (unsigned i = 0; i < REPORT_EXPIRIES; i++)
		row(out, report_expiry_name(i), &r->expiries[i], &r->all);
	prefixes(r, out);
	top(r->top, r->n_top, "Biggest keys", out);
	top(r->most, r->n_most, "Keys of most elements", out);
}
