// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/sentinel.h"

#include <errno.h>

static bool is_text(const struct resp_value *v)
{
	return v->type == RESP_STRING || v->type == RESP_STATUS;
}

static bool node_take(struct span host, struct span port, struct url_node *out)
{
	uint64_t number = span_digits(port);
	if (!host.len || host.len >= sizeof(out->host) || number > UINT16_MAX)
		return false;
	memcpy(out->host, host.p, host.len);
	out->host[host.len] = 0;
	out->port = (uint16_t)number;
	return true;
}

int sentinel_address(const struct resp_value *v, unsigned n, struct url_node *out)
{
	if (v->type == RESP_NIL || (v->type == RESP_ARRAY && !v->elements))
		return -ENOENT;
	if (v->type != RESP_ARRAY || n != 3 || !is_text(&v[1]) || !is_text(&v[2]))
		return -EBADMSG;
	return node_take(v[1].text, v[2].text, out) && out->port ? 0 : -EBADMSG;
}

static bool has_word(struct span flags, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = flags.p, *end = flags.p + flags.len; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t here = (size_t)((comma ? comma : end) - p);
		if (here == len && !memcmp(p, word, len))
			return true;
		p += here + 1;
	}
	return false;
}

static bool flags_are_well(struct span flags)
{
	return !has_word(flags, "s_down") && !has_word(flags, "o_down") &&
	       !has_word(flags, "disconnected");
}

// @param n  nodes from v on
// @return nodes of this row, 0 when it is none
static unsigned row_take(const struct resp_value *v, unsigned n, struct sentinel_row *out)
{
	struct span host = {NULL, 0}, port = {NULL, 0};
	if (!n || v->type != RESP_ARRAY || v->elements >= n || v->elements % 2)
		return 0;
	memset(out, 0, sizeof(*out));
	out->is_well = true;
	for (unsigned i = 1; i < v->elements; i += 2) {
		struct span name = v[i].text, value = v[i + 1].text;
		if (!is_text(&v[i]) || !is_text(&v[i + 1]))
			return 0;
		if (span_eq(name, SPAN_LIT("ip")))
			host = value;
		else if (span_eq(name, SPAN_LIT("port")))
			port = value;
		else if (span_eq(name, SPAN_LIT("flags")))
			out->is_well &= flags_are_well(value);
		else if (span_eq(name, SPAN_LIT("master-link-status")))
			out->is_well &= span_eq(value, SPAN_LIT("ok"));
		else if (span_eq(name, SPAN_LIT("config-epoch")))
			out->config_epoch = span_digits(value);
		else if (span_eq(name, SPAN_LIT("slave-repl-offset")))
			out->offset = span_digits(value);
		else if (span_eq(name, SPAN_LIT("num-other-sentinels")))
			out->n_others = (unsigned)span_digits(value);
		else if (span_eq(name, SPAN_LIT("quorum")))
			out->quorum = (unsigned)span_digits(value);
	}
	return node_take(host, port, &out->at) ? v->elements + 1 : 0;
}

int sentinel_master(const struct resp_value *v, unsigned n, struct sentinel_row *out)
{
	return row_take(v, n, out) == n ? 0 : -EBADMSG;
}

unsigned sentinel_rows(const struct resp_value *v, unsigned n, struct sentinel_row *out,
		       unsigned max)
{
	unsigned n_rows = 0, at = 1;
	if (v->type != RESP_ARRAY)
		return 0;
	for (unsigned i = 0; i < v->elements && n_rows < max && at < n; i++) {
		if (v[at].type != RESP_ARRAY)
			break;
		n_rows += row_take(v + at, n - at, &out[n_rows]) > 0;
		at += v[at].elements + 1; // rows are flat
	}
	return n_rows;
}

bool sentinel_switch(struct span message, const char *name, struct url_node *out)
{
	struct span words[5];
	const char *p = message.p, *end = message.p + message.len;
	for (unsigned i = 0; i < 5; i++) {
		const char *blank = p < end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
		words[i] = (struct span){p, (size_t)((blank ? blank : end) - p)};
		if (!words[i].len || (!blank && i < 4) || (blank && i == 4))
			return false;
		p = blank ? blank + 1 : end;
	}
	return span_eq(words[0], span_of(name)) && node_take(words[3], words[4], out) && out->port;
}
