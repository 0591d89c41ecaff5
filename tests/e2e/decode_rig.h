// SPDX-License-Identifier: BSD-3-Clause
// Runs of `flyover decode`, and what is done with what it prints.
#pragma once

#include "tests/e2e/harness.h"

// @param ...  options, NULL. @return the process, which has ended
static inline struct process *decode(struct world *w, const char *file, int code, ...)
{
	const char *arguments[16] = {text("%s/flyover", build_dir()), "decode", file};
	unsigned n = 3;
	va_list ap;

	va_start(ap, code);
	for (const char *a; (a = va_arg(ap, const char *)); n++)
		arguments[n] = a;
	va_end(ap);
	struct process *p = process_start(w, "decode", arguments, NULL);
	int got = process_wait(p);

	if (got != code) {
		char *said = process_stderr(p);
		fail_msg("exit code %d, not %d: %s", got, code, said);
	}
	return p;
}

// Send a file of commands, and see every one accepted. @return how many there were
static inline unsigned commands_send(struct server *s, const char *path)
{
	redisContext *c = server_connect(s);
	size_t len;
	char *bytes = file_read(path, &len);
	unsigned n = 0;

	assert_non_null(c);
	assert_non_null(bytes);
	redisAppendFormattedCommand(c, bytes, len);
	redisAppendCommand(c, "ECHO the-end-of-it");
	for (bool ended = false; !ended; n++) {
		redisReply *r;

		assert_int_equal(redisGetReply(c, (void **)&r), REDIS_OK);
		if (r->type == REDIS_REPLY_ERROR)
			fail_msg("command %u: %s", n, r->str);
		ended = r->type == REDIS_REPLY_STRING && !strcmp(r->str, "the-end-of-it");
		freeReplyObject(r);
	}
	redisFree(c);
	free(bytes);
	return n - 1;
}

// A pending entry whose message was deleted cannot be made by commands: XCLAIM passes it over. The
// rewrite of the server's own AOF loses it, too.
static inline void deleted_pending_acknowledge(struct server *s)
{
	static const int databases[] = {0, 3, 9, 15};

	for (unsigned i = 0; i < 4; i++) {
		select_db(s, databases[i]);
		assert_int_equal(ask_number(s, "XACK stream:groups first 3-0 4-1"), 2);
	}
	select_db(s, 0);
}

static inline void assert_stdout(struct process *p, const char *expected)
{
	char *out = process_stdout(p);

	assert_string_equal(out, expected);
	free(out);
}

static inline void assert_sentence(struct process *p, const char *part)
{
	char *said = process_stderr(p);

	if (!strstr(said, part) || strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("'%s' does not say '%s' in one sentence", said, part);
	free(said);
}
