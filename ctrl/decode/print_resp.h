// SPDX-License-Identifier: BSD-3-Clause
// Between the files of --format=resp.
#pragma once

#include "ctrl/decode/printer.h"

#define NUMBER_LEN 24
#define ID_LEN     48
#define BULK_EXTRA 32 // room beside the bytes themselves

// resp_words.c: commands, and the words of commands.

// @param text  NUMBER_LEN bytes, where the span lies
struct span resp_number(uint64_t v, char *text);

// @param text  ID_LEN bytes, where the span lies
struct span resp_id(struct rdb_stream_id id, char *text);

// One word.
//
// @param out  s.len + BULK_EXTRA bytes
// @return bytes written
size_t resp_bulk_write(char *out, struct span s);
void resp_bulk(struct output *o, struct span s);

// What stands before the words.
void resp_head(struct output *o, uint64_t argc);
void resp_words(struct printer *p, const struct span *words, size_t n);

#define SAY(p, ...)                                                                                \
	resp_words(p, (const struct span[]){__VA_ARGS__},                                          \
		   sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

// The key whose elements are at hand.
static inline struct span key_of(const struct printer *p)
{
	return (struct span){p->resp.key.p, p->resp.key.len};
}

// print_resp.c: add a word to what is gathered; VERB key gathered...
void resp_arg(struct printer *p, struct span s);
void resp_gathered(struct printer *p);

// Before what belongs to a database.
void resp_select(struct printer *p, uint64_t db);

// print_resp_command.c: a command as it is in the file.
void resp_command(struct printer *p, const struct aof_event *ev);

// print_resp_stream.c. @return false when it is no event of a stream
bool resp_stream_event(struct printer *p, const struct rdb_event *ev);
