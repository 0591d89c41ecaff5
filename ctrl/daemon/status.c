// SPDX-License-Identifier: BSD-3-Clause
// daemon_status() -> link_status() -> link_numbers()
#include "ctrl/daemon/status.h"

#include <string.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/daemon/link_numbers.h"
#include "ctrl/daemon/preflight.h"
#include "ctrl/endpoint.h"

#define EVENTS_SHOWN 20

static void set_int(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	if (j)
		return j;
	char clean[TEXT_LEN];
	size_t n = 0;
	for (; text[n] && n < sizeof(clean) - 1; n++)
		clean[n] = (uint8_t)text[n] >= 0x80 ? '?' : text[n];
	clean[n] = 0;
	return json_string(clean);
}

// What is parked on disk, over all lives of the link.
static void add_parked(json_t *o, const struct daemon *d, unsigned i)
{
	uint64_t open, settled;
	parked_desk_count(d->parked, i, d->supervisor.shared.contract->links[i].config.state_dir,
			  &open, &settled);
	set_int(o, "parked_open", open);
	set_int(o, "parked_settled", settled);
}

static json_t *shared_json(const struct shared_text *t)
{
	char text[TEXT_LEN];
	shared_text_get(t, text);
	return text_json(text);
}

static json_t *error_json(const struct link_state *state)
{
	uint32_t id = atomic_load(&((struct link_state *)state)->error);
	const struct error_row *row = error_row((enum error_id)id);
	json_t *o = json_object();
	json_object_set_new(o, "name", json_string(row->name));
	set_int(o, "exit_code", (uint64_t)row->exit_code);
	json_object_set_new(o, "sentence", shared_json(&state->failure));
	json_object_set_new(o, "advice", json_string(row->advice));
	return o;
}

static void add_progress(json_t *o, const struct link_numbers *n)
{
	set_int(o, "percent", n->percent);
	set_int(o, "keys", n->keys);
	set_int(o, "commands", n->received);
	set_int(o, "bytes", n->bytes);
	set_int(o, "received_offset", n->received_offset);
	set_int(o, "frontier_offset", n->frontier_offset);
	set_int(o, "lag_bytes", n->lag_bytes);
	set_int(o, "lag_ms", n->lag_ms);
	set_int(o, "received", n->received);
	set_int(o, "applied", n->applied);
	set_int(o, "filtered", n->filtered);
	set_int(o, "parked", n->parked);
	set_int(o, "in_flight", n->in_flight);
	set_int(o, "unfit", n->unfit);
	set_int(o, "degraded", n->degraded);
	json_object_set_new(o, "latency_us",
			    json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)n->p50_us, "p99",
				      (json_int_t)n->p99_us, "p999", (json_int_t)n->p999_us));
}

static json_t *source_json(const struct source_counters *c)
{
	json_t *o = json_object();
#define X(name, type, help) set_int(o, #name, counter_get(&c->name));
	SOURCE_COUNTERS(X)
#undef X
	return o;
}

static json_t *lane_json(const struct lane_counters *c)
{
	json_t *o = json_object();
#define X(name, type, help) set_int(o, #name, counter_get(&c->name));
	LANE_COUNTERS(X)
#undef X
	return o;
}

static void add_counters(json_t *o, const struct link_slot *slot)
{
	unsigned n = atomic_load(&((struct link_slot *)slot)->state.lanes);
	json_t *lanes = json_array();
	for (unsigned i = 0; i < n && i < LANES_MAX; i++)
		json_array_append_new(lanes, lane_json(&slot->lanes[i]));
	json_object_set_new(o, "lanes", lanes);
	json_object_set_new(o, "counters", source_json(&slot->state.counters));
}

static void add_waiting(json_t *o, const struct link_state *state)
{
	uint64_t now = wall_ms(), end = counter_get(&state->wait_deadline_ms);
	json_object_set_new(o, "waiting", shared_json(&state->waiting));
	set_int(o, "wait_left_ms", end > now ? end - now : 0);
}

// One shard of a link whose source is a cluster.
static json_t *shard_json(const struct link_slot *slot)
{
	const struct link_state *state = &slot->state;
	enum link_phase phase = (enum link_phase)atomic_load(&((struct link_state *)state)->phase);
	struct link_numbers n;
	char source[ENDPOINT_TEXT_LEN];
	const char *name = strrchr(slot->config.name, '.');
	endpoint_text(&slot->config.source, source);
	link_numbers_read(slot, phase < PHASE_COUNT ? phase : PHASE_FAILED, wall_ms(), &n);
	json_t *o = json_object();
	json_object_set_new(o, "name", json_string(name ? name + 1 : slot->config.name));
	json_object_set_new(o, "source", text_json(source));
	json_object_set_new(o, "phase", json_string(link_phase_text(phase)));
	add_progress(o, &n);
	add_waiting(o, state);
	json_object_set_new(o, "note", shared_json(&state->note));
	json_object_set_new(o, "resumed", shared_json(&state->resumed));
	json_object_set_new(o, "full_sync", shared_json(&state->full_sync));
	json_object_set_new(o, "replid", shared_json(&state->replid));
	add_counters(o, slot);
	return o;
}

