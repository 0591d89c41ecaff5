// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/probe_since.h"

#include <stdio.h>

#include "parsers/commands.h"
#include "parsers/server_version.h"

// "8.4" -> 0x804; 0 for none.
static unsigned release_of(const char *text)
{
	unsigned major, minor;
	return sscanf(text, "%u.%u", &major, &minor) == 2 ? SERVER_VERSION(major, minor) : 0;
}

static bool has_release(unsigned since, unsigned version)
{
	return since && since <= version;
}

static bool options_since(const char *since, bool valkey, unsigned version)
{
	const char *blank = strchr(since, ' ');
	if (!valkey)
		return has_release(release_of(since), version);
	return !blank || has_release(release_of(blank + 1), version);
}

static bool verbs_since(const char *text, const struct probe_names *names, bool valkey,
			unsigned version)
{
	struct probe_list l;
	if (probe_list_read(&l, span_of(text), names))
		return true;
	for (unsigned i = 0; i < l.n; i++) {
		struct span sub = l.list[i].argc > 1 ? l.list[i].argv[1] : (struct span){"", 0};
		const struct command *c = command_find(l.list[i].argv[0], sub);
		if (c && !has_release(valkey ? c->since_valkey : c->since_redis, version))
			return false;
	}
	return true;
}

bool probe_case_since(const struct probe_case *row, const struct probe_names *names, bool valkey,
		      unsigned version)
{
	if (!version)
		return true;
	return (!row->since || options_since(row->since, valkey, version)) &&
	       verbs_since(row->setup, names, valkey, version) &&
	       verbs_since(row->command, names, valkey, version);
}
