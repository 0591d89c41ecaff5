// SPDX-License-Identifier: BSD-3-Clause
// rewrite_command() -> rewrite_apply() -> one function a kind -> footer_apply() -> differs()
#include "parsers/rewrite_private.h"

bool word_among(struct span word, const char *const *list)
{
	for (; *list; list++)
		if (span_caseeq(word, *list))
			return true;
	return false;
}

void begin_as(struct rewrite *w, const char *name)
{
	w->argc = 0;
	w->command = command_find(span_of(name), (struct span){"", 0});
	assert(w->command);
	put(w, span_of(name));
}

// Another name in front of the first `keep` words, 0 for all: the rest was a condition or a wait.
static enum rewrite_reason rewrite_name(const struct call *in, struct rewrite *w)
{
	static const struct {
		const char *name;
		int keep;
	} names[] = {
		[REWRITE_TO_SET] = {"SET", 3},             // SETNX key value, GETSET key value
		[REWRITE_TO_MSET] = {"MSET", 0},           // MSETNX
		[REWRITE_TO_HSET] = {"HSET", 4},           // HSETNX key field value
		[REWRITE_TO_RENAME] = {"RENAME", 3},       // RENAMENX from to
		[REWRITE_TO_LPUSH] = {"LPUSH", 0},         // LPUSHX
		[REWRITE_TO_RPUSH] = {"RPUSH", 0},         // RPUSHX
		[REWRITE_TO_RPOPLPUSH] = {"RPOPLPUSH", 3}, // BRPOPLPUSH from to timeout
		[REWRITE_TO_LMOVE] = {"LMOVE", 5},         // BLMOVE from to side side timeout
		[REWRITE_TO_DEL] = {"DEL", 2},             // GETDEL, DELEX, DELIFEQ key ..
	};
	int keep = names[in->c->rewrite].keep;
	begin_as(w, names[in->c->rewrite].name);
	for (int i = 1; i < (keep ? keep : in->argc); i++)
		put(w, in->argv[i]);
	return REWRITE_OK;
}

// HGETDEL key FIELDS n field .. -> HDEL key field ..
static enum rewrite_reason rewrite_hgetdel(const struct call *in, struct rewrite *w)
{
	if (!span_caseeq(in->argv[2], "FIELDS"))
		return REWRITE_MALFORMED;
	begin_as(w, "HDEL");
	put(w, in->argv[1]);
	put_rest(w, in, 4);
	return REWRITE_OK;
}

// COPY from to [DB n] [REPLACE]: the destination was free, or was replaced.
static enum rewrite_reason rewrite_copy(const struct call *in, struct rewrite *w)
{
	for (int i = 3; i < in->argc; i++)
		if (span_caseeq(in->argv[i], "REPLACE"))
			return REWRITE_OK;
	put_rest(w, in, 0);
	put(w, SPAN_LIT("REPLACE"));
	return REWRITE_OK;
}

// How many words an option of XADD takes, itself included; 0 at the entry's id.
static int xadd_option_words(const struct call *in, int at)
{
	static const char *const alone[] = {"NOMKSTREAM", "KEEPREF", "DELREF", "ACKED", NULL};
	static const char *const trims[] = {"MAXLEN", "MINID", NULL};
	static const char *const signs[] = {"=", "~", NULL};
	static const char *const with_one[] = {"LIMIT", "IDMPAUTO", NULL};
	struct span word = in->argv[at];
	if (word_among(word, alone))
		return 1;
	if (word_among(word, trims))
		return at + 1 < in->argc && word_among(in->argv[at + 1], signs) ? 3 : 2;
	if (word_among(word, with_one))
		return 2;
	return span_caseeq(word, "IDMP") ? 3 : 0;
}

// NOMKSTREAM goes, since the stream was there; LIMIT goes, since a source sends it beside the exact
// bound that it trimmed to, which servers take from their master alone.
static bool is_dropped(struct span option)
{
	return span_caseeq(option, "NOMKSTREAM") || span_caseeq(option, "LIMIT");
}

// The place behind the options, which begin at word 2; past argc when the last one wants more.
static int options_end(const struct call *in, bool *drops)
{
	int words, at = 2;
	*drops = false;
	for (; at < in->argc && (words = xadd_option_words(in, at)) > 0; at += words)
		*drops |= is_dropped(in->argv[at]);
	return at;
}

static void options_put(const struct call *in, struct rewrite *w, int end)
{
	int words;
	for (int i = 0; i < 2; i++)
		put(w, in->argv[i]);
	for (int i = 2; i < end; i += words) {
		words = xadd_option_words(in, i);
		for (int k = 0; k < words && !is_dropped(in->argv[i]); k++)
			put(w, in->argv[i + k]);
	}
	put_rest(w, in, end);
}

// XADD key [options] id field value ..
static enum rewrite_reason rewrite_xadd(const struct call *in, struct rewrite *w)
{
	bool drops;
	int id = options_end(in, &drops);
	if (id >= in->argc)
		return REWRITE_MALFORMED;
	if (drops)
		options_put(in, w, id);
	return REWRITE_OK;
}

// XTRIM key MAXLEN|MINID [=|~] bound [LIMIT n] [options]
static enum rewrite_reason rewrite_xtrim(const struct call *in, struct rewrite *w)
{
	bool drops;
	int end = options_end(in, &drops);
	if (end != in->argc)
		return REWRITE_MALFORMED;
	if (drops)
		options_put(in, w, end);
	return REWRITE_OK;
}

