// SPDX-License-Identifier: BSD-3-Clause
// options_read() -> word_read() -> row_find(), row_set() | setting_read() | network_word_read()
#include "ctrl/cli/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/secret.h"
#include "ctrl/tls_settings.h"
#include "dataplane/contract/settings.h"

struct option_row {
	const char *name;
	char letter;     // 0: none
	const char *arg; // NULL: a flag; "[=X]": may be left out, the text is "" then
	unsigned group;
	size_t field;
	const char *help;
};

#define ROW(name, letter, arg, group, member, help)                                                \
	{                                                                                          \
		name, letter, arg, group, offsetof(struct options, member), help                   \
	}

static const struct option_row rows[] = {
	ROW("json", 0, NULL, OPTIONS_JSON, json, "print JSON, one object a line"),
	ROW("socket", 0, "PATH", OPTIONS_SOCKET, socket,
	    "flyoverd's socket; default $FLYOVER_SOCKET or /run/flyover/flyoverd.sock"),
	ROW("state-dir", 0, "FOLDER", OPTIONS_JOB | OPTIONS_STATE, state_dir,
	    "keep the state of this job there; default: a folder for this source and target"),
	ROW("state-dir", 0, "FOLDER", OPTIONS_DOCTOR, state_dir,
	    "without servers: look at this folder; default: flyoverd's"),
	ROW("probe", 0, "[=full]", OPTIONS_DOCTOR, probe,
	    "try every command on scratch keys of both servers, and look what the source's stream "
	    "carries; =full: by a full sync, where the source has no backlog"),
	ROW("nic", 0, "DEVICE", OPTIONS_DOCTOR, nic,
	    "without servers: what it takes to use this device for --net=dpdk; nothing is changed"),
	ROW("cores", 0, "LIST", OPTIONS_JOB, cores,
	    "cores to use, such as 0-3; default: flyover chooses"),
	ROW("io", 0, "auto|epoll|io_uring", OPTIONS_JOB, io,
	    "how sockets are waited for; default: auto"),
	ROW("interval", 0, "TIME", OPTIONS_JOB, interval,
	    "show the progress so often; default: 250ms on a terminal, 1s as JSON, else 5s"),
	ROW("verbose", 'v', NULL, OPTIONS_JOB, verbose, "print the log to stderr"),
	ROW("config", 0, "FILE", OPTIONS_LINK, config,
	    "settings of the link from a file: 'name: value'"),
	ROW("source-password-file", 0, "FILE", OPTIONS_PASSWORD | OPTIONS_DUMP,
	    source_password_file, "the source's password; else FLYOVER_SOURCE_PASSWORD"),
	ROW("target-password-file", 0, "FILE", OPTIONS_PASSWORD, target_password_file,
	    "the target's password; else FLYOVER_TARGET_PASSWORD"),
	ROW("source-sentinel-user", 0, "NAME", OPTIONS_PASSWORD | OPTIONS_DUMP,
	    source_sentinel_user,
	    "who we are at the source's sentinels, where not the default user"),
	ROW("source-sentinel-password-file", 0, "FILE", OPTIONS_PASSWORD | OPTIONS_DUMP,
	    source_sentinel_password_file,
	    "the password there; else FLYOVER_SOURCE_SENTINEL_PASSWORD, else the source's if asked "
	    "for one"),
	ROW("target-sentinel-user", 0, "NAME", OPTIONS_PASSWORD | OPTIONS_RETRY,
	    target_sentinel_user, "the same for the target's sentinels"),
	ROW("target-sentinel-password-file", 0, "FILE", OPTIONS_PASSWORD | OPTIONS_RETRY,
	    target_sentinel_password_file, "and FLYOVER_TARGET_SENTINEL_PASSWORD"),
	ROW("mode", 0, "full|length|keys|ttl", OPTIONS_CHECK, mode,
	    "compare values (the default), types and lengths, names, or expiries"),
	ROW("show", 0, "N", OPTIONS_CHECK, show, "name at most N keys that differ; default 20"),
	ROW("ttl-slack", 0, "TIME", OPTIONS_CHECK, ttl_slack,
	    "expiries may differ by so much; default 1s"),
	ROW("state-dir", 0, "FOLDER", OPTIONS_PARKED, state_dir,
	    "the state folder of a `flyover sync`, or of a flyoverd that does not run"),
	ROW("limit", 0, "N", OPTIONS_PAGE, limit, "show at most N commands; default 100"),
	ROW("after", 0, "ID", OPTIONS_PAGE, after, "show those with a higher id"),
	ROW("limit", 0, "N", OPTIONS_TRACE, limit,
	    "show the last N lines of each connection; default 100"),
	ROW("raw", 0, NULL, OPTIONS_RAW, raw, "write the bytes of the command, RESP, and no more"),
	ROW("all", 0, NULL, OPTIONS_ALL, all, "all that are open"),
	ROW("target", 0, "URL", OPTIONS_RETRY, target,
	    "where to send them when no flyoverd runs that knows"),
	ROW("target-password-file", 0, "FILE", OPTIONS_RETRY, target_password_file,
	    "the target's password; else FLYOVER_TARGET_PASSWORD"),
	ROW("again", 0, NULL, OPTIONS_RETRY, again,
	    "send those too that were sent before, with an answer that got lost"),
	ROW("yes", 0, NULL, OPTIONS_YES, yes, "do not ask"),
	ROW("format", 0, "json|jsonl|resp|keys", OPTIONS_DECODE, format,
	    "how the data are written; default: jsonl, one object a key or command"),
	ROW("out", 'o', "FILE", OPTIONS_DECODE, out, "write there; default: the standard output"),
	ROW("report", 0, "[=FILE.html]", OPTIONS_DECODE, report,
	    "sum up types, sizes, expiries, the biggest keys and commands, as text or as a page"),
	ROW("out", 'o', "FILE", OPTIONS_DUMP, out,
	    "the file, which is there once it is whole; - is the standard output"),
	ROW("force", 0, NULL, OPTIONS_DUMP, force, "replace a file that is there"),
	ROW("by-scan", 0, NULL, OPTIONS_DUMP, by_scan,
	    "do not replicate: read key by key, each in the state of its own moment"),
	ROW("db", 0, "N", OPTIONS_DECODE | OPTIONS_DUMP | OPTIONS_RESTORE, db,
	    "only the keys of this database"),
	ROW("match", 0, "GLOB", OPTIONS_DECODE | OPTIONS_DUMP, match,
	    "only keys that fit, as KEYS has it"),
	ROW("type", 0, "TYPE", OPTIONS_DECODE, type,
	    "only string, list, set, hash, zset..., or command"),
	ROW("type", 0, "TYPE", OPTIONS_DUMP, type, "only string, list, set, hash, zset..."),
	ROW("limit", 0, "N", OPTIONS_DECODE, limit, "end after so many keys and commands"),
	ROW("until-time", 0, "TIME", OPTIONS_AOF, until_time,
	    "of an AOF with times: leave out what came later; unix seconds or RFC 3339"),
	ROW("strict", 0, NULL, OPTIONS_AOF, strict,
	    "an AOF that ends within a command or transaction is an error"),
	ROW("follow", 0, NULL, OPTIONS_SCAN, follow,
	    "then copy what changes, until Ctrl-C, as keyspace notifications tell: the last state "
	    "of each key, without order between keys"),
	ROW("trust-notifications", 0, NULL, OPTIONS_SCAN, trust_notifications,
	    "they are on: do not look, the service refuses CONFIG"),
	ROW("extra-keys", 0, "auto|keep|delete", OPTIONS_SCAN, extra_keys,
	    "what the source does not have; auto: delete if the target was empty"),
	ROW("by-type", 0, NULL, OPTIONS_SCAN, by_type, "never use DUMP and RESTORE"),
	ROW("keep-idle", 0, NULL, OPTIONS_SCAN, keep_idle, "pass LRU and LFU hints on"),
	ROW("big-value", 0, "SIZE", OPTIONS_SCAN | OPTIONS_CHECK, big_value,
	    "copy larger values piece by piece; default 1MB"),
	ROW("wait-timeout", 0, "TIME", OPTIONS_SCAN, wait_timeout,
	    "bear a lost connection or a full target so long; default 60s"),
	ROW("wait-timeout", 0, "TIME", OPTIONS_DUMP, wait_timeout,
	    "wait so long for a source that loads its data, or is busy; default 60s"),
	ROW("max-keys-per-s", 0, "N", OPTIONS_PACE, max_keys_per_s,
	    "go no faster; default: no limit"),
	ROW("max-bytes-per-s", 0, "SIZE", OPTIONS_PACE | OPTIONS_DUMP, max_bytes_per_s,
	    "go no faster; default: no limit"),
	ROW("repair", 0, NULL, OPTIONS_CHECK, repair,
	    "give the target the source's state of keys that differ"),
	ROW("repair-extra", 0, NULL, OPTIONS_CHECK, repair_extra,
	    "and delete keys that only the target has"),
	ROW("continuous", 0, NULL, OPTIONS_CHECK, continuous, "again and again, until Ctrl-C"),
	ROW("interval", 0, "TIME", OPTIONS_CHECK, interval,
	    "begin a round so long after the last one's end; default 60s"),
	ROW("help", 'h', NULL, 0, help, "print this"),
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static bool row_taken(const struct verb *v, const struct option_row *row)
{
	return row->group == 0 || (v->options & row->group);
}

// @param name  without dashes, len bytes
static const struct option_row *row_find(const struct verb *v, const char *name, size_t len)
{
	for (unsigned i = 0; i < N_ROWS; i++)
		if (row_taken(v, &rows[i]) && strlen(rows[i].name) == len &&
		    !memcmp(rows[i].name, name, len))
			return &rows[i];
	return NULL;
}

static const struct option_row *letter_find(const struct verb *v, char letter)
{
	for (unsigned i = 0; i < N_ROWS; i++)
		if (row_taken(v, &rows[i]) && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static const struct setting_row *setting_find(const struct verb *v, const char *name, size_t len)
{
	unsigned n;
	const struct setting_row *settings = setting_rows(&n);
	for (unsigned i = 0; (v->options & OPTIONS_LINK) && i < n; i++) {
		size_t j = 0;
		while (j < len && settings[i].name[j] == (name[j] == '-' ? '_' : name[j]))
			j++;
		if (j == len && !settings[i].name[j])
			return &settings[i];
	}
	return NULL;
}

static const struct network_row *network_find(const struct verb *v, const char *name, size_t len)
{
	unsigned n;
	const struct network_row *networks = network_rows(&n);
	for (unsigned i = 0; (v->options & OPTIONS_JOB) && i < n; i++)
		if (strlen(networks[i].name) == len && !memcmp(networks[i].name, name, len))
			return &networks[i];
	return NULL;
}

static bool tls_row_taken(const struct verb *v, const struct tls_row *row)
{
	unsigned one = row->target ? OPTIONS_RETRY : OPTIONS_DUMP;
	return v->options & (OPTIONS_PASSWORD | one);
}

static const struct tls_row *tls_find(const struct verb *v, const char *name, size_t len)
{
	const struct tls_row *row = tls_row_find(name, len);
	return row && tls_row_taken(v, row) ? row : NULL;
}

struct words {
	int argc, at;
	char **argv;
};

// The value of an option: what follows its '=', or the next word.
static const char *value_take(struct words *w, const char *equals)
{
	if (equals)
		return equals + 1;
	return w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
}

static int row_set(const struct option_row *row, struct words *w, const char *equals,
		   struct options *o, struct failure *f)
{
	char *field = (char *)o + row->field;
	if (!row->arg && equals)
		return failure_set(f, ERROR_USAGE, "--%s takes no value", row->name);
	if (!row->arg) {
		*(bool *)field = true;
		return 0;
	}
	bool optional = row->arg[0] == '[';
	const char *text = optional && !equals ? "" : value_take(w, equals);
	if (!text || (!*text && (equals || !optional)))
		return failure_set(f, ERROR_USAGE, "--%s needs a value: %s", row->name, row->arg);
	*(const char **)field = text;
	return 0;
}

static int setting_read(const struct setting_row *row, struct words *w, const char *equals,
			struct options *o, struct failure *f)
{
	struct link_settings probe;
	char why[200];
	// A yes-or-no setting by itself means yes.
	const char *text = row->kind == SETTING_BOOL && !equals ? "yes" : value_take(w, equals);
	if (!text)
		return failure_set(f, ERROR_USAGE, "%s needs a value", w->argv[w->at]);
	settings_default(&probe);
	if (setting_set(&probe, row->name, text, why, sizeof(why)))
		return failure_set(f, ERROR_USAGE, "%s", why);
	if (o->n_settings == SETTINGS_MAX)
		return failure_set(f, ERROR_USAGE, "too many settings");
	o->settings[o->n_settings++] = (struct option_setting){row->name, text};
	return 0;
}

static int network_word_read(const struct network_row *row, struct words *w, const char *equals,
			     struct options *o, struct failure *f)
{
	char why[200];
	const char *text = value_take(w, equals);
	if (!text)
		return failure_set(f, ERROR_USAGE, "--%s needs a value: %s", row->name, row->arg);
	if (network_set(&o->network, row->name, text, why, sizeof(why)))
		return failure_set(f, ERROR_USAGE, "%s", why);
	return 0;
}

static int tls_word_read(const struct tls_row *row, struct words *w, const char *equals,
			 struct options *o, struct failure *f)
{
	const char *text = value_take(w, equals);
	if (!text || !*text)
		return failure_set(f, ERROR_USAGE, "--%s needs a value: %s", row->name, row->arg);
	if (o->n_tls == TLS_OPTIONS_MAX)
		return failure_set(f, ERROR_USAGE, "too many settings of TLS");
	o->tls[o->n_tls++] = (struct option_setting){row->name, text};
	return 0;
}

static int word_read(const struct verb *v, struct words *w, struct options *o, struct failure *f)
{
	const char *word = w->argv[w->at];
	char shown[WORD_SHOWN_LEN];
	if (word[0] != '-' || !word[1]) {
		if (o->n_args == v->args_max)
			return failure_set(f, ERROR_USAGE,
					   "`flyover %s` takes %s, not '%s' as well", v->word,
					   v->args[0] ? v->args : "no arguments",
					   secret_hide(word, shown));
		o->args[o->n_args++] = word;
		return 0;
	}
	const struct option_row *row = NULL;
	const char *name = word + 2, *equals = strchr(word, '=');
	if (word[1] != '-') {
		row = word[2] ? NULL : letter_find(v, word[1]);
		equals = NULL;
	} else {
		size_t len = equals ? (size_t)(equals - name) : strlen(name);
		const struct setting_row *setting = setting_find(v, name, len);
		if (setting)
			return setting_read(setting, w, equals, o, f);
		const struct network_row *network = network_find(v, name, len);
		if (network)
			return network_word_read(network, w, equals, o, f);
		const struct tls_row *tls = tls_find(v, name, len);
		if (tls)
			return tls_word_read(tls, w, equals, o, f);
		row = row_find(v, name, len);
	}
	if (!row)
		return failure_set(f, ERROR_USAGE, "`flyover %s` has no option %s", v->word,
				   secret_hide(word, shown));
	return row_set(row, w, equals, o, f);
}

int options_read(const struct verb *v, int argc, char **argv, struct options *o, struct failure *f)
{
	memset(o, 0, sizeof(*o));
	for (struct words w = {argc, 0, argv}; w.at < argc; w.at++)
		if (word_read(v, &w, o, f))
			return -1;
	if (!o->help && o->n_args < v->args_min)
		return failure_set(f, ERROR_USAGE, "`flyover %s` needs %s", v->word, v->args);
	return 0;
}

static void row_help(const struct option_row *row)
{
	char left[64], letter[] = {'-', row->letter, ',', ' ', 0};
	snprintf(left, sizeof(left), "%s--%s%s%s", row->letter ? letter : "", row->name,
		 row->arg && row->arg[0] != '[' ? " " : "", row->arg ? row->arg : "");
	printf("  %-30s %s\n", left, row->help);
}

// Without what is a setting of the link as well: that is the one which is meant.
static void networks_help(const struct verb *v)
{
	unsigned n;
	const struct network_row *networks = network_rows(&n);
	printf("\nnetwork of this host, for --net=dpdk:\n");
	for (unsigned i = 0; i < n; i++) {
		char left[64];
		if (setting_find(v, networks[i].name, strlen(networks[i].name)))
			continue;
		snprintf(left, sizeof(left), "--%s %s", networks[i].name, networks[i].arg);
		printf("  %-30s %s\n", left, networks[i].help);
	}
}

static void tls_help(const struct verb *v)
{
	unsigned n;
	const struct tls_row *tls = tls_rows(&n);
	bool first = true;
	for (unsigned i = 0; i < n; i++) {
		char left[64];
		if (!tls_row_taken(v, &tls[i]))
			continue;
		printf("%s", first ? "\nTLS, for rediss://:\n" : "");
		snprintf(left, sizeof(left), "--%s %s", tls[i].name, tls[i].arg);
		printf("  %-30s %s\n", left, tls[i].help);
		first = false;
	}
}

static void setting_help(const struct setting_row *row)
{
	struct link_settings defaults;
	char left[64], text[SETTING_TEXT_LEN];
	size_t n = (size_t)snprintf(left, sizeof(left), "--%s", row->name);
	for (size_t i = 2; i < n; i++)
		left[i] = left[i] == '_' ? '-' : left[i];
	settings_default(&defaults);
	setting_text(&defaults, row, text, sizeof(text));
	printf("  %-30s %s%s%s%s\n", left, row->help, *text ? " (" : "", text, *text ? ")" : "");
}

void options_help(const struct verb *v)
{
	unsigned n;
	const struct setting_row *settings = setting_rows(&n);
	printf("flyover %s %s\n  %s\n\noptions:\n", v->word, v->args, v->help);
	for (unsigned i = 0; i < N_ROWS; i++)
		if (row_taken(v, &rows[i]))
			row_help(&rows[i]);
	tls_help(v);
	if (v->options & OPTIONS_JOB)
		networks_help(v);
	if (v->notes)
		printf("\n%s", v->notes);
	if (!(v->options & OPTIONS_LINK))
		return;
	printf("\nsettings of the link, with their defaults:\n");
	for (unsigned i = 0; i < n; i++)
		setting_help(&settings[i]);
}
