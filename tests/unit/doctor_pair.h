// SPDX-License-Identifier: BSD-3-Clause
// Two servers as the doctor knows them, made up from what servers answer.
#pragma once

#include "tests/unit/test.h"

#include "ctrl/doctor/facts.h"
#include "ctrl/endpoint.h"
#include "ctrl/doctor/rows.h"

#define VERSION(major, minor) ((major) << 8 | (minor))

static inline void config_make(struct link_config *c)
{
	memset(c, 0, sizeof(*c));
	settings_default(&c->settings);
	strcpy(c->name, "orders");
	struct failure f;
	assert_int_equal(endpoint_set(&c->source, "redis://10.0.0.1", &f), 0);
	assert_int_equal(endpoint_set(&c->target, "redis://bob@10.0.0.2", &f), 0);
}

static const char info_head[] = "redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n"
				"used_memory:1000000\r\nused_memory_startup:900000\r\n"
				"used_memory_dataset:5000000\r\nmaxmemory:0\r\n"
				"maxmemory_policy:noeviction\r\ntotal_system_memory:16000000000\r\n"
				"connected_clients:3\r\nmaxclients:10000\r\nloading:0\r\n"
				"rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n"
				"rdb_last_bgsave_time_sec:2\r\nmaster_repl_offset:1000\r\n";

static inline void side_fill(struct server_facts *s, const char *more)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{"repl-backlog-size", "1048576"},
		{"repl-backlog-ttl", "3600"},
		{"repl-timeout", "60"},
		{"repl-ping-*-period", "10"},
		{"repl-diskless-sync-delay", "5"},
		{"min-*-to-write", "0"},
		{"databases", "16"},
		{"proto-max-bulk-len", "536870912"},
		{"client-output-buffer-limit",
		 "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
		{"repl-diskless-sync", "yes"},
		{"stop-writes-on-bgsave-error", "yes"},
		{"save", "3600 1"},
		{"cluster-require-full-coverage", "yes"},
	};
	unsigned n;
	const char *const *names = config_names(&n);
	char info[2000];
	snprintf(info, sizeof(info), "%s%s", info_head, more);
	facts_info(s, span_of(info), 0, INT64_MAX);
	assert_int_equal(n, sizeof(settings) / sizeof(settings[0]));
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(names[i], settings[i].name);
		struct resp_value v[] = {{.type = RESP_ARRAY, .elements = 2},
					 {.type = RESP_STRING, .text = span_of(names[i])},
					 {.type = RESP_STRING, .text = span_of(settings[i].value)}};
		facts_config(s, i, v, 3);
	}
	s->rights.known = s->modules_known = true;
}

// Two servers that fit together.
static inline struct facts *pair_new(void)
{
	struct facts *k = malloc(sizeof(*k));
	struct link_config c;
	assert_non_null(k);
	config_make(&c);
	facts_init(k, &c);
	side_fill(&k->source, "run_id:aaaaaaaaaaaaaaaaaaaaaaaa\r\nmaster_replid:a1\r\n"
			      "db0:keys=70,expires=3,avg_ttl=9\r\ndb3:keys=5,expires=0\r\n");
	side_fill(&k->target, "run_id:bbbbbbbbbbbbbbbbbbbbbbbb\r\nmaster_replid:b2\r\n");
	k->write_rate = 1000;
	return k;
}
