// SPDX-License-Identifier: BSD-3-Clause
// --format=keys: one key a line, with what is not printable as \xNN; of commands those that they
// write.
#include "ctrl/cli/escape.h"
#include "ctrl/decode/printer.h"

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

static void command_key_print(void *arg, struct span key, bool written)
{
	if (written)
		line(arg, key);
}

static void keys_command(struct printer *p, const struct aof_event *ev)
{
	command_keys_each(&p->keys, ev, command_key_print, p);
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
