// SPDX-License-Identifier: BSD-3-Clause
// What a server says to a login, made fit to be shown. One that does not know AUTH repeats the
// words that it was sent ("with args beginning with: ..."), and a proxy may say anything.
#pragma once

#include <stddef.h>

#include "parsers/span.h"

#define AUTH_ERROR_LEN 200

// @param error     the reply's line, with or without its '-'
// @param password  what must not be in it; "" none
// @param out       AUTH_ERROR_LEN bytes: the error without it, cut where it is too long
// @return          out
const char *auth_error_text(struct span error, const char *password, char *out);