// FUNCTION LOAD [REPLACE] code
static enum rewrite_reason rewrite_function_load(const struct call *in, struct rewrite *w)
{
	put(w, in->argv[0]);
	put(w, in->argv[1]);
	if (!span_caseeq(in->argv[2], "REPLACE"))
		put(w, SPAN_LIT("REPLACE"));
	put_rest(w, in, 2);
	return REWRITE_OK;
}

// FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]: APPEND, the default, fails on what is there.
static enum rewrite_reason rewrite_function_restore(const struct call *in, struct rewrite *w)
{
	for (int i = 0; i < 3; i++)
		put(w, in->argv[i]);
	if (in->argc > 3 && !span_caseeq(in->argv[3], "APPEND"))
		put_rest(w, in, 3);
	else
		put(w, SPAN_LIT("REPLACE"));
	return REWRITE_OK;
}

static enum rewrite_reason rewrite_kind(const struct call *in, struct rewrite *w)
{
	switch ((enum rewrite_kind)in->c->rewrite) {
	case REWRITE_SET:
		return rewrite_set(in, w);
	case REWRITE_SETEX:
	case REWRITE_PSETEX:
		return rewrite_setex(in, w);
	case REWRITE_GETEX:
		return rewrite_getex(in, w);
	case REWRITE_EXPIRE:
	case REWRITE_PEXPIRE:
	case REWRITE_EXPIREAT:
	case REWRITE_PEXPIREAT:
		return rewrite_expire(in, w);
	case REWRITE_HEXPIRE:
	case REWRITE_HPEXPIRE:
	case REWRITE_HEXPIREAT:
	case REWRITE_HPEXPIREAT:
		return rewrite_hexpire(in, w);
	case REWRITE_HGETEX:
		return rewrite_hgetex(in, w);
	case REWRITE_HSETEX:
		return rewrite_hsetex(in, w);
	case REWRITE_HGETDEL:
		return rewrite_hgetdel(in, w);
	case REWRITE_MSETEX:
		return rewrite_msetex(in, w);
	case REWRITE_RESTORE:
		return rewrite_restore(in, w);
	case REWRITE_COPY:
		return rewrite_copy(in, w);
	case REWRITE_XADD:
		return rewrite_xadd(in, w);
	case REWRITE_XTRIM:
		return rewrite_xtrim(in, w);
	case REWRITE_FUNCTION_LOAD:
		return rewrite_function_load(in, w);
	case REWRITE_FUNCTION_RESTORE:
		return rewrite_function_restore(in, w);
	default:
		return rewrite_name(in, w);
	}
}

// Which word of the outcome is a DUMP payload, 0 when none is.
static int payload_at(const struct rewrite *w)
{
	if (w->command->rewrite == REWRITE_RESTORE)
		return 3;
	return w->command->rewrite == REWRITE_FUNCTION_RESTORE ? 2 : 0;
}

static enum rewrite_reason footer_apply(const struct rewrite_rules *rules, struct rewrite *w)
{
	int at = payload_at(w);
	if (!at || !rules->footer)
		return REWRITE_OK;
	if (w->argv[at].len < RDB_FOOTER_LEN)
		return REWRITE_MALFORMED;
	int rc = rules->footer(rules->footer_arg, w->argv[at], w->footer);
	if (rc < 0)
		return REWRITE_FOOTER;
	w->footer_at = rc ? at : 0;
	return REWRITE_OK;
}

static bool differs(const struct call *in, const struct rewrite *w)
{
	if (w->argc != in->argc || w->footer_at)
		return true;
	for (int i = 0; i < w->argc; i++)
		if (w->argv[i].p != in->argv[i].p || w->argv[i].len != in->argv[i].len)
			return true;
	return false;
}

enum rewrite_result rewrite_apply(
	const struct command *c, const struct span *argv, int argc,
	const struct rewrite_rules *rules, struct rewrite *out)
{
	const struct call in = {c, argv, argc, rules};
	assert(out->room >= argc + REWRITE_GROWTH);
	out->argc = 0;
	out->footer_at = 0;
	out->held_ms = 0;
	out->command = c;
	out->reason = command_arity_fits(c, argc) ? rewrite_kind(&in, out) : REWRITE_MALFORMED;
	if (out->reason == REWRITE_OK && out->argc == 0) // a kind puts no word to change nothing
		return REWRITE_UNCHANGED;
	if (out->reason == REWRITE_OK && !command_arity_fits(out->command, out->argc))
		out->reason = REWRITE_MALFORMED;
	if (out->reason == REWRITE_OK)
		out->reason = footer_apply(rules, out);
	if (out->reason)
		return REWRITE_REFUSED;
	return differs(&in, out) ? REWRITE_CHANGED : REWRITE_UNCHANGED;
}

const char *rewrite_reason_text(enum rewrite_reason reason)
{
	static const char *const texts[REWRITE_REASON_COUNT] = {
		[REWRITE_OK] = "ok",
		[REWRITE_MALFORMED] = "malformed command",
		[REWRITE_RANGE] = "expiry out of range",
		[REWRITE_NO_TIME] = "relative expiry without a receive time",
		[REWRITE_FOOTER] = "the target cannot load this payload",
	};
	return texts[reason];
}
