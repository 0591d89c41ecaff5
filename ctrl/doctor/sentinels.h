// SPDX-License-Identifier: BSD-3-Clause
// What our user may do at sentinels. Those of a URL, and those that they know of, are asked one
// after the other for what a link asks them.
#pragma once

#include "ctrl/doctor/facts.h"

// Fill s->sentinels. What cannot be asked is said there.
//
// @param e         of kind URL_SENTINEL, else nothing is asked
// @param replicas  the link asks for these too
void sentinels_ask(const struct endpoint *e, bool replicas, struct server_facts *s);
