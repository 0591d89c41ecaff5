// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/decode/filter.h"

#include "ctrl/decode/printer.h"

static bool type_fits(const struct decode_filter *f, const struct rdb_event *ev)
{
	char name[RDB_MODULE_NAME_LEN + 1];
	return !f->type || !strcasecmp(f->type, rdb_kind_name(ev->value_kind)) ||
	       !strcasecmp(f->type, printer_type(ev, name));
}

bool filter_wants(const struct decode_filter *f, uint64_t db, const struct rdb_event *ev)
{
	if (f->one_db && f->db != db)
		return false;
	if (f->match && !glob_matches(span_of(f->match), ev->key))
		return false;
	return type_fits(f, ev);
}
