// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/lane.h"
#include "parsers/noperm.h"

// First words of error replies, and what to do. What is not here is parked.
static const struct {
	const char
		*word; // compared with the first word, or the whole beginning when it has a space
	enum refusal refusal;
	enum error_id error;
} rows[] = {
	{"EXECABORT", REFUSAL_ABORT, ERROR_TARGET_REFUSES},
	{"LOADING", REFUSAL_WAIT, ERROR_DEADLINE},
	{"BUSY", REFUSAL_WAIT, ERROR_DEADLINE},
	{"OOM", REFUSAL_WAIT, ERROR_DEADLINE},
	{"MISCONF", REFUSAL_WAIT, ERROR_DEADLINE},
	{"NOREPLICAS", REFUSAL_WAIT, ERROR_DEADLINE},
	{"TRYAGAIN", REFUSAL_WAIT, ERROR_DEADLINE},
	{"CLUSTERDOWN", REFUSAL_WAIT, ERROR_DEADLINE},
	{"MASTERDOWN", REFUSAL_MOVE, ERROR_DEADLINE},
	{"READONLY", REFUSAL_MOVE, ERROR_TARGET_READONLY},
	{"ERR Protocol error", REFUSAL_MOVE, ERROR_TARGET_REFUSES}, // its proto-max-bulk-len
	{"UNKILLABLE", REFUSAL_WAIT, ERROR_DEADLINE},
	{"NOAUTH", REFUSAL_STOP, ERROR_AUTH},
	{"WRONGPASS", REFUSAL_STOP, ERROR_AUTH},
	{"ERR invalid password", REFUSAL_STOP, ERROR_AUTH},
	{"ERR AUTH", REFUSAL_STOP, ERROR_AUTH},
	{"ERR Client sent AUTH", REFUSAL_STOP, ERROR_AUTH},
	{"DENIED", REFUSAL_STOP, ERROR_NOPERM},
	{"MOVED", REFUSAL_STOP, ERROR_TARGET_REFUSES},
	{"ASK", REFUSAL_STOP, ERROR_TARGET_REFUSES},
	{"CROSSSLOT", REFUSAL_STOP, ERROR_TARGET_REFUSES},
	{"ERR unknown command", REFUSAL_STOP, ERROR_TARGET_REFUSES},
	{"ERR max number of clients reached", REFUSAL_WAIT, ERROR_DEADLINE},
};

static bool line_begins(struct span line, const char *word)
{
	size_t len = strlen(word);
	if (line.len < len || strncasecmp(line.p, word, len))
		return false;
	return strchr(word, ' ') || line.len == len || line.p[len] == ' ';
}

enum refusal refusal_of(struct span line, enum error_id *error)
{
	if (noperm_is(line)) { // also as the reason of an EXECABORT
		*error = ERROR_NOPERM;
		return REFUSAL_STOP;
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!line_begins(line, rows[i].word))
			continue;
		*error = rows[i].error;
		return rows[i].refusal;
	}
	*error = ERROR_TARGET_REFUSES;
	return REFUSAL_PARK;
}
