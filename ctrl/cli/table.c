// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/cli/figures.h"

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *z = json_string_value(json_object_get(o, key));
	return z ? z : "";
}

// What a link waits for, or why it ended, or what it last told.
static const char *remark(const json_t *link)
{
	const char *sentence = text(json_object_get(link, "error"), "sentence");
	if (*sentence)
		return sentence;
	return *text(link, "waiting") ? text(link, "waiting") : text(link, "note");
}

// @param indent  of a shard, which stands below its link
static void row_print(FILE *out, const json_t *link, int indent, const char *end)
{
	char keys[24], applied[24], lag[24];
	fprintf(out, "%*s%-*.*s %-10s %3llu%% %13s %15s %9s %7llu %7llu %8llu  %.60s%s", indent, "",
		20 - indent, 20 - indent, text(link, "name"), text(link, "phase"),
		(unsigned long long)number(link, "percent"),
		figure_count(number(link, "keys"), keys),
		figure_count(number(link, "applied"), applied),
		figure_bytes((double)number(link, "lag_bytes"), lag),
		(unsigned long long)number(link, "lag_ms"),
		(unsigned long long)number(link, "parked_open"),
		(unsigned long long)number(json_object_get(link, "latency_us"), "p99"),
		remark(link), end);
}

void table_print(FILE *out, const json_t *links, const char *end)
{
	const json_t *link;
	size_t i;
	fprintf(out, "%-20s %-10s %4s %13s %15s %9s %7s %7s %8s  %s%s", "LINK", "PHASE", "SNAP",
		"KEYS", "APPLIED", "LAG", "LAG ms", "PARKED", "p99 us", "REMARK", end);
	json_array_foreach((json_t *)links, i, link)
	{
		const json_t *shards = json_object_get(link, "shards"), *shard;
		size_t k;
		row_print(out, link, 0, end);
		json_array_foreach((json_t *)shards, k, shard) row_print(out, shard, 2, end);
	}
	if (json_array_size(links) == 0)
		fprintf(out, "(no links)%s", end);
}

static void value_print(FILE *out, const char *key, const json_t *v)
{
	char *dump;
	if (json_is_string(v) && *json_string_value(v))
		fprintf(out, "%-22s %s\n", key, json_string_value(v));
	if (json_is_integer(v))
		fprintf(out, "%-22s %lld\n", key, (long long)json_integer_value(v));
	if (json_is_boolean(v))
		fprintf(out, "%-22s %s\n", key, json_is_true(v) ? "yes" : "no");
	if (!json_is_object(v) && !json_is_array(v))
		return;
	dump = json_dumps(v, JSON_COMPACT);
	fprintf(out, "%-22s %s\n", key, dump ? dump : "");
	free(dump);
}

static void warnings_print(FILE *out, const json_t *warnings)
{
	const json_t *o;
	size_t i;
	json_array_foreach((json_t *)warnings, i, o)
	{
		fprintf(out, "%-22s %s\n", text(o, "severity"), text(o, "sentence"));
		if (*text(o, "mend"))
			fprintf(out, "%-22s $ %s\n", "", text(o, "mend"));
	}
}

void link_print(FILE *out, const json_t *link)
{
	const char *key;
	const json_t *v;
	json_object_foreach((json_t *)link, key, v)
	{
		if (!strcmp(key, "warnings"))
			warnings_print(out, v);
		else
			value_print(out, key, v);
	}
}

void daemon_print(FILE *out, const json_t *status, const char *end)
{
	const json_t *dataplane = json_object_get(status, "dataplane");
	fprintf(out, "flyoverd %s %s, dataplane %s", text(status, "version"), text(status, "state"),
		text(dataplane, "state"));
	if (number(dataplane, "pid"))
		fprintf(out, " (pid %llu)", (unsigned long long)number(dataplane, "pid"));
	if (number(dataplane, "restarts"))
		fprintf(out, ", started again %llu times",
			(unsigned long long)number(dataplane, "restarts"));
	const json_t *network = json_object_get(dataplane, "network");
	if (*text(network, "text"))
		fprintf(out, "%s%s", end, text(network, "text"));
	if (*text(network, "trouble"))
		fprintf(out, ": %s", text(network, "trouble"));
	fprintf(out, "%s%s", end, end);
}
