// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/decode/printer.h"

#include <errno.h>
#include <stdlib.h>

#define NOTES_LEN (256 * 1024)

const struct printer_ops *printer_find(const char *format)
{
	static const struct printer_ops *const all[] = {&printer_json, &printer_jsonl,
							&printer_resp, &printer_keys};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->name, format))
			return all[i];
	return NULL;
}

int printer_init(struct printer *p, const struct printer_ops *ops, struct output *out)
{
	*p = (struct printer){.ops = ops, .out = out};
	return output_init(&p->json.notes, -1, NOTES_LEN);
}

void printer_fini(struct printer *p)
{
	output_fini(&p->json.notes);
	free(p->resp.key.p);
	free(p->resp.args.p);
}

const char *printer_type(const struct rdb_event *ev, char *name)
{
	if (ev->value_kind != RDB_KIND_MODULE)
		return rdb_kind_name(ev->value_kind);
	rdb_module_name(ev->module_id, name);
	return name;
}
