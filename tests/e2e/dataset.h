// SPDX-License-Identifier: BSD-3-Clause
// Data of every type in every encoding that redis-server 7.0 has, over several databases.
#pragma once

struct server;

// Small values in their packed encodings and large ones in theirs, integers, binary keys and
// values, expiries near and far, functions; in databases 0, 3, 9 and 15.
void dataset_load(struct server *s);

// Values that do not pass in one piece: a string of 5 MB, a list of 200 000, a hash of 100 000.
void dataset_load_big(struct server *s);

// n string keys "PREFIX:0".. with values of len bytes, in the selected database.
void dataset_load_strings(struct server *s, const char *prefix, unsigned n, unsigned len);

// The text of a function library with one function `put KEY VALUE` that writes the key.
extern const char function_library[];
