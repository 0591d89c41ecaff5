// SPDX-License-Identifier: BSD-3-Clause
// What the files of a link share: link.c (life and turn), link_resume.c (where it
// goes on), link_point.c (checkpoint), link_log.c,
// link_refill.c (from disk), link_holds.c, link_load.c (snapshot), link_show.c.
#pragma once

#include "dataplane/link.h"

// link.c
struct source_counters *link_counters(struct link *link);
void link_fail(struct link *link, enum error_id error, const char *text);
void link_streaming_begins(struct link *link);

// link_resume.c
void link_look(struct link *link, const char *why);
void link_opening_turn(struct link *link);
void link_join(struct link *link, bool resumes);
void link_renamed(struct link *link);
void link_rename(struct link *link, const char *replid, uint64_t offset);
void link_rename_turn(struct link *link);
void link_full_reason(struct link *link);
void link_take_up(struct link *link);

// link_log.c: where the log helps to go on
void link_log_witness(struct link *link);
bool link_log_seek(struct link *link, const struct resume_point *at);
void link_log_text(const struct link *link, char *out);

// link_point.c: the checkpoint
int link_point_open(struct link *link);
void link_point_close(struct link *link);
void link_point_turn(struct link *link, uint64_t *deadline_ns);
void link_point_put(struct link *link);
bool link_point_settled(struct link *link); // on disk, or cannot be

// link_refill.c: an empty target is filled from the disk
bool link_refill(struct link *link);
void link_refill_keep(struct link *link);
int link_refill_end(struct link *link);

// link_holds.c: held expiries
bool link_holds_saved(struct link *link);
void link_holds_turn(struct link *link);
bool link_holds_load(struct link *link, uint64_t offset);
void link_holds_released(struct link *link);
void link_holds_asked(struct link *link);
int link_holds_release(struct link *link, uint64_t asked_ms);
void link_holds_look(struct link *link);
void link_behind(struct link *link);

// link_load.c. @return of the turn: more to do at once
void link_snapshot_starts(struct link *link);
void link_loading_begins(struct link *link, bool sweeps);
void link_full_sync_tell(struct link *link);
bool link_loading_turn(struct link *link);
void link_stream_starts(struct link *link);

// link_show.c
void link_publish(struct link *link);
void link_log(struct link *link, enum event_level level, const char *text);
void link_note(struct link *link, enum event_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// link_cluster.c: nothing of it does anything unless the target is a cluster
int link_cluster_init(struct link *link); // @return 0, or -1
void link_cluster_fini(struct link *link);
void link_cluster_turn(struct link *link, uint64_t *deadline_ns);
// What begins before an offset may have been sent by a former life. UINT64_MAX: not known yet
void link_cluster_again(struct link *link, uint64_t until);

// What it waits for, "" for nothing.
const char *link_cluster_waiting(const struct link *link);
