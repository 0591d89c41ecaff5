// SPDX-License-Identifier: BSD-3-Clause
// The report as one HTML page. Charts are SVG in the page, and nothing is fetched.
#include <inttypes.h>

#include "ctrl/aof/instant.h"
#include "ctrl/cli/escape.h"
#include "ctrl/cli/figures.h"
#include "ctrl/decode/report.h"

#define BARS_MAX    64
#define BAR_HEIGHT  22
#define LABEL_WIDTH 220
#define BAR_WIDTH   420
#define CHART_WIDTH (LABEL_WIDTH + BAR_WIDTH + 240)

struct bar {
	char label[REPORT_PREFIX_LEN * 4 + 16];
	const struct report_count *count;
};

static const char style[] =
	"body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff;margin:2rem auto;"
	"max-width:1000px;padding:0 1rem}h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;"
	"margin:2rem 0 .5rem}p.sub{color:#5b6b7b;margin-top:.2rem}table{border-collapse:collapse;"
	"width:100%;font-size:14px}td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px "
	"solid #e3e8ed}td:first-child,th:first-child{text-align:left;word-break:break-all;"
	"font-family:ui-monospace,monospace}svg text{font:13px system-ui,sans-serif;fill:#1d2733}"
	".tiles{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}.tile{border:1px solid #e3e8ed;"
	"border-radius:8px;padding:.6rem 1rem;min-width:8rem}.tile b{display:block;font-size:"
	"1.4rem}"
	".note{background:#fff6e0;border-left:4px solid #e0a400;padding:.5rem 1rem}"
	"@media(prefers-color-scheme:dark){body{background:#12181f;color:#dde5ec}svg text{fill:"
	"#dde5ec}td,th,.tile{border-color:#2b3641}p.sub{color:#93a3b3}.note{background:#3a3115}}";

static void text(FILE *out, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char bytes[ESCAPE_LEN];
		size_t n = p[i] == '"' ? 0 : escape_byte((uint8_t)p[i], bytes);
		if (p[i] == '<')
			fputs("&lt;", out);
		else if (p[i] == '>')
			fputs("&gt;", out);
		else if (p[i] == '&')
			fputs("&amp;", out);
		else if (p[i] == '"')
			fputs("&quot;", out);
		else
			fwrite(bytes, 1, n, out);
	}
}

static void words(FILE *out, const char *z)
{
	text(out, z, strlen(z));
}

static void bar_print(FILE *out, unsigned i, const struct bar *b, uint64_t most, bool by_bytes)
{
	char bytes[24], keys[24];
	uint64_t v = by_bytes ? b->count->bytes : b->count->keys;
	double width = most ? (double)v * BAR_WIDTH / (double)most : 0;
	unsigned y = i * BAR_HEIGHT;
	fprintf(out, "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">", LABEL_WIDTH - 8, y + 15);
	words(out, b->label);
	fprintf(out,
		"</text><rect x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\" rx=\"3\" "
		"fill=\"%s\"/><text x=\"%.1f\" y=\"%u\">%s, %s keys</text>\n",
		LABEL_WIDTH, y + 2, width < 1 ? 1 : width, BAR_HEIGHT - 5,
		by_bytes ? "#3b7dd8" : "#2a9d76", LABEL_WIDTH + width + 8, y + 15,
		figure_bytes((double)b->count->bytes, bytes), figure_count(b->count->keys, keys));
}

static void chart(FILE *out, const char *title, const struct bar *bars, unsigned n, bool by_bytes)
{
	uint64_t most = 0;
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++) {
		uint64_t v = by_bytes ? bars[i].count->bytes : bars[i].count->keys;
		most = v > most ? v : most;
	}
	fprintf(out, "<h2>%s</h2>\n<svg viewBox=\"0 0 %d %u\" width=\"100%%\" role=\"img\">\n",
		title, CHART_WIDTH, n * BAR_HEIGHT + 4);
	for (unsigned i = 0; i < n; i++)
		bar_print(out, i, &bars[i], most, by_bytes);
	fputs("</svg>\n", out);
}

static void bar_add(struct bar *bars, unsigned *n, const struct report_count *c, const char *label)
{
	if (!c->keys || *n == BARS_MAX)
		return;
	snprintf(bars[*n].label, sizeof(bars[*n].label), "%s", label);
	bars[(*n)++].count = c;
}

static void type_charts(FILE *out, const struct report *r)
{
	struct bar bars[BARS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < REPORT_TYPES; i++)
		bar_add(bars, &n, &r->types[i], rdb_kind_name(i));
	chart(out, "Types, by bytes", bars, n, true);
	n = 0;
	for (unsigned i = 0; i < REPORT_ENCODINGS; i++)
		bar_add(bars, &n, &r->encodings[i],
			r->encoding_names[i] ? r->encoding_names[i] : "");
	chart(out, "Encodings, by bytes", bars, n, true);
}

