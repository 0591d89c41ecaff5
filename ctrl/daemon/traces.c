// SPDX-License-Identifier: BSD-3-Clause
// traces_tick() -> trouble_keep() -> view_write(), files_bound() ; verb_trace() -> flow_json() ->
// line_json()
#include "ctrl/daemon/traces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/daemon/daemon.h"
#include "ctrl/trace_time.h"

#define FOLDER     "traces"
#define FILE_END   ".trace"
#define LINES_SAID 100

static struct trace_zone *zone_of(const struct daemon *d)
{
	return &d->supervisor.shared.contract->traces;
}

// The name of the link that a flow serves, or NULL.
static const char *link_name(const struct daemon *d, const struct trace_flow *flow)
{
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	for (unsigned i = 0; flow->link != TRACE_NO_LINK && i < LINKS_MAX; i++)
		if (d->links.links[i].used && slots[i].config.source.link == flow->link)
			return slots[i].config.name;
	return NULL;
}

// From the clock of the records to that of people, both in us.
static uint64_t wall_offset_us(void)
{
	struct timespec mono, wall;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)(wall.tv_sec - mono.tv_sec) * 1000000 +
	       (uint64_t)((wall.tv_nsec - mono.tv_nsec) / 1000);
}

// ---- Files ------------------------------------------------------------------------------------

static void view_write(const struct trace_view *v, const char *link, FILE *out)
{
	char local[64], remote[64], text[TRACE_TEXT_LEN], when[TRACE_TIME_LEN];
	uint64_t offset = wall_offset_us();
	trace_address(&v->flow, false, local);
	trace_address(&v->flow, true, remote);
	fprintf(out, "# %s > %s, link %s, %llu records, times in UTC\n", local, remote,
		link ? link : "-", (unsigned long long)v->written);
	for (unsigned i = 0; i < v->n; i++) {
		trace_text(&v->lines[i], text);
		fprintf(out, "%s %s\n", trace_time(v->lines[i].time_us + offset, when), text);
	}
}

static int is_trace(const struct dirent *e)
{
	size_t len = strlen(e->d_name), end = strlen(FILE_END);
	return len > end && !strcmp(e->d_name + len - end, FILE_END);
}

// Names begin with their time, so the first are the oldest.
static void files_bound(int folder)
{
	struct dirent **names;
	int n = scandirat(folder, ".", &names, is_trace, alphasort);
	for (int i = 0; i < n; i++) {
		if (i < n - TRACE_FILES_MAX)
			unlinkat(folder, names[i]->d_name, 0);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

// @param name  out, TRACE_FILE_NAME_LEN bytes: time and peer
static void file_name(const struct trace_view *v, unsigned slot, char *name)
{
	char remote[64], stamp[24];
	uint64_t now_ms = wall_ms();
	time_t now = (time_t)(now_ms / 1000);
	struct tm t;
	gmtime_r(&now, &t);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &t);
	trace_address(&v->flow, true, remote);
	for (char *c = remote; *c; c++)
		if (strchr("[]:", *c))
			*c = '_';
	snprintf(name, TRACE_FILE_NAME_LEN, "%s.%03u-%s-%u" FILE_END, stamp,
		 (unsigned)(now_ms % 1000), remote, slot);
}

// @return 0 or -errno
static int file_write(const struct trace_view *v, const char *link, int folder, const char *name)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return -errno;
	view_write(v, link, out);
	return fclose(out) ? -errno : 0;
}

