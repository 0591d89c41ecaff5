// SPDX-License-Identifier: BSD-3-Clause
// The functions behind the verbs of `flyover`. Each returns 0, or -1 with f.
#pragma once

#include "ctrl/cli/options.h"

int verb_sync(const struct options *o, struct failure *f);
int verb_scan(const struct options *o, struct failure *f);
int verb_dump(const struct options *o, struct failure *f);
int verb_restore(const struct options *o, struct failure *f);
int verb_check(const struct options *o, struct failure *f);
int verb_decode(const struct options *o, struct failure *f);
int verb_doctor(const struct options *o, struct failure *f);
int verb_status(const struct options *o, struct failure *f);
int verb_top(const struct options *o, struct failure *f);
int verb_link_create(const struct options *o, struct failure *f);
int verb_link_list(const struct options *o, struct failure *f);
int verb_link_show(const struct options *o, struct failure *f);
int verb_link_pause(const struct options *o, struct failure *f);
int verb_link_resume(const struct options *o, struct failure *f);
int verb_link_drain(const struct options *o, struct failure *f);
int verb_link_delete(const struct options *o, struct failure *f);
int verb_parked_list(const struct options *o, struct failure *f);
int verb_parked_show(const struct options *o, struct failure *f);
int verb_parked_retry(const struct options *o, struct failure *f);
int verb_parked_drop(const struct options *o, struct failure *f);
int verb_debug_trace(const struct options *o, struct failure *f);
int verb_metrics(const struct options *o, struct failure *f);
int verb_version(const struct options *o, struct failure *f);
