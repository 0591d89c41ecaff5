// SPDX-License-Identifier: BSD-3-Clause
// What our user may do on a server, found out without doing it: by ACL DRYRUN where that is
// allowed, else by asking for a command in a way that cannot run.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/doctor/facts.h"

// Fill the source's rights: PSYNC and REPLCONF. The connection may be of no use afterwards.
//
// @return 0, or -1 when the connection failed
int rights_source(struct client *c, struct server_facts *s);

// Fill the target's rights: every command that a link or the stream sends is put into a MULTI that
// cannot be executed and is then discarded; a server judges rights before it queues. The connection
// may be left inside that MULTI: close it. Of a cluster nothing is asked, and nothing known.
//
// @return 0, or -1 when the connection failed
int rights_target(struct client *c, struct server_facts *s);

// Judge one answer to a command that was only asked for.
void rights_judge(struct server_facts *s, unsigned verb, bool of_marker,
		  const struct resp_value *v);
