// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jansson.h>

#include "parsers/url.h"

int secret_read_file(const char *path, char *out, size_t out_len, struct failure *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, out_len - 1);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return failure_set(f, ERROR_CONFIG, "the password file %s cannot be read: %s", path,
				   strerror(error));
	out[n] = 0;
	size_t len = strcspn(out, "\r\n");
	if (len + 1 >= out_len)
		return failure_set(f, ERROR_CONFIG, "the password in %s is longer than %zu bytes",
				   path, out_len - 2);
	if (len == 0)
		return failure_set(f, ERROR_CONFIG,
				   "the first line of the password file %s is empty", path);
	explicit_bzero(out + len, (size_t)n - len);
	return 0;
}

int secret_take_env(const char *name, char *out, size_t out_len, struct failure *f)
{
	char *text = getenv(name);
	out[0] = 0;
	if (!text || !*text)
		return 0;
	size_t len = strlen(text);
	if (len >= out_len)
		return failure_set(f, ERROR_CONFIG, "the password in %s is longer than %zu bytes",
				   name, out_len - 1);
	memcpy(out, text, len + 1);
	explicit_bzero(text, len);
	unsetenv(name);
	return 1;
}

void secret_forbid_core(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	// Nor into those of a handler that the limit does not bind, nor to whoever reads /proc. The
	// sanitizers' leak check has to trace us.
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

const char *secret_hide(const char *word, char *out)
{
	struct span secret = url_secret(span_of(word));
	if (secret.len)
		snprintf(out, WORD_SHOWN_LEN, "%.*s***%s", (int)(secret.p - word), word,
			 secret.p + secret.len);
	else
		snprintf(out, WORD_SHOWN_LEN, "%s", word);
	return out;
}

static void block_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void secret_wipe_json(void)
{
	json_set_alloc_funcs(malloc, block_free);
}

void secret_hide_args(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct span secret = url_secret(span_of(argv[i]));
		if (secret.len)
			memset(argv[i] + (secret.p - argv[i]), '*', secret.len);
	}
}
