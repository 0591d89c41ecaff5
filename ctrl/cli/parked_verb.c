// SPDX-License-Identifier: BSD-3-Clause
// `flyover link parked list|show|drop`: what is on disk, read and settled here. Retrying is in
// parked_retry.c.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/cli/escape.h"
#include "ctrl/cli/parked_place.h"
#include "ctrl/cli/parked_ids.h"
#include "ctrl/cli/verbs.h"
#include "ctrl/clock.h"
#include "ctrl/parked/settle.h"
#include "parsers/resp.h"

#define LIMIT_DEFAULT 100

static int number_read(const char *text, const char *name, uint64_t *out, struct failure *f)
{
	if (!text || !parked_id_read(text, out))
		return 0;
	return failure_set(f, ERROR_USAGE, "--%s: '%s' is no number", name, text);
}

static const char *text(const json_t *o, const char *key)
{
	const char *z = json_string_value(json_object_get(o, key));
	return z ? z : "";
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *time_text(const json_t *head, char *out, size_t len)
{
	time_t seconds = (time_t)(number(head, "time_ms") / 1000);
	struct tm tm;
	if (!localtime_r(&seconds, &tm) || !strftime(out, len, "%F %T", &tm))
		*out = 0;
	return out;
}

static void row_print(const json_t *head)
{
	char time[32];
	printf("%8lld %-19s %-8s %15lld %4lld  %-10s \"%s\"  %s\n", number(head, "id"),
	       time_text(head, time, sizeof(time)), text(head, "phase"), number(head, "offset"),
	       number(head, "db"), text(head, "verb"), text(head, "key"), text(head, "reason"));
}

static void summary_print(const struct journal *j, bool more)
{
	printf("%zu open, %" PRIu64 " settled%s\n", j->n_open, j->n_settled,
	       more ? "; more by --after" : "");
	size_t n = j->n_damaged + scan_torn(&j->scan);
	if (n)
		printf("%zu %s left out of " PARKED_FILE ": torn by a crash\n", n,
		       n == 1 ? "line is" : "lines are");
}

// The open ones above an id. @param more  out: whether there are others behind them
static json_t *heads_read(struct journal *j, uint64_t after, uint64_t limit, bool *more)
{
	json_t *list = json_array();
	*more = false;
	for (size_t i = 0; i < j->n_lines; i++) {
		if (j->lines[i].fate != PARKED_OPEN || journal_id(j, i) <= after)
			continue;
		if (json_array_size(list) == limit) {
			*more = true;
			break;
		}
		json_t *head = journal_head(j, i);
		if (head)
			json_array_append_new(list, head);
		else
			j->n_damaged++;
	}
	return list;
}

static void list_print(struct journal *j, const struct parked_place *p, bool as_json,
		       uint64_t after, uint64_t limit)
{
	bool more;
	size_t i;
	const json_t *head;
	json_t *list = heads_read(j, after, limit, &more);
	if (as_json) {
		json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:b, s:O}", "link", p->link, "open",
				      (json_int_t)j->n_open, "settled", (json_int_t)j->n_settled,
				      "damaged", (json_int_t)j->n_damaged, "more", more, "parked",
				      list);
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else {
		if (json_array_size(list))
			printf("%8s %-19s %-8s %15s %4s  %-10s %s\n", "ID", "TIME", "PHASE",
			       "OFFSET", "DB", "VERB", "KEY and REASON");
		json_array_foreach(list, i, head) row_print(head);
		summary_print(j, more);
	}
	json_decref(list);
}

int verb_parked_list(const struct options *o, struct failure *f)
{
	struct parked_place p;
	struct journal j;
	uint64_t limit = LIMIT_DEFAULT, after = 0;
	if (number_read(o->limit, "limit", &limit, f) || number_read(o->after, "after", &after, f))
		return -1;
	if (parked_place_find(&p, o, f))
		return -1;
	int rc = p.args_taken < o->n_args
			 ? failure_set(f, ERROR_LINK_UNKNOWN, "there is no link named '%.64s'",
				       o->args[0])
			 : journal_open(&j, p.folder, f);
	if (rc == 0) {
		list_print(&j, &p, o->json, after, limit);
		journal_close(&j);
	}
	parked_place_close(&p);
	return rc;
}

// ---- One command --------------------------------------------------------------------------------

// The arguments, escaped. @return array; NULL when the command is no RESP
static json_t *arguments_json(const char *command, size_t len)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame frame;
	json_t *list = NULL;
	if (s && resp_stream_next(s, (struct span){command, len}, &frame) == RESP_OK) {
		list = json_array();
		for (unsigned i = 0; i < frame.argc; i++) {
			char *arg = escape_text(command + frame.argv[i].at, frame.argv[i].len);
			json_array_append_new(list, json_string(arg ? arg : ""));
			free(arg);
		}
	}
	resp_stream_free(s);
	return list;
}

