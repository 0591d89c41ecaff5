// SPDX-License-Identifier: BSD-3-Clause
// What our user may do on a server, found out without doing it: by ACL DRYRUN where that is
// allowed, else by asking for a command in a way that cannot run.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/doctor/facts.h"

// Fill the rights of one side. Of a cluster every node is asked, by a connection of its own; a
// replica may be the master, or be read, in the next moment. Else the connection may be of no use
// afterwards: the target's may be left inside a MULTI. Close it.
//
// @param c  connected to e
// @return   0, or -1 when the connection failed
int rights_ask(struct client *c, const struct endpoint *e, struct server_facts *s, bool as_target);

// Judge one answer to a command that was only asked for.
void rights_judge(struct rights_facts *r, unsigned verb, bool of_marker,
		  const struct resp_value *v);