// @return an array, or null when the source is no cluster
static json_t *shards_json(const struct daemon *d, unsigned i)
{
	const struct contract *c = d->supervisor.shared.contract;
	if (c->links[i].config.source.kind != URL_CLUSTER)
		return json_null();
	json_t *list = json_array();
	for (unsigned k = 0; k < MEMBERS_MAX; k++)
		if (c->members[k].config.of == i + 1)
			json_array_append_new(list, shard_json(&c->members[k]));
	return list;
}

json_t *link_status(const struct daemon *d, unsigned i)
{
	const struct link_slot *slot = &d->supervisor.shared.contract->links[i];
	const struct link_state *state = &slot->state;
	enum link_phase phase = link_phase(d, i);
	struct link_numbers n;
	char source[ENDPOINT_TEXT_LEN], target[ENDPOINT_TEXT_LEN];
	endpoint_text(&slot->config.source, source);
	endpoint_text(&slot->config.target, target);
	link_numbers_read(slot, phase, wall_ms(), &n);

	json_t *o = json_object();
	json_object_set_new(o, "name", json_string(slot->config.name));
	json_object_set_new(o, "source", text_json(source));
	json_object_set_new(o, "target", text_json(target));
	json_object_set_new(o, "phase", json_string(link_phase_text(phase)));
	add_progress(o, &n);
	add_parked(o, d, i);
	json_object_set_new(o, "caught_up",
			    json_boolean(atomic_load(&((struct link_state *)state)->caught_up)));
	json_object_set_new(o, "error", phase == PHASE_FAILED ? error_json(state) : json_null());
	add_waiting(o, state);
	json_object_set_new(o, "note", shared_json(&state->note));
	json_object_set_new(o, "delivery", shared_json(&state->delivery));
	json_object_set_new(o, "resumed", shared_json(&state->resumed));
	json_object_set_new(o, "full_sync", shared_json(&state->full_sync));
	json_object_set_new(o, "replid", shared_json(&state->replid));
	json_object_set_new(o, "versions",
			    json_pack("{s:o, s:o}", "source", shared_json(&state->source_version),
				      "target", shared_json(&state->target_version)));
	json_object_set_new(o, "at",
			    json_pack("{s:o, s:o}", "source", shared_json(&state->source_at),
				      "target", shared_json(&state->target_at)));
	json_object_set_new(o, "io", shared_json(&state->io));
	json_object_set_new(o, "disk", shared_json(&state->disk));
	set_int(o, "started_ms", counter_get(&state->started_ms));
	json_object_set_new(o, "shards", shards_json(d, i));
	preflight_status(d, i, o);
	add_counters(o, slot);
	return o;
}

static json_t *network_json(struct contract *c)
{
	json_t *o = json_object(), *counters = json_object();
	json_object_set_new(o, "text", shared_json(&c->network));
	json_object_set_new(o, "trouble", shared_json(&c->network_trouble));
	uint64_t n;
#define X(name, type, help)                                                                        \
	n = 0;                                                                                     \
	for (unsigned i = 0; i < CORES_MAX; i++)                                                   \
		n += counter_get(&c->network_counters[i].name);                                    \
	set_int(counters, #name, n);
	NETWORK_COUNTERS(X)
#undef X
	json_object_set_new(o, "counters", counters);
	return o;
}

// `network` is null while all goes over the kernel's.
static json_t *dataplane_json(const struct daemon *d)
{
	static const char *const stages[] = {"down", "starting", "running", "leaving"};
	const struct supervisor *s = &d->supervisor;
	struct contract *c = s->shared.contract;
	return json_pack("{s:s, s:i, s:i, s:i, s:o}", "state", stages[s->stage], "pid", (int)s->pid,
			 "cores", (int)atomic_load(&c->n_cores), "restarts", (int)s->restarts,
			 "network", c->network.text[0] ? network_json(c) : json_null());
}

static json_t *events_json(const struct log *l)
{
	json_t *list = json_array();
	uint64_t first = l->n_lines > EVENTS_SHOWN ? l->n_lines - EVENTS_SHOWN : 0;
	for (uint64_t i = first; i < l->n_lines; i++) {
		const struct log_line *line = &l->lines[i % LOG_LINES];
		json_t *o = json_object();
		set_int(o, "time_ms", line->time_ms);
		json_object_set_new(o, "level", json_string(log_level_text(line->level)));
		json_object_set_new(o, "link", json_string(line->link));
		json_object_set_new(o, "text", text_json(line->text));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *daemon_status(const struct daemon *d)
{
	static const char *const stages[] = {"running", "draining", "leaving"};
	json_t *o = json_object(), *links = json_array();
	for (unsigned i = 0; i < LINKS_MAX; i++)
		if (d->links.links[i].used)
			json_array_append_new(links, link_status(d, i));
	json_object_set_new(o, "version", json_string(FLYOVER_VERSION));
	json_object_set_new(o, "state", json_string(stages[d->stage]));
	json_object_set_new(o, "state_dir", text_json(d->state.path));
	set_int(o, "started_ms", d->started_ms);
	json_object_set_new(o, "dataplane", dataplane_json(d));
	json_object_set_new(o, "links", links);
	json_object_set_new(o, "events", events_json(&d->log));
	return o;
}
