// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/link_config.h"

// @return bytes read, or -errno; -EFBIG above the limit
static ssize_t file_read(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && len < room) {
		n = read(fd, out + len, room - len);
		len += n > 0 ? (size_t)n : 0;
	}
	int error = errno;
	if (fd >= 0)
		close(fd);
	return n < 0 ? -error : len == room ? -EFBIG : (ssize_t)len;
}

int config_file_read(const char *path, struct config_node **root, struct failure *f)
{
	char why[200];
	char *text = malloc(CONFIG_BYTES_MAX + 1);
	*root = NULL;
	if (!text)
		return failure_set(f, ERROR_MEMORY, "no memory to read %s", path);
	ssize_t n = file_read(path, text, CONFIG_BYTES_MAX + 1);
	int rc = 0;
	if (n < 0) {
		rc = failure_set(f, ERROR_CONFIG, "the configuration %s cannot be read: %s", path,
				 strerror((int)-n));
	} else if (config_parse(text, (size_t)n, root, why, sizeof(why))) {
		rc = failure_set(f, ERROR_CONFIG, "%s, %s", path, why);
	}
	if (n > 0)
		explicit_bzero(text, (size_t)n);
	free(text);
	return rc;
}

int config_file_wrong(const char *path, const struct config_node *at, struct failure *f,
		      const char *format, ...)
{
	char sentence[SENTENCE_LEN / 2];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return failure_set(f, ERROR_CONFIG, "%s, line %u: %s", path, at->line, sentence);
}

const char *config_file_text(const char *path, const struct config_node *n, struct failure *f)
{
	if (n->kind == CONFIG_SCALAR)
		return n->text;
	config_file_wrong(path, n, f, "'%s' takes one value, not a list", n->key ? n->key : "this");
	return NULL;
}

int config_file_link(const char *path, const struct config_node *mapping, struct link_config *c,
		     struct failure *f)
{
	struct failure inner = {0};
	if (mapping->kind != CONFIG_MAPPING)
		return config_file_wrong(path, mapping, f, "a link is a list of 'name: value'");
	for (const struct config_node *n = mapping->child; n; n = n->next) {
		const char *text = config_file_text(path, n, f);
		if (!text)
			return -1;
		if (link_config_set(c, n->key, text, &inner))
			return config_file_wrong(path, n, f, "%s", inner.sentence);
	}
	return 0;
}