static void command_print(const json_t *head, const json_t *arguments)
{
	static const char *const fields[] = {"fate", "phase", "replid", "offset", "db", "reason"};
	const json_t *arg;
	char time[32];
	size_t i;
	printf("%-8s %lld\n%-8s %s\n", "id", number(head, "id"), "time",
	       time_text(head, time, sizeof(time)));
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const json_t *v = json_object_get(head, fields[i]);
		if (json_is_integer(v))
			printf("%-8s %lld\n", fields[i], (long long)json_integer_value(v));
		else if (json_is_string(v))
			printf("%-8s %s\n", fields[i], json_string_value(v));
	}
	json_array_foreach((json_t *)arguments, i, arg)
		printf("%-8s \"%s\"\n", i ? "" : "command", json_string_value(arg));
}

static int command_show(const struct journal *j, size_t i, const struct options *o,
			struct failure *f)
{
	size_t len;
	char *command;
	json_t *head = journal_head(j, i), *arguments;
	int rc = head ? journal_command(j, i, &command, &len, f)
		      : failure_set(f, ERROR_LINK_STATE, "parked command %" PRIu64 " is %s",
				    journal_id(j, i),
				    j->lines[i].fate == PARKED_LEFT_OUT ? "settled and left out"
									: "damaged");
	if (rc) {
		json_decref(head);
		return rc;
	}
	if (o->raw) {
		fwrite(command, 1, len, stdout);
	} else {
		arguments = arguments_json(command, len);
		json_object_set_new(head, "command", arguments ? arguments : json_null());
		if (o->json) {
			json_dumpf(head, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			command_print(head, arguments);
		}
	}
	free(command);
	json_decref(head);
	return 0;
}

int verb_parked_show(const struct options *o, struct failure *f)
{
	struct parked_place p;
	struct journal j;
	uint64_t id;
	if (parked_place_find(&p, o, f))
		return -1;
	int rc = 0;
	if (o->n_args != p.args_taken + 1 || parked_id_read(o->args[o->n_args - 1], &id))
		rc = failure_set(f, ERROR_USAGE,
				 "name one ID, as `flyover link parked list` has it");
	rc = rc ? rc : journal_open(&j, p.folder, f);
	if (rc == 0) {
		ssize_t i = journal_find(&j, id, f);
		rc = i < 0 ? -1 : command_show(&j, (size_t)i, o, f);
		journal_close(&j);
	}
	parked_place_close(&p);
	return rc;
}

// ---- Giving up ----------------------------------------------------------------------------------

static int drop_confirm(const struct options *o, size_t n, struct failure *f)
{
	char line[16] = "";
	if (o->yes)
		return 0;
	if (!isatty(STDIN_FILENO))
		return failure_set(f, ERROR_USAGE, "say --yes: nobody can be asked here");
	fprintf(stderr, "Drop %zu parked command%s for good? [y/N] ", n, n == 1 ? "" : "s");
	if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return 0;
	return failure_set(f, ERROR_LINK_STATE, "nothing was dropped");
}

// @param n  out: how many were open and are dropped now
static int ids_drop(struct journal *j, struct settler *s, const struct parked_ids *ids, size_t *n,
		    struct failure *f)
{
	size_t many = ids->all ? j->n_lines : ids->n;
	for (size_t k = 0; k < many; k++) {
		ssize_t i = ids->all ? (ssize_t)k : journal_find(j, ids->ids[k], f);
		if (i < 0)
			return -1;
		if (j->lines[i].fate != PARKED_OPEN)
			continue;
		if (settler_put(s, journal_id(j, (size_t)i), PARKED_DROPPED, wall_ms(), f))
			return -1;
		j->lines[i].fate = PARKED_DROPPED;
		++*n;
	}
	return 0;
}

int verb_parked_drop(const struct options *o, struct failure *f)
{
	struct parked_place p;
	struct parked_ids ids;
	struct settler s = {.fd = -1};
	struct journal j;
	size_t n = 0;
	if (parked_place_find(&p, o, f))
		return -1;
	parked_place_close(&p);
	if (parked_ids_read(&ids, o, p.args_taken, f) || settler_open(&s, p.folder, f))
		return -1;
	int rc = journal_open(&j, p.folder, f);
	if (rc == 0) {
		rc = drop_confirm(o, ids.all ? j.n_open : ids.n, f);
		rc = rc ? rc : ids_drop(&j, &s, &ids, &n, f);
		journal_close(&j);
	}
	rc = rc ? rc : settler_compact(&s, f);
	settler_close(&s);
	if (rc == 0)
		printf(o->json ? "{\"dropped\":%zu}\n" : "dropped %zu\n", n);
	return rc;
}
