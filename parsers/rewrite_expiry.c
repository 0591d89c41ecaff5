// SPDX-License-Identifier: BSD-3-Clause
// Rewrites of commands that carry an expiry.
#include "parsers/commands_number.h"
#include "parsers/rewrite_private.h"

static const char *const key_conditions[] = {"NX", "XX", "GT", "LT", NULL};

// An expiry as a command words it.
struct expiry {
	int64_t unit_ms;
	bool relative;
	int64_t at_ms; // Unix time, once resolved
};

// EX, PX, EXAT, PXAT.
static bool expiry_option(struct span word, struct expiry *e)
{
	static const struct {
		const char *name;
		struct expiry expiry;
	} options[] = {
		{"EX", {1000, true}},
		{"PX", {1, true}},
		{"EXAT", {1000, false}},
		{"PXAT", {1, false}},
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (span_caseeq(word, options[i].name)) {
			*e = options[i].expiry;
			return true;
		}
	}
	return false;
}

static enum rewrite_reason expiry_resolve(
	struct expiry *e, struct span number, const struct rewrite_rules *rules)
{
	int64_t n;
	if (!number_parse(number, &n))
		return REWRITE_MALFORMED;
	if (__builtin_mul_overflow(n, e->unit_ms, &n))
		return REWRITE_RANGE;
	if (e->relative) {
		if (rules->received_ms == 0)
			return REWRITE_NO_TIME;
		if (__builtin_add_overflow(n, rules->received_ms, &n))
			return REWRITE_RANGE;
	}
	e->at_ms = n;
	return REWRITE_OK;
}

static bool expiry_passed(const struct expiry *e, const struct rewrite_rules *rules)
{
	return rules->now_ms != 0 && e->at_ms <= rules->now_ms;
}

// Put off the expiry of a key that must not go yet. The words for it are new then.
static void expiry_hold(struct expiry *e, const struct call *in, struct rewrite *w)
{
	enum rewrite_kind kind = (enum rewrite_kind)in->c->rewrite;
	bool of_fields = kind == REWRITE_HSETEX || kind == REWRITE_HGETEX;
	if (of_fields || e->at_ms <= 0 || e->at_ms > in->rules->hold_until_ms)
		return;
	w->held_ms = e->at_ms;
	e->at_ms = in->rules->hold_at_ms;
	e->relative = true;
}

static void put_ms(struct rewrite *w, int64_t ms)
{
	put(w, number_print(ms, w->number));
}

// An option as it came, or PXAT when that was relative.
static void put_option(struct rewrite *w, const struct call *in, int at, const struct expiry *e)
{
	if (e->relative) {
		put(w, SPAN_LIT("PXAT"));
		put_ms(w, e->at_ms);
	} else {
		put(w, in->argv[at]);
		put(w, in->argv[at + 1]);
	}
}

static void become_del(struct rewrite *w, struct span key)
{
	begin_as(w, "DEL");
	put(w, key);
}

// Copy the options of argv[from..to) but for conditions, and make expiries absolute.
//
// @param e  filled when there was an expiry; e->unit_ms stays 0 otherwise
static enum rewrite_reason put_options(
	struct rewrite *w, const struct call *in, int from, int to, const char *const *drop,
	struct expiry *e)
{
	static const char *const comparisons[] = {"IFEQ", "IFNE", "IFDEQ", "IFDNE", NULL};
	*e = (struct expiry){0};
	for (int i = from; i < to; i++) {
		bool again = e->unit_ms != 0;
		if (word_among(in->argv[i], drop))
			continue;
		if (word_among(in->argv[i], comparisons)) {
			if (++i >= to)
				return REWRITE_MALFORMED;
		} else if (expiry_option(in->argv[i], e)) {
			if (again || i + 1 >= to)
				return REWRITE_MALFORMED;
			enum rewrite_reason reason = expiry_resolve(e, in->argv[i + 1], in->rules);
			if (reason)
				return reason;
			expiry_hold(e, in, w);
			put_option(w, in, i++, e);
		} else {
			put(w, in->argv[i]); // KEEPTTL, or one that came after us
		}
	}
	return REWRITE_OK;
}

