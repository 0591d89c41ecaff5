// SPDX-License-Identifier: BSD-3-Clause
// A script of segments in virtual time: what a peer and the application do to a connection, and
// what it is to answer, each line with its time in seconds.
//
//   set rto-min 300ms                     # a setting, before the first event
//   0.000  connect                        # or listen: the first SYN then opens
//   0.000  > S 0:0 win 65535 <mss 1460>   # it is to send that now
//   0.100  < S. 0:0 ack 1 win 1000        # it receives that
//   +0     > . 1:1 ack 1                  # + counts from the line before
//   +0     write 3000                     # = N: what that is to return; default: all
//   +0.2~+0.3  > P. 1:1001 ack 1          # between these times; + goes on from when it came
//   +1     silence                        # up to then nothing was sent but what stands above
//
// Sequence numbers count from the initial ones, so data begin at 1. Flags are tcpdump's: S F R P .
// U, and W E for ECN; a P that is not written is not looked at. What a line leaves out is not
// compared (of ours), or is what it was in the line before (of the peer's: window; timestamps go
// along by themselves once they were agreed on; <nots> leaves them out).
//
// Options: mss N, wscale N, sackOK, TS val N ecr N, sack A:B ...; TS of ours are ms since the
// beginning, * is any. With <> of ours there are those options and no others.
//
//   established [win N] <options>                  an active open, 0.1 s long, is just over
//   write N, read N, shutdown, close, abort        the application; read checks the bytes too
//   icmp refused|unreachable|mtu N [seq N]         of a segment of ours; default: SND.UNA
//   refuse N                                       the device has no room for the next N segments
//   state S, error E, events A|B, check NAME OP N  what is to hold: tcp_state() .. tcp_info()
//   stray < ...                                    of a connection that there is not
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/tcp/tcp.h"

#define SCRIPT_WORDS_MAX 48

// A line of a script, cut into words.
struct script_line {
	unsigned number;
	char text[512];
	uint64_t from_ns, to_ns; // since the beginning; to_ns > from_ns: a range
	bool has_time;
	unsigned n;
	const char *words[SCRIPT_WORDS_MAX];
	char copy[512];
};

// A segment as a script writes it: numbers count from the initial ones.
struct script_segment {
	uint8_t flags; // enum tcp_flag
	uint32_t seq, len;
	bool has_ack, has_window, has_options;
	uint32_t ack;
	uint16_t window;
	bool no_time, any_val, any_ecr;
	bool has_time_words; // TS val .. ecr .. stands there
	struct tcp_options options;
};

// Read the next line that holds anything.
//
// @param before  the line before, for times that count from it; NULL: the first
// @return 1, 0 at the end, -1: not to be understood; why in *wrong
int script_read(FILE *f, struct script_line *line, const struct script_line *before,
		const char **wrong);

// Words from `at` on as a segment. @return NULL, or what is wrong
const char *script_segment_read(const struct script_line *line, unsigned at,
				struct script_segment *out);

// "200ms", "64KB", "yes", "0x10". @return false: no number
bool script_number(const char *text, uint64_t *out);

// Run a whole script.
//
// @param iss, irs  initial sequence numbers of ours and of the peer
// @param kinds     in and out: bits of enum trace_kind, those of which the trace has told are added
// @return whether all was as it says; else it has told on stderr
bool script_run(const char *path, uint32_t iss, uint32_t irs, uint64_t *kinds);
