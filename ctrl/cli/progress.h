// SPDX-License-Identifier: BSD-3-Clause
// How a job shows how far it is: one live line on a terminal, a plain line every few seconds
// elsewhere, or JSON objects.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style { PROGRESS_LIVE, PROGRESS_PLAIN, PROGRESS_JSON };

struct progress_sample {
	uint64_t time_ms, keys, bytes, commands;
};

struct progress {
	enum progress_style style;
	FILE *out;
	bool line_open; // a live line stands without its end
	char phase[16]; // as last shown
	uint64_t interval_ms;
	uint64_t started_ms, shown_ms;
	uint64_t percent; // as shown
	struct progress_sample last; // about a second old
	double keys_s, bytes_s, commands_s;
};

// Choose the style: JSON when asked for, else by whether the output is a terminal.
//
// @param out          stdout, or stderr where stdout takes the data
// @param interval_ms  how often to show something; 0: as fits the style
void progress_init(struct progress *p, bool json, FILE *out, uint64_t interval_ms, uint64_t now_ms);

// Show a link's status when it is time to, or when its phase has changed.
void progress_show(struct progress *p, const json_t *link, uint64_t now_ms);

// Take the live line away, for something else to be printed.
void progress_clear(struct progress *p);

// Show the end: the last object or the summary.
//
// @param result  "done" or "failed"
// @param link    last status, or NULL when there never was one
// @param error   error object, or NULL
void progress_end(struct progress *p, const json_t *link, const char *result, json_t *error,
		  uint64_t now_ms);