// @return a descriptor, or -errno
static int folder_open(const struct state_dir *s)
{
	if (mkdirat(s->fd, FOLDER, 0700) && errno != EEXIST)
		return -errno;
	int fd = openat(s->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

// The last thing that went wrong, as a line.
static void trouble_text(const struct trace_view *v, char *out)
{
	snprintf(out, TRACE_TEXT_LEN, "it is gone already");
	for (unsigned i = v->n; i-- > 0;)
		if (v->lines[i].kind == TRACE_FAILED || v->lines[i].kind == TRACE_RTO) {
			trace_text(&v->lines[i], out);
			return;
		}
}

static void trouble_tell(struct daemon *d, const char *name, int rc)
{
	const struct trace_view *v = &d->traces.view;
	char remote[64], text[TRACE_TEXT_LEN];
	trace_address(&v->flow, true, remote);
	trouble_text(v, text);
	if (rc)
		log_put(&d->log, EVENT_WARN, link_name(d, &v->flow),
			"the connection to %s: %s; its trace cannot be kept: %s", remote, text,
			strerror(-rc));
	else
		log_put(&d->log, EVENT_WARN, link_name(d, &v->flow),
			"the connection to %s: %s; its trace is in " FOLDER "/%s", remote, text,
			name);
}

// The ring of a flow goes to a file, in the place of an earlier one of the same flow.
static void trouble_keep(struct daemon *d, unsigned slot)
{
	struct trace_view *v = &d->traces.view;
	uint32_t life = atomic_load(&zone_of(d)->rings[slot].life);
	char name[TRACE_FILE_NAME_LEN];
	if (trace_read(zone_of(d), slot, v))
		return;
	file_name(v, slot, name);
	int folder = folder_open(&d->state);
	int rc = folder < 0 ? folder : file_write(v, link_name(d, &v->flow), folder, name);
	if (rc == 0) {
		bool same = d->traces.flows[slot].life == life && d->traces.flows[slot].file[0];
		if (same)
			unlinkat(folder, d->traces.flows[slot].file, 0);
		files_bound(folder);
		d->traces.flows[slot].life = life;
		memcpy(d->traces.flows[slot].file, name, sizeof(name));
	}
	if (folder >= 0)
		close(folder);
	trouble_tell(d, name, rc);
}

void traces_adopt(struct daemon *d)
{
	for (unsigned i = 0; i < TRACE_FLOWS_MAX; i++) {
		d->traces.flows[i].alarms = atomic_load(&zone_of(d)->alarms[i]);
		d->traces.flows[i].file[0] = 0;
	}
}

void traces_tick(struct daemon *d)
{
	for (unsigned i = 0; i < TRACE_FLOWS_MAX; i++) {
		uint32_t alarms =
			atomic_load_explicit(&zone_of(d)->alarms[i], memory_order_acquire);
		if (alarms == d->traces.flows[i].alarms)
			continue;
		d->traces.flows[i].alarms = alarms;
		trouble_keep(d, i);
	}
}

// ---- The API ----------------------------------------------------------------------------------

static json_t *line_json(const struct trace_line *line, uint64_t offset_us)
{
	char text[TRACE_TEXT_LEN], name[16];
	unsigned at = 0;
	uint32_t value;
	trace_text(line, text);
	json_t *o = json_pack("{s:I, s:s, s:s}", "time_us", (json_int_t)(line->time_us + offset_us),
			      "kind", trace_word(line->kind), "text", text);
	while (trace_number(line, &at, name, sizeof(name), &value))
		json_object_set_new(o, name, json_integer(value));
	return o;
}

static json_t *flow_json(const struct trace_view *v, unsigned slot, const char *link,
			 uint64_t limit)
{
	char local[64], remote[64];
	uint64_t offset = wall_offset_us();
	json_t *lines = json_array();
	for (unsigned i = v->n > limit ? v->n - (unsigned)limit : 0; i < v->n; i++)
		json_array_append_new(lines, line_json(&v->lines[i], offset));
	trace_address(&v->flow, false, local);
	trace_address(&v->flow, true, remote);
	return json_pack("{s:i, s:s?, s:s, s:s, s:b, s:I, s:o}", "slot", (int)slot, "link", link,
			 "local", local, "remote", remote, "open", v->is_open, "records",
			 (json_int_t)v->written, "lines", lines);
}

json_t *verb_trace(struct daemon *d, const json_t *request, struct failure *f)
{
	const char *name = json_string_value(json_object_get(request, "link"));
	const json_t *limit = json_object_get(request, "limit");
	uint64_t most = limit ? (uint64_t)json_integer_value(limit) : LINES_SAID;
	const struct link_slot *slots = d->supervisor.shared.contract->links;
	bool all = !name || !strcmp(name, "all");
	struct trace_view *v = &d->traces.view;
	int link = all ? 0 : link_find(d, name, f);
	if (link < 0)
		return NULL;
	uint32_t number = all ? 0 : slots[link].config.source.link;
	json_t *flows = json_array();
	for (unsigned i = 0; i < TRACE_FLOWS_MAX; i++)
		if (trace_read(zone_of(d), i, v) == 0 && (all || v->flow.link == number))
			json_array_append_new(flows, flow_json(v, i, link_name(d, &v->flow), most));
	return json_pack("{s:o}", "flows", flows);
}
