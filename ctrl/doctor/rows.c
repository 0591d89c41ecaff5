// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/rows.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct row rows[] = {
	{"same-server", STAGE_INFO, row_same_server},
	{"target-follows", STAGE_INFO, row_target_follows},
	{"source-follows", STAGE_INFO, row_source_follows},
	{"mode", STAGE_INFO, row_mode},
	{"cluster", STAGE_INFO, row_cluster},
	{"loading", STAGE_INFO, row_loading},
	{"versions", STAGE_INFO, row_versions},
	{"source-age", STAGE_INFO, row_source_age},
	{"target-age", STAGE_INFO, row_target_age},
	{"functions", STAGE_INFO, row_functions},
	{"field-expiry", STAGE_INFO, row_field_expiry},
	{"clock", STAGE_INFO, row_clock},
	{"source-role", STAGE_INFO, row_source_role},
	{"target-role", STAGE_INFO, row_target_role},
	{"source-rights", STAGE_ASKED, row_source_rights},
	{"target-rights", STAGE_ASKED, row_target_rights},
	{"source-sentinels", STAGE_ASKED, row_source_sentinels},
	{"target-sentinels", STAGE_ASKED, row_target_sentinels},
	{"commands", STAGE_ASKED, row_commands},
	{"modules", STAGE_ASKED, row_modules},
	{"source-save", STAGE_ASKED, row_source_save},
	{"diskless-delay", STAGE_ASKED, row_diskless_delay},
	{"min-replicas", STAGE_ASKED, row_min_replicas},
	{"repl-timeout", STAGE_ASKED, row_repl_timeout},
	{"backlog-ttl", STAGE_ASKED, row_backlog_ttl},
	{"source-clients", STAGE_ASKED, row_source_clients},
	{"target-clients", STAGE_ASKED, row_target_clients},
	{"target-save", STAGE_ASKED, row_target_save},
	{"target-memory", STAGE_ASKED, row_target_memory},
	{"eviction", STAGE_ASKED, row_eviction},
	{"full-coverage", STAGE_ASKED, row_full_coverage},
	{"databases", STAGE_ASKED, row_databases},
	{"target-keys", STAGE_ASKED, row_target_keys},
	{"bulk-length", STAGE_ASKED, row_bulk_length},
	{"source-config", STAGE_ASKED, row_source_config},
	{"target-config", STAGE_ASKED, row_target_config},
	{"backlog", STAGE_RATE, row_backlog},
	{"output-buffer", STAGE_RATE, row_output_buffer},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void row_run(const struct row *row, const struct facts *k, struct findings *f)
{
	f->check = row->check;
	row->judge(k, f);
}

void rows_run(enum stage stage, const struct facts *k, struct findings *f)
{
	for (unsigned i = 0; i < N_ROWS; i++)
		if (rows[i].stage == stage)
			row_run(&rows[i], k, f);
}

void rows_run_one(const char *check, const struct facts *k, struct findings *f)
{
	unsigned i = 0;
	while (i < N_ROWS && strcmp(rows[i].check, check))
		i++;
	assert(i < N_ROWS);
	row_run(&rows[i], k, f);
}

const char *mend_cli(struct mend *m, const struct server_facts *s, const char *format, ...)
{
	va_list args;
	int n = snprintf(m->text, sizeof(m->text), "%s ", s->cli);
	va_start(args, format);
	if (n > 0 && (size_t)n < sizeof(m->text))
		vsnprintf(m->text + n, sizeof(m->text) - (size_t)n, format, args);
	va_end(args);
	return m->text;
}
