// SPDX-License-Identifier: BSD-3-Clause
// Between the files of the AOF reader.
//
//   aof.c          where something begins: preamble, annotation, command; how the file ends
//   aof_command.c  one command, whole or word by word
#pragma once

#include "parsers/aof.h"

// Note what is wrong at `at`, and show the bytes there. @return AOF_BAD
//
// @param in  the window, which begins at r->pos
// @param at  offset in the window
enum aof_result aof_fail(struct aof_reader *r, struct span in, size_t at, const char *what);

// @return AOF_MORE
enum aof_result aof_more(struct aof_reader *r, size_t need_len);

// Take `n` bytes as an event that says what has been said of it so far.
//
// @return AOF_EVENT
enum aof_result aof_take(struct aof_reader *r, struct aof_event *ev, size_t n, size_t *used);

// A command that begins at the window's first byte.
enum aof_result aof_command_step(struct aof_reader *r, struct span in, struct aof_event *ev,
				 size_t *used);

// The long command at hand goes on.
enum aof_result aof_big_step(struct aof_reader *r, struct span in, struct aof_event *ev,
			     size_t *used);
