// SPDX-License-Identifier: BSD-3-Clause
// jobs_command() -> job_start() -> link_begin() | group_begin() ; jobs_turn() -> berth_retire()
#include "dataplane/jobs.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/group/group.h"
#include "drivers/socket.h"

// Lanes go to the other cores in turn; with one core everything runs in one loop.
static struct core *lane_core(const struct jobs *jobs, unsigned link, unsigned lane)
{
	if (jobs->n_cores == 1)
		return &jobs->cores[0];
	return &jobs->cores[1 + (link + lane) % (jobs->n_cores - 1)];
}

static void link_refuse(struct jobs *jobs, uint32_t index, enum error_id error, const char *text)
{
	struct link_state *state = &jobs->contract->links[index].state;
	shared_text_set(&state->failure, text);
	atomic_store(&state->error, error);
	atomic_store(&state->phase, PHASE_FAILED);
}

// What stands against a link before it has begun. @param why  out: TEXT_LEN bytes, a sentence
static bool link_may_begin(const struct jobs *jobs, const struct link_config *config, char *why)
{
	uint64_t n_lanes = config->settings.lanes;
	if (n_lanes < 1 || n_lanes > LANES_MAX)
		snprintf(why, TEXT_LEN, "lanes is not between 1 and %d", LANES_MAX);
	else if (config->settings.net == NET_DPDK && !jobs->net)
		snprintf(why, TEXT_LEN,
			 "net: dpdk needs a device, and this dataplane was started without one; "
			 "set nic and addr, and start flyoverd again");
	else
		return !group_is_due(config) || shard_link_fits(config, why);
	return false;
}

// A kernel that lacks what the link asks for is no reason to stop: its own choice serves.
static void congestion_look(struct jobs *jobs, uint32_t index, const struct link_config *config)
{
	unsigned asked = (unsigned)config->settings.congestion;
	const char *name = asked == CONGESTION_BBR ? "bbr" : "cubic";
	bool has_sockets = config->source.host[0] || config->target.host[0];
	if (config->settings.net == NET_DPDK || !has_sockets || asked == CONGESTION_AUTO)
		return;
	int rc = socket_congestion_try((enum stream_congestion)asked);
	if (rc)
		core_log(&jobs->cores[0], EVENT_WARN, index,
			 "congestion: the kernel does not give us %s (%s), so its own choice "
			 "serves; try modprobe tcp_%s, and look at "
			 "net.ipv4.tcp_allowed_congestion_control",
			 name, strerror(-rc), name);
}

// ---- One link

// @param turn_of  numbers links and members, so that their lanes begin at different cores
static struct link *link_begin(struct jobs *jobs, struct link_slot *slot, uint32_t index,
			       unsigned turn_of, struct group *group)
{
	struct core *lane_cores[LANES_MAX];
	unsigned n_lanes = (unsigned)slot->config.settings.lanes;
	for (unsigned i = 0; i < n_lanes; i++)
		lane_cores[i] = lane_core(jobs, turn_of, i);
	struct link *link = link_new(&jobs->cores[0], index, slot, lane_cores, n_lanes, group);
	if (!link)
		return NULL;
	shared_text_set(&slot->state.io,
			slot->config.settings.net == NET_DPDK ? jobs->net : jobs->io);
	atomic_store(&slot->state.lanes, n_lanes);
	atomic_store(&slot->state.started_ms, jobs->cores[0].now.wall_ms);
	atomic_store(&slot->state.phase, PHASE_CONNECTING);
	core_add(&jobs->cores[0], link_turn, link);
	for (unsigned i = 0; i < n_lanes; i++)
		core_add(lane_cores[i], lane_turn, &link->lanes[i]);
	return link;
}

static bool cores_settled(const struct jobs *jobs)
{
	for (unsigned i = 0; i < jobs->n_cores; i++)
		if (!core_is_settled(&jobs->cores[i]))
			return false;
	return true;
}

// @return true: nobody is there any more
static bool berth_retire(struct jobs *jobs, struct berth *b)
{
	struct link *link = b->link;
	if (!link)
		return true;
	if (!link_is_over(link))
		return false;
	if (!b->leaving) {
		b->leaving = true;
		core_remove(&jobs->cores[0], link);
		for (unsigned i = 0; i < link->n_lanes; i++)
			core_remove(link->lanes[i].core, &link->lanes[i]);
		return false;
	}
	if (!cores_settled(jobs))
		return false;
	link_free(link);
	*b = (struct berth){0};
	return true;
}