static void other_charts(FILE *out, const struct report *r)
{
	struct bar bars[BARS_MAX];
	char label[64], from[24];
	unsigned n = 0;
	for (unsigned i = 0; i < REPORT_DATABASES; i++) {
		snprintf(label, sizeof(label), "db%u", i);
		bar_add(bars, &n, &r->databases[i], label);
	}
	chart(out, "Databases, by bytes", bars, n, true);
	n = 0;
	for (unsigned i = 1; i < REPORT_SIZES; i++) {
		snprintf(label, sizeof(label), "from %s",
			 figure_bytes((double)(1ull << (i - 1)), from));
		bar_add(bars, &n, &r->sizes[i], label);
	}
	chart(out, "Sizes in the file, by keys", bars, n, false);
	n = 0;
	for (unsigned i = 0; i < REPORT_EXPIRIES; i++)
		bar_add(bars, &n, &r->expiries[i], report_expiry_name(i));
	chart(out, "Time to expiry, by keys", bars, n, false);
}

static void prefix_chart(FILE *out, const struct report *r)
{
	struct bar bars[BARS_MAX];
	const struct report_prefix *list[REPORT_PREFIXES];
	unsigned n = 0, n_list = report_prefixes(r, list);
	for (unsigned i = 0; i < n_list && i < 24; i++) {
		char label[REPORT_PREFIX_LEN + 8];
		snprintf(label, sizeof(label), "%.*s", (int)list[i]->len, list[i]->text);
		bar_add(bars, &n, &list[i]->count, list[i]->len ? label : "(none)");
	}
	bar_add(bars, &n, &r->other_prefixes, "(others)");
	chart(out, "Prefixes of keys, by bytes", bars, n, true);
}

static void table(FILE *out, const char *title, const struct report_key *top, unsigned n)
{
	char bytes[24], elements[24];
	fprintf(out,
		"<h2>%s</h2>\n<table><tr><th>key</th><th>db</th><th>type</th><th>encoding</th>"
		"<th>bytes</th><th>elements</th></tr>\n", title);
	for (unsigned i = 0; i < n; i++) {
		const struct report_key *k = &top[i];
		fputs("<tr><td>", out);
		text(out, k->key, k->len < REPORT_KEY_LEN ? k->len : REPORT_KEY_LEN);
		if (k->len > REPORT_KEY_LEN)
			fprintf(out, "... (%zu bytes)", k->len);
		fprintf(out, "</td><td>%" PRIu64 "</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
			"</tr>\n", k->db, k->type, k->encoding,
			figure_bytes((double)k->bytes, bytes), figure_count(k->elements, elements));
	}
	fputs("</table>\n", out);
}

static void command_table(FILE *out, const struct report *r)
{
	const struct report_name *list[REPORT_TOP];
	unsigned n = report_names(r, list, REPORT_TOP);
	char number[24], bytes[24];
	fputs("<h2>Commands</h2>\n<table><tr><th>name</th><th>commands</th><th>bytes</th></tr>\n",
	      out);
	for (unsigned i = 0; i < n; i++) {
		fputs("<tr><td>", out);
		words(out, list[i]->text);
		fprintf(out, "</td><td>%s</td><td>%s</td></tr>\n",
			figure_count(list[i]->n, number),
			figure_bytes((double)list[i]->bytes, bytes));
	}
	fputs("</table>\n", out);
}

static void tile(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<div class=\"tile\">%s<b>%s</b></div>\n", name, value);
}

static void command_tiles(FILE *out, const struct report *r)
{
	const struct report_commands *c = &r->commands;
	char number[24], instant[INSTANT_LEN];
	tile(out, "commands", figure_count(c->n, number));
	tile(out, "keys named", figure_count(c->n_keys, number));
	tile(out, "different keys, about", figure_count(report_keys_different(r), number));
	if (c->first_s == -1)
		return;
	tile(out, "first time", instant_write(c->first_s, instant));
	tile(out, "last time", instant_write(c->last_s, instant));
}

static void summary(FILE *out, const struct report *r, const struct report_file *file)
{
	char number[24];
	fputs("<h1>", out);
	words(out, file->path);
	fprintf(out, "</h1>\n<p class=\"sub\">%s", file->magic);
	if (file->version)
		fprintf(out, ", version %d", file->version);
	fputs(r->server[0] ? ", written by " : "", out);
	words(out, r->server);
	fputs("</p>\n<div class=\"tiles\">\n", out);
	tile(out, "keys", figure_count(r->all.keys, number));
	tile(out, "elements", figure_count(r->all.elements, number));
	tile(out, "file", figure_bytes((double)file->bytes, number));
	tile(out, "keys with an expiry", figure_count(r->all.expiring, number));
	if (r->used_memory)
		tile(out, "server's memory", figure_bytes((double)r->used_memory, number));
	if (r->field_expiries)
		tile(out, "fields with an expiry", figure_count(r->field_expiries, number));
	if (r->n_functions)
		tile(out, "libraries of functions", figure_count(r->n_functions, number));
	if (r->commands.any)
		command_tiles(out, r);
	fputs("</div>\n", out);
	if (!file->warning)
		return;
	fputs("<p class=\"note\">", out);
	words(out, file->warning);
	fputs("</p>\n", out);
}

void report_html(const struct report *r, const struct report_file *file, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Flyover: ", out);
	words(out, file->path);
	fprintf(out, "</title>\n<style>%s</style></head><body>\n", style);
	summary(out, r, file);
	if (r->commands.any)
		command_table(out, r);
	type_charts(out, r);
	prefix_chart(out, r);
	other_charts(out, r);
	table(out, "Biggest keys", r->top, r->n_top);
	table(out, "Keys of most elements", r->most, r->n_most);
	fputs("</body></html>\n", out);
}
