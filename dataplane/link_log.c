// SPDX-License-Identifier: BSD-3-Clause
// Where the log helps to go on: what a former process has left of it on disk is a witness of the
// stream's ids, and, when it reaches back to the markers, the first source to read from.
#include <stdio.h>

#include "dataplane/link_priv.h"

// The ids of what is on disk, as a chain.
static void history_chain(const struct log_history *h, struct chain *c)
{
	c->n = 0;
	for (unsigned i = 0; i < h->n; i++)
		chain_rename(c, h->runs[i].replid, h->runs[i].first);
}

// A new id is put on record in both places at once, so either may know it first.
void link_log_witness(struct link *link)
{
	struct chain held, *known = &link->point.chain;
	uint64_t end;
	history_chain(log_history(&link->log), &held);
	if (!held.n)
		return;
	if (!known->n)
		*known = held;
	if (chain_look(&held, chain_newest(known), 0, &end) == CHAIN_UNKNOWN)
		return;
	for (unsigned i = 0; i < held.n; i++)
		if (held.runs[i].first >= end)
			chain_rename(known, held.runs[i].replid, held.runs[i].first);
}

// The id that the log's bytes have at its end, "" when it holds none that can be sought.
static const char *log_id(const struct link *link, struct chain *held)
{
	if (link->source_stays)
		return link->source.replid;
	history_chain(log_history(&link->log), held);
	return chain_newest(held);
}

// Let the log begin where the markers end. @return false when it does not hold that
bool link_log_seek(struct link *link, const struct resume_point *at)
{
	struct log *l = &link->log;
	struct chain held;
	const struct chain *known = &link->point.chain;
	const char *id = log_id(link, &held);
	if (!*id || at->offset > l->tail)
		return false;
	// All that it holds has to be of the history that is gone on with.
	bool same = !strcmp(id, at->replid);
	bool proven = !strcmp(chain_newest(known), at->replid) &&
		      chain_look(known, id, l->tail, NULL) == CHAIN_PROVEN;
	if ((!same && !proven) || log_seek(l, at->offset))
		return false;
	if (!same)
		log_rename(l, at->replid);
	return true;
}

// "from our log on disk, 1.2 GB". @param out  64 bytes
void link_log_text(const struct link *link, char *out)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
	const struct log *l = &link->log;
	double v = (double)(l->tail - link->route.routed);
	unsigned unit = 0;
	for (; v >= 1024 && unit < 4; unit++)
		v /= 1024;
	snprintf(out, 64, "from our log%s, %.*f %s",
		 link->source.was_connected ? "" : " on disk", unit ? 1 : 0, v,
		 units[unit]);
}
