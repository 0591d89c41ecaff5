// SPDX-License-Identifier: BSD-3-Clause
// The links of this flyoverd. Link i lies in slot i of the contract: its configuration is there and
// nowhere else, so a flyoverd that takes over a running dataplane finds it again.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

struct daemon;
struct preflight;

// Bit of a command in link.due.
#define DUE(verb) (1u << (verb))

enum link_want { WANT_NOTHING, WANT_RUN, WANT_PAUSE, WANT_DRAIN, WANT_STOP };

struct link {
	bool used;
	bool replaced; // stopping, to begin again with `next`
	enum link_want want;
	unsigned due;             // bit v: command_verb v is to be sent, in the order of the verbs
	struct link_config *next; // when replaced
	struct preflight *preflight; // NULL: none
	enum error_id forbidden;     // why it is being stopped, ERROR_NONE: for no such reason
	char forbidden_text[TEXT_LEN];
	uint32_t password_stamps[4]; // of the files, see credentials.h
};

struct links {
	struct link links[LINKS_MAX];
};

// Fill from a contract that was taken over.
void links_adopt(struct daemon *d);

// Create and start a link. One of the same name and work that is running stays as it is. replace:
// one of the same name but another work is stopped first. Its network becomes the host's if it says
// auto.
//
// @return index, or -1 with f
int link_create(struct daemon *d, struct link_config *c, bool replace, struct failure *f);

// @return index, or -1 with f
int link_find(const struct daemon *d, const char *name, struct failure *f);

// @return 0, or -1 with f when the link's phase does not allow it
int link_pause(struct daemon *d, unsigned i, struct failure *f);
int link_resume(struct daemon *d, unsigned i, struct failure *f);
int link_drain(struct daemon *d, unsigned i, struct failure *f);
int link_stop(struct daemon *d, unsigned i, struct failure *f);
int link_delete(struct daemon *d, unsigned i, struct failure *f);

// To go on would do damage: the link fails, before it has begun or as soon as it has stopped.
void link_forbid(struct daemon *d, unsigned i, enum error_id id, const char *sentence);

// The phase as a user sees it: a link that is to run is connecting even before the dataplane knows.
enum link_phase link_phase(const struct daemon *d, unsigned i);
bool link_ended(const struct daemon *d, unsigned i); // idle, done or failed
bool links_all_ended(const struct daemon *d);
void links_drain(struct daemon *d);

// Every TICK_MS: send what is due.
void links_tick(struct daemon *d);

// The dataplane died; its contract is still there, we are its only writer now.
void links_orphaned(struct daemon *d);

// Carry everything over into a fresh contract; what was running is to be started again.
void links_move(struct daemon *d, const struct contract *old, struct contract *fresh);

// Every link that should be running has failed for that reason.
void links_fail(struct daemon *d, enum error_id id, const char *sentence);

void links_fini(struct daemon *d);
