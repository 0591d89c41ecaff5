// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/clock.h"

#define LOG_FILE_MAX (1 << 20)

const char *log_level_text(enum event_level level)
{
	static const char *const words[] = {"debug", "info", "warn", "error"};
	return level <= EVENT_ERROR ? words[level] : "error";
}

int log_to_file(int dir_fd, const char *name)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_size > LOG_FILE_MAX && ftruncate(fd, 0))
		return -errno;
	int rc = dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

// A text from another process stays one line.
static void line_clean(char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static void line_print(const struct log_line *line)
{
	char stamp[32];
	time_t seconds = (time_t)(line->time_ms / 1000);
	struct tm t;
	gmtime_r(&seconds, &t);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &t);
	fprintf(stderr, "%s.%03uZ %-5s %s %s\n", stamp, (unsigned)(line->time_ms % 1000),
		log_level_text(line->level), line->link[0] ? line->link : "-", line->text);
}

static struct log_line *line_next(struct log *l, uint64_t time_ms, enum event_level level,
				  const char *link)
{
	struct log_line *line = &l->lines[l->n_lines++ % LOG_LINES];
	line->time_ms = time_ms;
	line->level = level;
	snprintf(line->link, sizeof(line->link), "%s", link ? link : "");
	return line;
}

void log_put(struct log *l, enum event_level level, const char *link, const char *format, ...)
{
	struct log_line *line = line_next(l, wall_ms(), level, link);
	va_list args;
	va_start(args, format);
	vsnprintf(line->text, sizeof(line->text), format, args);
	va_end(args);
	line_clean(line->text);
	line_print(line);
}

void log_put_event(struct log *l, const struct event_record *e, const char *link)
{
	struct log_line *line = line_next(l, e->time_ms, (enum event_level)e->level, link);
	memcpy(line->text, e->text, sizeof(line->text));
	line->text[sizeof(line->text) - 1] = 0;
	line_clean(line->text);
	line_print(line);
}