// SET key value [NX|XX|IFEQ v|..] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]
enum rewrite_reason rewrite_set(const struct call *in, struct rewrite *w)
{
	static const char *const drop[] = {"NX", "XX", "GET", NULL};
	struct expiry e;
	for (int i = 0; i < 3; i++)
		put(w, in->argv[i]);
	enum rewrite_reason reason = put_options(w, in, 3, in->argc, drop, &e);
	if (!reason && e.unit_ms && expiry_passed(&e, in->rules))
		become_del(w, in->argv[1]);
	return reason;
}

// SETEX key s value, PSETEX key ms value -> SET key value PXAT ms
enum rewrite_reason rewrite_setex(const struct call *in, struct rewrite *w)
{
	struct expiry e = {in->c->rewrite == REWRITE_SETEX ? 1000 : 1, true};
	enum rewrite_reason reason = expiry_resolve(&e, in->argv[2], in->rules);
	if (reason)
		return reason;
	expiry_hold(&e, in, w);
	if (expiry_passed(&e, in->rules)) {
		become_del(w, in->argv[1]);
		return REWRITE_OK;
	}
	begin_as(w, "SET");
	put(w, in->argv[1]);
	put(w, in->argv[3]);
	put(w, SPAN_LIT("PXAT"));
	put_ms(w, e.at_ms);
	return REWRITE_OK;
}

// [P]EXPIRE[AT] key time [NX|XX|GT|LT] -> PEXPIREAT key ms when relative
enum rewrite_reason rewrite_expire(const struct call *in, struct rewrite *w)
{
	enum rewrite_kind kind = (enum rewrite_kind)in->c->rewrite;
	struct expiry e = {
		.unit_ms = kind == REWRITE_EXPIRE || kind == REWRITE_EXPIREAT ? 1000 : 1,
		.relative = kind == REWRITE_EXPIRE || kind == REWRITE_PEXPIRE,
	};
	enum rewrite_reason reason = expiry_resolve(&e, in->argv[2], in->rules);
	if (reason)
		return reason;
	expiry_hold(&e, in, w);
	if (expiry_passed(&e, in->rules)) {
		become_del(w, in->argv[1]);
		return REWRITE_OK;
	}
	if (e.relative) {
		begin_as(w, "PEXPIREAT");
		put(w, in->argv[1]);
		put_ms(w, e.at_ms);
	} else {
		for (int i = 0; i < 3; i++)
			put(w, in->argv[i]);
	}
	for (int i = 3; i < in->argc; i++)
		if (!word_among(in->argv[i], key_conditions))
			put(w, in->argv[i]);
	return REWRITE_OK;
}

// H[P]EXPIRE[AT] key time [NX|XX|GT|LT] FIELDS n field ..; the server itself drops what has expired
enum rewrite_reason rewrite_hexpire(const struct call *in, struct rewrite *w)
{
	enum rewrite_kind kind = (enum rewrite_kind)in->c->rewrite;
	struct expiry e = {
		.unit_ms = kind == REWRITE_HEXPIRE || kind == REWRITE_HEXPIREAT ? 1000 : 1,
		.relative = kind == REWRITE_HEXPIRE || kind == REWRITE_HPEXPIRE,
	};
	enum rewrite_reason reason = expiry_resolve(&e, in->argv[2], in->rules);
	if (reason)
		return reason;
	if (e.relative) {
		begin_as(w, "HPEXPIREAT");
		put(w, in->argv[1]);
		put_ms(w, e.at_ms);
	} else {
		for (int i = 0; i < 3; i++)
			put(w, in->argv[i]);
	}
	int rest = 3;
	while (rest < in->argc && word_among(in->argv[rest], key_conditions))
		rest++;
	put_rest(w, in, rest);
	return REWRITE_OK;
}

// The option of GETEX and HGETEX at argv[2] -> NAME key ms, or PERSIST's name and the key.
//
// @param rest  set to the index after it; 0 when there is none and nothing changes
static enum rewrite_reason getex_option(
	const struct call *in, struct rewrite *w, const char *expire, const char *persist,
	struct expiry *e, int *rest)
{
	*rest = 0;
	if (span_caseeq(in->argv[2], "PERSIST")) {
		begin_as(w, persist);
		put(w, in->argv[1]);
		*rest = 3;
		return REWRITE_OK;
	}
	if (!expiry_option(in->argv[2], e))
		return REWRITE_OK;
	if (in->argc < 4)
		return REWRITE_MALFORMED;
	enum rewrite_reason reason = expiry_resolve(e, in->argv[3], in->rules);
	if (reason)
		return reason;
	expiry_hold(e, in, w);
	begin_as(w, expire);
	put(w, in->argv[1]);
	put_ms(w, e->at_ms);
	*rest = 4;
	return REWRITE_OK;
}

// GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]
enum rewrite_reason rewrite_getex(const struct call *in, struct rewrite *w)
{
	struct expiry e = {0};
	int rest = 0;
	enum rewrite_reason reason = REWRITE_OK;
	if (in->argc > 2)
		reason = getex_option(in, w, "PEXPIREAT", "PERSIST", &e, &rest);
	if (!reason && rest && e.unit_ms && expiry_passed(&e, in->rules))
		become_del(w, in->argv[1]);
	return reason;
}

// HGETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] FIELDS n field ..
enum rewrite_reason rewrite_hgetex(const struct call *in, struct rewrite *w)
{
	struct expiry e = {0};
	int rest;
	enum rewrite_reason reason = getex_option(in, w, "HPEXPIREAT", "HPERSIST", &e, &rest);
	if (reason || !rest)
		return reason;
	if (!span_caseeq(in->argv[rest], "FIELDS"))
		return REWRITE_MALFORMED;
	put_rest(w, in, rest);
	return REWRITE_OK;
}

// HSETEX key [FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS n field value ..
enum rewrite_reason rewrite_hsetex(const struct call *in, struct rewrite *w)
{
	static const char *const drop[] = {"FNX", "FXX", NULL};
	int fields = 2;
	while (fields < in->argc && !span_caseeq(in->argv[fields], "FIELDS"))
		fields++;
	put(w, in->argv[0]);
	put(w, in->argv[1]);
	struct expiry e;
	enum rewrite_reason reason = put_options(w, in, 2, fields, drop, &e);
	if (!reason)
		put_rest(w, in, fields);
	return reason;
}

// MSETEX n key value .. [NX|XX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]
enum rewrite_reason rewrite_msetex(const struct call *in, struct rewrite *w)
{
	static const char *const drop[] = {"NX", "XX", NULL};
	struct key_run run;
	if (command_key_run(in->c, in->argv, in->argc, &run) < 0)
		return REWRITE_MALFORMED;
	int options = run.first + run.n * run.step;
	for (int i = 0; i < options; i++)
		put(w, in->argv[i]);
	struct expiry e;
	enum rewrite_reason reason = put_options(w, in, options, in->argc, drop, &e);
	if (!reason && e.unit_ms && expiry_passed(&e, in->rules)) {
		begin_as(w, "DEL");
		for (int i = 0; i < run.n; i++)
			put(w, in->argv[key_run_at(&run, i)]);
	}
	return reason;
}

// RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ f]; a ttl of 0 is no expiry
enum rewrite_reason rewrite_restore(const struct call *in, struct rewrite *w)
{
	bool replace = false, absolute = false;
	for (int i = 4; i < in->argc; i++) {
		replace |= span_caseeq(in->argv[i], "REPLACE");
		absolute |= span_caseeq(in->argv[i], "ABSTTL");
	}
	bool no_expiry = span_eq(in->argv[2], SPAN_LIT("0"));
	struct expiry e = {1, !absolute && !no_expiry};
	enum rewrite_reason reason = expiry_resolve(&e, in->argv[2], in->rules);
	if (reason)
		return reason;
	expiry_hold(&e, in, w);
	if (!no_expiry && expiry_passed(&e, in->rules)) {
		become_del(w, in->argv[1]);
		return REWRITE_OK;
	}
	if (in->argv[0].len == strlen("RESTORE"))
		put(w, in->argv[0]);
	else
		begin_as(w, "RESTORE"); // RESTORE-ASKING
	put(w, in->argv[1]);
	if (e.relative)
		put_ms(w, e.at_ms);
	else
		put(w, in->argv[2]);
	put_rest(w, in, 3);
	if (!replace)
		put(w, SPAN_LIT("REPLACE"));
	if (e.relative && !absolute)
		put(w, SPAN_LIT("ABSTTL"));
	return REWRITE_OK;
}
