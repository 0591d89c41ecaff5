// SPDX-License-Identifier: BSD-3-Clause
// Between the files of --format=json.
#pragma once

#include "ctrl/decode/printer.h"

// ,"name":v
void json_number(struct output *o, struct span name, int64_t v);

#define NUMBER(o, name, v) json_number(o, SPAN_LIT(name), v)

// Before an item of the list at hand.
void json_comma(struct printer *p);

// An item [a,b without its end.
void json_pair_begin(struct printer *p, struct span a, struct span b);

// One event of a stream.
void json_stream_item(struct printer *p, const struct rdb_event *ev);

// Close what is open of it, wherever it was cut.
void json_stream_close(struct printer *p);
