// SPDX-License-Identifier: BSD-3-Clause
// With $FLYOVER_TEST_RIGHTS every server has the user `flyover`, with the rights of both lines of
// `flyover help rights sync` and no others, and its URL logs in as that one.
#include "tests/e2e/harness.h"

static const char *const lines[] = {
	"\nsource:\n  ACL SETUSER flyover reset on ",
	"\ntarget:\n  ACL SETUSER flyover reset on ",
};

// What the help says, read once.
static const char *help_text(void)
{
	static char said[16384];

	if (said[0])
		return said;
	FILE *pipe = popen(text("%s/flyover help rights sync", build_dir()), "r");
	assert_non_null(pipe);
	said[fread(said, 1, sizeof(said) - 1, pipe)] = 0;
	assert_int_equal(pclose(pipe), 0);
	return said;
}

bool server_has_user(void)
{
	return getenv("FLYOVER_TEST_RIGHTS") != NULL;
}

unsigned server_user_options(const char **argv)
{
	unsigned n = 0;

	argv[n++] = "--user";
	argv[n++] = "flyover";
	argv[n++] = "on";
	argv[n++] = ">pw";
	// The target's first: '-@dangerous' takes away what stands before it.
	for (unsigned i = 2; i-- > 0;) {
		const char *line = strstr(help_text(), lines[i]);
		assert_non_null(line);
		line = strstr(line, "'>PASSWORD' ") + strlen("'>PASSWORD' ");
		for (const char *word = line, *end = strchr(line, '\n'); word < end;) {
			size_t len = strcspn(word, " \n");
			bool quoted = *word == '\'';
			argv[n++] = text("%.*s", (int)len - 2 * quoted, word + quoted);
			word += len + 1;
		}
	}
	return n;
}

const char *server_default_url(const struct server *s)
{
	const char *at = strrchr(s->url, '@');
	return at ? text("redis://%s", at + 1) : s->url;
}

// What was denied, but for the doctor's question whether it may ask for a dry run.
void server_user_judge(struct server *s)
{
	redisContext *c = process_has_ended(s->process) ? NULL : server_connect(s);
	redisReply *log = c ? redisCommand(c, "ACL LOG") : NULL;

	for (size_t i = 0; log && i < log->elements; i++) {
		const char *object = log->element[i]->element[7]->str;
		const char *user = log->element[i]->element[9]->str;
		if (!strcmp(user, "flyover") && strcmp(object, "acl|dryrun"))
			fail_msg("%s denied %s to the user of `flyover help rights sync`", s->name,
				 object);
	}
	if (log)
		freeReplyObject(log);
	redisFree(c);
}
