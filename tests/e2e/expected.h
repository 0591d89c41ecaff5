// SPDX-License-Identifier: BSD-3-Clause
// What real servers held as they wrote the files of the corpora: their expected.json, and the same
// form made from any RDB file by `flyover decode`.
#pragma once

#include <jansson.h>

struct process;
struct world;

// `flyover decode FILE --format=FORMAT`, to its end.
struct process *decode_run(struct world *w, const char *file, const char *format);

// The keys of an RDB file: database -> key (base64) -> type, value... @return to json_decref()
json_t *expected_decode(struct world *w, const char *path);

// Fails the test unless both are the same value, whatever the order of what has none.
//
// @param server  for the message
// @param got     NULL: there is no such key
void expected_compare(const char *server, const char *name, json_t *expected, json_t *got);
