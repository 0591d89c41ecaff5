// SPDX-License-Identifier: BSD-3-Clause
// Base64 (RFC 4648, section 4), the way back.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// Decode in place or into another buffer.
//
// @param out  len / 4 * 3 bytes; may be `in`
// @return bytes written, or -EINVAL: not base64, or not padded
ssize_t base64_decode(const char *in, size_t len, char *out);
