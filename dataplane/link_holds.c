// SPDX-License-Identifier: BSD-3-Clause
// What a link remembers of held expiries over its own death, see route/hold.h:
//
//   snapshot loaded -> link_holds_saved() -> the stream begins -> ... -> released
//   resumed before that -> link_holds_load() -> lifetimes -> the stream goes on
#include <errno.h>
#include <stdlib.h>

#include "dataplane/link_priv.h"

static void holds_put(struct link *link)
{
	struct holds *h = &link->route.holds;
	char *bytes = NULL;
	size_t len = h->n ? holds_pack(h, &bytes) : 0;
	if (h->n && !len)
		return; // no memory: what is on disk is still right, if perhaps not all
	link->n_holds_saved = h->n;
	replacer_put(link->files, HOLDS_FILE, bytes, len);
}

// Before the first marker of the stream: from then on no full sync would set these keys again.
bool link_holds_saved(struct link *link)
{
	if (!link->files)
		return true;
	if (!link->holds_put) {
		holds_put(link);
		link->holds_put = true;
	}
	if (!link_point_settled(link))
		return false;
	if (!replacer_is_idle(link->files))
		link_note(
			link, EVENT_WARN,
			"held expiries cannot be saved in %.100s: after a crash now, %u keys would "
			"expire a day late",
			link->config->state_dir, link->route.holds.n);
	return true;
}

// A key that was renamed meanwhile is held under another name.
void link_holds_turn(struct link *link)
{
	if (link->stage == LINK_STREAMING && link->route.holds.n > link->n_holds_saved)
		holds_put(link);
}

// @return false when there are none to ask for
bool link_holds_load(struct link *link, uint64_t offset)
{
	struct holds *h = &link->route.holds;
	const struct checkpoint *c = &link->point;
	char *bytes;
	size_t len;
	holds_fini(h);
	link->release_at = 0;
	if (!link->files || file_load(link->config->state_dir, HOLDS_FILE, HOLDS_FILE_LEN_MAX,
				      &bytes, &len))
		return false;
	if (c->released && offset >= c->released) {
		free(bytes);
		replacer_put(link->files, HOLDS_FILE, NULL, 0);
		return false;
	}
	int rc = holds_unpack(h, (struct span){bytes, len});
	free(bytes);
	link->n_holds_saved = h->n;
	if (rc)
		link_note(
			link, EVENT_WARN,
			"the file of held expiries in %.100s is left out: %s; some keys may expire "
			"a day late",
			link->config->state_dir, rc == -EBADMSG ? "it is damaged" : strerror(-rc));
	if (h->n)
		lifetimes_begin(&link->lifetimes, h);
	return h->n;
}

// They were given back, in batches that begin here.
void link_holds_released(struct link *link)
{
	link->release_at = link->route.routed + 1;
}

void link_holds_asked(struct link *link)
{
	const struct lifetimes *l = &link->lifetimes;
	if (l->refusal[0])
		link_note(
			link, EVENT_WARN,
			"held expiries cannot be given back, since the target does not let us ask "
			"for them (ACL SETUSER user +time +pttl): %.100s",
			l->refusal);
	else
		core_log(link->core, EVENT_INFO, link->index,
			 "%u keys still have the expiry that they were held with, %u do not",
			 l->n_kept, l->n_changed);
}
