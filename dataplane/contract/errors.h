// SPDX-License-Identifier: BSD-3-Clause
// Every way a link or a job can end, one row each: name, exit code of the CLI, and the advice that
// follows the particular sentence. Rows are appended, never reordered: the number crosses the
// shared memory.
//
// Exit codes: 0 done, 1 ran and failed, 2 usage, 3 bad configuration or URL, 4 cannot connect or
// not permitted.
#pragma once

#define ERRORS(X)                                                                                  \
	X(NONE, 0, "")                                                                             \
	X(USAGE, 2, "see `flyover help`")                                                          \
	X(URL, 3, "a URL looks like redis://[user[:password]@]host[:port][/db]")                   \
	X(CONFIG, 3, "correct the setting named above")                                            \
	X(STATE_DIR, 3, "give a folder of its own with --state-dir")                               \
	X(RESOLVE, 4, "check the host name and the name server")                                   \
	X(CONNECT, 4, "check that the server runs and that host, port and firewall are right")     \
	X(AUTH, 4,                                                                                 \
	  "check user and password (or FLYOVER_SOURCE_PASSWORD / FLYOVER_TARGET_PASSWORD)")        \
	X(NOPERM, 4, "`flyover help rights` prints what users need")                               \
	X(NOT_REDIS, 4, "check that host and port are those of a Redis or Valkey server")          \
	X(PSYNC_REFUSED, 4, "allow PSYNC and REPLCONF to this user, or use `flyover scan`")        \
	X(DEADLINE, 4, "look at the server's own log, then start the link again")                  \
	X(RDB_CORRUPT, 1, "check the source with redis-check-rdb and its memory and disk")         \
	X(RDB_UNSUPPORTED, 1, "this version of Flyover cannot read that value")                    \
	X(STREAM_GARBAGE, 1, "the source sent bytes that are not RESP; check what sits between")   \
	X(REPLY_GARBAGE, 1, "the target sent bytes that are not RESP; check what sits between")    \
	X(COMMAND_TOO_LONG, 1, "raise memory-window above the size named and start again")         \
	X(TARGET_REFUSES, 1, "the target refuses what the source has; compare their versions")     \
	X(TARGET_READONLY, 4, "point the link at a master")                                        \
	X(DATAPLANE_DIED, 1, "the fast path ended by itself; its last words stand above")          \
	X(MEMORY, 1, "lower memory-window or give the host more memory")                           \
	X(DIFFERENT, 1, "")                                                                        \
	X(DISK, 1, "free space or mend the disk under the state folder, then start again")         \
	X(MARKER, 1, "another writer holds this target; stop it, or give this link its own name")  \
	X(INTERNAL, 1, "this is a defect in Flyover; please report it with the sentence above")    \
	X(INTERRUPTED, 1, "start the same command again: it goes on where the markers are")        \
	X(LINK_STATE, 1, "")                                                                       \
	X(LINK_UNKNOWN, 3, "`flyover link list` shows the links")                                  \
	X(FILE, 3, "give a file that exists, or - for the standard input")                         \
	X(FILE_RIGHTS, 4, "give yourself the right to it")                                         \
	X(FILE_DAMAGED, 1, "what stands before is decoded; take the file from its server again")   \
	X(OUTPUT, 1, "free space, or name another place with -o")                                  \
	X(AOF_PARTS, 1,                                                                            \
	  "give the folder as its server keeps it: one manifest, and every file it names")         \
	X(UNTIL_TIME, 1, "name a later time, or take an older backup")                             \
	X(OUTPUT_EXISTS, 3, "name another file with -o")                                           \
	X(CUT_SHORT, 1, "nothing was kept; start the same command again")                          \
	X(SOURCE_REFUSES, 1, "compare what was asked for with what this source is and has")        \
	X(RESTORE_FILE, 3, "give an .rdb or .aof file, or an appendonlydir, that exists")          \
	X(RESTORE_DAMAGED, 1,                                                                      \
	  "nothing was written to the target; take the file from its server again")                \
	X(RESTORE_CHANGED, 1, "restore a copy of it that nobody writes")                           \
	X(RESTORE_AGAIN, 1,                                                                        \
	  "its commands would be applied twice: empty the target, or say --extra-keys=delete")     \
	X(RESTORE_KEYS, 1,                                                                         \
	  "restore into an empty one, or say --extra-keys=delete (it becomes as the file is) or "  \
	  "--extra-keys=keep")                                                                     \
	X(DEVICE, 4, "`flyover doctor --nic=DEVICE` looks at it")                                  \
	X(TLS, 4, "`flyover help sync` lists the settings of TLS")                         \
	X(DATABASE, 3,                                                                             \
	  "name the database to be synced in the source's URL, or say --db-map=FROM:TO")   \
	X(SENTINEL, 4, "`redis-cli -p 26379 SENTINEL MASTERS` lists the names that one knows")

enum error_id {
#define X(name, exit_code, advice) ERROR_##name,
	ERRORS(X)
#undef X
	ERROR_COUNT
};

struct error_row {
	const char *name;   // upper case, stable, shown by --json
	int exit_code;
	const char *advice; // what to do, follows the sentence; "" when the sentence says it
};

// @param id  one of enum error_id
// @return    its row; never NULL for a valid id
const struct error_row *error_row(enum error_id id);
