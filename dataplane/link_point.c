// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint of a link: read as it begins, put at most once a second when something has
// changed, at once when it has to be on disk before anything else may happen, and at the end.
#include <errno.h>
#include <stdlib.h>

#include "dataplane/link_priv.h"

#define POINT_EVERY_NS 1000000000ull

static void files_wake(void *core)
{
	core_wake(core);
}

static void point_read(struct link *link)
{
	const struct link_config *config = link->config;
	char *text, why[TEXT_LEN];
	size_t len;
	int rc = file_load(config->state_dir, CHECKPOINT_FILE, CHECKPOINT_LEN_MAX, &text, &len);
	if (rc == -ENOENT)
		return;
	if (rc) {
		link_note(link, EVENT_WARN,
			  "the checkpoint %s/%s cannot be read and is left out: %s",
			  config->state_dir, CHECKPOINT_FILE, strerror(-rc));
		return;
	}
	struct checkpoint *c = &link->point;
	rc = checkpoint_parse(c, (struct span){text, len}, why);
	free(text);
	if (rc)
		link_note(link, EVENT_WARN,
			  "the checkpoint %.80s/%s is damaged and is left out: %.100s",
			  config->state_dir, CHECKPOINT_FILE, why);
	else if (strcmp(c->link, config->name))
		link_note(link, EVENT_WARN,
			  "the checkpoint %.80s/%s is of another link, '%s', and is left out",
			  config->state_dir, CHECKPOINT_FILE, c->link);
	else
		link->point_known = true;
	if (!link->point_known)
		memset(c, 0, sizeof(*c));
}

int link_point_open(struct link *link)
{
	if (!link->config->state_dir[0])
		return 0;
	link->point_text = malloc(CHECKPOINT_LEN_MAX);
	if (!link->point_text)
		return -ENOMEM;
	point_read(link);
	if (link->point_known)
		shared_text_set(&link->slot->state.full_sync, link->point.full_sync);
	return replacer_open(&link->files, link->config->state_dir, files_wake, link->core);
}

void link_point_close(struct link *link)
{
	replacer_close(link->files);
	free(link->point_text);
	link->files = NULL;
	link->point_text = NULL;
}

// Whether every lane has answered a marker since the stream began.
static bool markers_stand(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++) {
		const struct lane *l = &link->lanes[i];
		_Atomic uint64_t *seq = (_Atomic uint64_t *)(l->cluster ? &l->marked_seq
									: &l->done_seq);
		if (atomic_load_explicit(seq, memory_order_relaxed) < link->stream_seq[i])
			return false;
	}
	return true;
}

static void point_fill(struct link *link)
{
	struct checkpoint *c = &link->point;
	const struct route *r = &link->route;
	if (link->stage != LINK_STREAMING && link->stage != LINK_DRAINING)
		return;
	c->frontier = counter_get(&link_counters(link)->frontier_offset);
	c->db = r->db > 0 ? r->db : 0;
	if (link->release_at &&
	    (c->frontier >= link->release_at || place_is_idle(&link->place)))
		c->released = link->release_at;
	c->marked = c->exactly_once && (c->marked || markers_stand(link));
}

void link_point_put(struct link *link)
{
	char text[CHECKPOINT_LEN_MAX];
	if (!link->files || !link->joined)
		return;
	point_fill(link);
	size_t len = checkpoint_text(&link->point, text);
	link->point_at_ns = link->now.mono_ns + POINT_EVERY_NS;
	if (len == link->point_len && !memcmp(text, link->point_text, len))
		return;
	char *copy = malloc(len);
	if (!copy)
		return; // in a second again
	memcpy(copy, text, len);
	memcpy(link->point_text, text, len);
	link->point_len = len;
	replacer_put(link->files, CHECKPOINT_FILE, copy, len);
}

static void failure_tell(struct link *link)
{
	int rc = replacer_error(link->files);
	if (rc && !link->point_failed)
		link_note(link, EVENT_WARN,
			  "the checkpoint in %.120s cannot be written: %s; it is tried again",
			  link->config->state_dir, strerror(-rc));
	link->point_failed = rc;
}

void link_point_turn(struct link *link, uint64_t *deadline_ns)
{
	if (!link->files)
		return;
	if (link->now.mono_ns >= link->point_at_ns && link->joined) {
		failure_tell(link);
		link_point_put(link);
		link_holds_turn(link);
	}
	if (link->joined && link->point_at_ns < *deadline_ns)
		*deadline_ns = link->point_at_ns;
}

bool link_point_settled(struct link *link)
{
	return !link->files || replacer_is_idle(link->files) || replacer_error(link->files);
}
