// SPDX-License-Identifier: BSD-3-Clause
// The values of the keys of a database into an RDB, by PEXPIRETIME and DUMP: thousands are asked
// for at once, as many as their sizes allow, on a connection that carries nothing else. A payload
// goes into the file as it comes, so a value of any size needs no memory here; the source makes it
// as a whole.
//
//   names -> ready -> asked -> expiry -> payload ... -> done
//                ^---------- the source is busy, or the key was made anew
#pragma once

#include "ctrl/dump/dump_priv.h"
#include "ctrl/dump/intake.h"
#include "ctrl/dump/names.h"
#include "ctrl/dump/payload.h"
#include "ctrl/dump/replies.h"

#define ASKED_MAX       4096
#define HARVEST_BUF_LEN (256 * 1024)

struct harvest {
	struct dump *d;
	struct pair naming;   // its source alone: names and sizes
	struct client values;
	struct intake in;     // of the values
	struct can can;
	struct names names;
	struct copy_list ready;
	struct copy_item *asked[ASKED_MAX]; // ring
	unsigned head, n_asked;
	uint64_t asked_bytes; // of values, as their sizes say
	uint64_t paused_until_ms, busy_since_ms; // the source says BUSY; 0: it does not
	struct replies replies;
	bool expiry_came; // of the first one that was asked
	bool again;       // its value cannot be had now
	bool passes_over; // its payload is not wanted
	struct payload payload;
	struct rdb_writer w;
	uint8_t buf[HARVEST_BUF_LEN];
};

// All keys of a database. The connections are open, and nothing is under way.
//
// @return 0 or -1 with the failure of the dump
int harvest_database(struct harvest *h, int db);
