// SPDX-License-Identifier: BSD-3-Clause
// Where passwords come from, and where they must not stay.
#pragma once

#include <stddef.h>

#include "ctrl/failure.h"

#define SOURCE_PASSWORD_ENV "FLYOVER_SOURCE_PASSWORD"
#define TARGET_PASSWORD_ENV "FLYOVER_TARGET_PASSWORD"
#define SOURCE_SENTINEL_PASSWORD_ENV "FLYOVER_SOURCE_SENTINEL_PASSWORD"
#define TARGET_SENTINEL_PASSWORD_ENV "FLYOVER_TARGET_SENTINEL_PASSWORD"

// The first line of a file, without its end.
//
// @return 0, or -1: CONFIG, with the path and what is wrong
int secret_read_file(const char *path, char *out, size_t out_len, struct failure *f);

// Take a variable out of the environment: its text goes to out ("" when there is none), and the
// bytes that /proc/self/environ shows are overwritten.
//
// @return 1 taken, 0 not set, -1: CONFIG, too long
int secret_take_env(const char *name, char *out, size_t out_len, struct failure *f);

// No core file of this process: passwords and keys stay out of it.
void secret_forbid_core(void);

#define WORD_SHOWN_LEN 200

// A word of a command line as it may be shown: without the password of a URL in it, and cut.
//
// @param out  WORD_SHOWN_LEN bytes
// @return     out
const char *secret_hide(const char *word, char *out);

// From now on, what jansson frees is overwritten first: requests hold passwords.
void secret_wipe_json(void);

// Overwrite the passwords of all URLs in argv by '*', where `ps` reads them.
void secret_hide_args(int argc, char **argv);
