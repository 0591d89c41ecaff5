// SPDX-License-Identifier: BSD-3-Clause
// What a doctor looks at, one row each: a function from facts to findings. What a server did not
// say is not judged.
#pragma once

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/findings.h"

// When there are facts enough for a row.
enum stage {
	STAGE_INFO,  // both servers have answered INFO; whatever forbids a start is found here
	STAGE_ASKED, // and the rest
	STAGE_RATE,  // and the source's stream was watched for a while
};

typedef void row_judge(const struct facts *k, struct findings *f);

struct row {
	const char *check;
	enum stage stage;
	row_judge *judge;
};

// Judge all rows of a stage.
void rows_run(enum stage stage, const struct facts *k, struct findings *f);

// Judge one row, for tests. Stops the program when there is no such row.
void rows_run_one(const char *check, const struct facts *k, struct findings *f);

struct mend {
	char text[FINDING_MEND_LEN];
};

// Compose a command to a server. @return m->text
__attribute__((format(printf, 3, 4))) const char *
mend_cli(struct mend *m, const struct server_facts *s, const char *format, ...);

// rows_pair.c
row_judge row_same_server, row_target_follows, row_source_follows, row_mode, row_loading,
	row_versions, row_source_age, row_target_age, row_functions, row_field_expiry, row_commands,
	row_modules, row_clock;

// rows_source.c
row_judge row_source_role, row_source_save, row_diskless_delay, row_min_replicas,
	row_repl_timeout, row_backlog_ttl, row_source_config, row_backlog, row_output_buffer,
	row_source_clients;

// rows_target.c
row_judge row_target_role, row_target_save, row_target_memory, row_eviction,
	row_databases, row_target_keys, row_bulk_length, row_target_config, row_target_clients;

// rows_rights.c
row_judge row_source_rights, row_target_rights, row_source_sentinels, row_target_sentinels;

// rows_cluster.c
row_judge row_cluster, row_full_coverage;