// ---- Members of groups

int jobs_member_find(const struct jobs *jobs)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (!jobs->members[i].link && !jobs->contract->members[i].config.name[0])
			return (int)i;
	return -1;
}

// A core has room for the mail of one link at least while nothing waits for it.
struct link *jobs_member_start(struct jobs *jobs, unsigned member, struct group *group)
{
	struct link_slot *slot = &jobs->contract->members[member];
	if (!cores_settled(jobs))
		return NULL;
	jobs->members[member].link =
		link_begin(jobs, slot, slot->config.of - 1, LINKS_MAX + member, group);
	return jobs->members[member].link;
}

// ---- Groups

static bool group_begin(struct jobs *jobs, uint32_t index)
{
	struct group *group = group_new(jobs, index);
	if (!group)
		return false;
	jobs->groups[index] = group;
	core_add(&jobs->cores[0], group_turn, group);
	return true;
}

// @return true: there is none any more
static bool group_retire(struct jobs *jobs, unsigned index)
{
	struct group *group = jobs->groups[index];
	if (!group)
		return true;
	if (!group_is_over(group))
		return false;
	if (!jobs->group_leaves[index]) {
		jobs->group_leaves[index] = true;
		core_remove(&jobs->cores[0], group);
		return false;
	}
	if (!core_is_settled(&jobs->cores[0]))
		return false;
	group_free(group);
	jobs->groups[index] = NULL;
	jobs->group_leaves[index] = false;
	return true;
}

// ---- What flyoverd asks for

static void job_start(struct jobs *jobs, uint32_t index)
{
	struct link_slot *slot = &jobs->contract->links[index];
	struct link *link = jobs->links[index].link;
	struct group *group = jobs->groups[index];
	char why[TEXT_LEN];
	if (link || group) {
		jobs->again[index] = link ? link_is_over(link) : group_is_over(group);
		return;
	}
	if (!link_may_begin(jobs, &slot->config, why)) {
		link_refuse(jobs, index, ERROR_CONFIG, why);
		return;
	}
	congestion_look(jobs, index, &slot->config);
	bool begun;
	if (group_is_due(&slot->config)) {
		begun = group_begin(jobs, index);
	} else {
		jobs->links[index].link = link_begin(jobs, slot, index, index, NULL);
		begun = jobs->links[index].link;
	}
	if (!begun)
		link_refuse(jobs, index, ERROR_MEMORY, "no memory for the windows of the link");
}

void jobs_command(struct jobs *jobs, const struct command_record *r)
{
	if (r->link >= LINKS_MAX)
		return;
	struct link *link = jobs->links[r->link].link;
	struct group *group = jobs->groups[r->link];
	bool pauses = r->verb == COMMAND_LINK_PAUSE;
	if (r->verb == COMMAND_LINK_START)
		job_start(jobs, r->link);
	else if (link && (pauses || r->verb == COMMAND_LINK_RESUME))
		link_pause(link, pauses);
	else if (link && r->verb == COMMAND_LINK_DRAIN)
		link_drain(link);
	else if (link && r->verb == COMMAND_LINK_STOP)
		link_stop(link);
	else if (group && (pauses || r->verb == COMMAND_LINK_RESUME))
		group_pause(group, pauses);
	else if (group && r->verb == COMMAND_LINK_DRAIN)
		group_drain(group);
	else if (group && r->verb == COMMAND_LINK_STOP)
		group_stop(group);
}

void jobs_turn(struct jobs *jobs)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		berth_retire(jobs, &jobs->members[i]);
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		bool gone = berth_retire(jobs, &jobs->links[i]) & group_retire(jobs, i);
		if (gone && jobs->again[i]) {
			jobs->again[i] = false;
			job_start(jobs, i);
		}
	}
}

void jobs_free(struct jobs *jobs)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (jobs->members[i].link)
			link_free(jobs->members[i].link);
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		if (jobs->links[i].link)
			link_free(jobs->links[i].link);
		if (jobs->groups[i])
			group_free(jobs->groups[i]);
	}
}
