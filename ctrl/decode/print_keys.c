// SPDX-License-Identifier: BSD-3-Clause
// --format=keys: one key a line, with what is not printable as \xNN.
#include <limits.h>

#include "ctrl/cli/escape.h"
#include "ctrl/decode/printer.h"
#include "parsers/commands.h"

static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void line(struct printer *p, struct span key)
{
	for (size_t at = 0, n; at < key.len; at += n) {
		char text[ESCAPE_LEN];
		for (n = 0; at + n < key.len && is_plain(key.p[at + n]); n++)
			;
		output_add(p->out, (struct span){key.p + at, n});
		if (n)
			continue;
		n = 1;
		output_add(p->out, (struct span){text, escape_byte((uint8_t)key.p[at], text)});
	}
	output_char(p->out, '\n');
}

static void keys_event(struct printer *p, const struct rdb_event *ev)
{
	if (ev->kind == RDB_STRING || ev->kind == RDB_RAW || ev->kind == RDB_STRING_BEGIN ||
	    ev->kind == RDB_BIG_BEGIN || (ev->kind == RDB_SKIPPED && ev->key.p))
		line(p, ev->key);
}

static void keys_command(struct printer *p, uint64_t db, const struct span *argv, size_t argc)
{
	struct key_run run;
	const struct command *c =
		argc && argc < INT_MAX
			? command_find(argv[0], argc > 1 ? argv[1] : (struct span){NULL, 0})
			: NULL;
	if (!c || command_key_run(c, argv, (int)argc, &run))
		return;
	for (int i = 0; i < run.n; i++)
		line(p, argv[key_run_at(&run, i)]);
}

static void keys_begin(struct printer *p)
{
}

static void keys_end(struct printer *p, bool whole)
{
}

const struct printer_ops printer_keys = {
	.name = "keys", .begin = keys_begin, .event = keys_event, .command = keys_command,
	.end = keys_end,
};
