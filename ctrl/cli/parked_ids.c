// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/parked_ids.h"

#include <string.h>

#include "parsers/span.h"

int parked_id_read(const char *text, uint64_t *id)
{
	size_t len = strlen(text);
	if (!len || len > 18 || strspn(text, "0123456789") != len)
		return -1;
	*id = span_digits(span_of(text));
	return *id ? 0 : -1;
}

int parked_ids_read(struct parked_ids *p, const struct options *o, unsigned first,
		    struct failure *f)
{
	*p = (struct parked_ids){.all = o->all};
	for (unsigned i = first; i < o->n_args; i++)
		if (parked_id_read(o->args[i], &p->ids[p->n++]))
			return failure_set(f, ERROR_USAGE, "'%.64s' is no ID", o->args[i]);
	if (p->all == (p->n > 0))
		return failure_set(f, ERROR_USAGE,
				   "name IDs, as `flyover link parked list` has them, or --all");
	return 0;
}
