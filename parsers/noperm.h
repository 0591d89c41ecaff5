// SPDX-License-Identifier: BSD-3-Clause
// What a server's NOPERM is about, as a word of ACL SETUSER. The wordings are those of Redis 6.0,
// 7.0 and 7.2, and of ACL DRYRUN.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "parsers/span.h"

#define NOPERM_WORD_LEN 64

// Also what EXEC answers who may not EXEC: "EXECABORT ... because of: NOPERM ...".
//
// @param error  the reply's line, with or without its '-'
bool noperm_is(struct span error);

// The word that is missing, fit for a shell: "+get", "'+client|kill'", "'~*'", "'&*'".
//
// @param out  NOPERM_WORD_LEN bytes; "" when the server does not say
// @return its length
size_t noperm_word(struct span error, char *out);

// The same where there is little room: "NOPERM: it wants `ACL SETUSER ann +get`".
//
// @return false: the error is another, or does not say what is missing; out is as it was
bool noperm_short(struct span error, const char *user, char *out, size_t out_len);

// The command that mends it, to follow the error in a sentence: "; it wants `ACL SETUSER ann
// +get`". Nothing when the error is none of NOPERM, or does not say what is missing.
//
// @param user  "" for the default user
void noperm_advice(struct span error, const char *user, char *out, size_t out_len);
