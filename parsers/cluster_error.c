// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/cluster_priv.h"

static bool word_take(struct span *rest, struct span *word)
{
	const char *end = memchr(rest->p, ' ', rest->len);
	*word = (struct span){rest->p, end ? (size_t)(end - rest->p) : rest->len};
	size_t used = word->len + (end ? 1 : 0);
	*rest = (struct span){rest->p + used, rest->len - used};
	return word->len > 0;
}

// "SLOT HOST:PORT"; the host may be empty, "?", or an IPv6 address without brackets.
static bool redirect_read(struct span rest, const struct cluster_asked *asked,
			  struct cluster_redirect *out)
{
	struct span slot, place;
	unsigned number, port;
	memset(out, 0, sizeof(*out));
	if (!word_take(&rest, &slot) || !cluster_number(slot, SLOT_COUNT - 1, &number) ||
	    !word_take(&rest, &place))
		return false;
	const char *colon = memrchr(place.p, ':', place.len);
	if (!colon)
		return false;
	struct span host = {place.p, (size_t)(colon - place.p)};
	struct span digits = {colon + 1, place.len - host.len - 1};
	if (!cluster_number(digits, UINT16_MAX, &port))
		return false;
	if (host.len == 0 && asked)
		host = span_of(asked->host);
	if (host.len >= sizeof(out->host))
		return false;
	out->slot = (uint16_t)number;
	out->port = (uint16_t)port;
	if (!span_eq(host, SPAN_LIT("?")))
		memcpy(out->host, host.p, host.len);
	return true;
}

enum cluster_answer cluster_error_read(struct span error, const struct cluster_asked *asked,
				       struct cluster_redirect *redirect)
{
	static const struct {
		const char *word;
		enum cluster_answer answer;
	} words[] = {
		{"MOVED", CLUSTER_MOVED},         {"ASK", CLUSTER_ASK},
		{"TRYAGAIN", CLUSTER_TRYAGAIN},   {"CLUSTERDOWN", CLUSTER_DOWN},
		{"CROSSSLOT", CLUSTER_CROSSSLOT},
	};
	static const struct span disabled =
		SPAN_LIT("ERR This instance has cluster support disabled");
	if (error.len && error.p[0] == '-')
		error = (struct span){error.p + 1, error.len - 1};
	if (error.len >= disabled.len && !memcmp(error.p, disabled.p, disabled.len))
		return CLUSTER_UNSUPPORTED;
	struct span rest = error, word;
	if (!word_take(&rest, &word))
		return CLUSTER_OTHER;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!span_eq(word, span_of(words[i].word)))
			continue;
		bool redirects = words[i].answer == CLUSTER_MOVED || words[i].answer == CLUSTER_ASK;
		return redirects && !redirect_read(rest, asked, redirect) ? CLUSTER_OTHER
									  : words[i].answer;
	}
	return CLUSTER_OTHER;
}
