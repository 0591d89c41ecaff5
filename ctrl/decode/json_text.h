// SPDX-License-Identifier: BSD-3-Clause
// Strings as JSON: a JSON string when the bytes are UTF-8, else {"base64":"..."}.
#pragma once

#include "ctrl/decode/output.h"

void output_json(struct output *o, struct span s);

// Whether the bytes are UTF-8 as RFC 3629 has it: shortest forms, no surrogates.
bool text_is_utf8(struct span s);

// A string in parts, always as base64: whether it is UTF-8 would only be known at its end.
struct json_parts {
	uint8_t left[3]; // bytes that do not make up a group of three yet
	unsigned n_left;
};

void json_parts_begin(struct json_parts *j, struct output *o);
void json_parts_add(struct json_parts *j, struct output *o, struct span part);
void json_parts_end(struct json_parts *j, struct output *o);
