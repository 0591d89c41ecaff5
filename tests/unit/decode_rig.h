// SPDX-License-Identifier: BSD-3-Clause
// RDB bytes made here, and what `flyover decode` prints of them.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctrl/decode/decode.h"
#include "ctrl/decode/report.h"
#include "parsers/rdb_write.h"
#include "tests/unit/test.h"

#define FILE_CAP (24 * 1024 * 1024)

struct shown {
	char *text;
	size_t len;
	int rc;
	struct failure f;
	struct decode d;
};

static char rdb[FILE_CAP];
static struct rdb_writer w;

static inline void file_begin(const char *magic)
{
	rdb_write_init(&w, rdb, sizeof(rdb), NULL, NULL);
	rdb_write_bytes(&w, span_of(magic));
	w.version = 9; // so that it writes a checksum
}

static inline struct span file_end(void)
{
	assert_int_equal(rdb_write_eof(&w), 0);
	return (struct span){rdb, w.len};
}

static inline void key(uint8_t type, const char *name)
{
	rdb_write_key(&w, type, span_of(name), &RDB_WRITE_NO_ATTRS);
}

#define BYTES(s) rdb_write_bytes(&w, SPAN_LIT(s))
#define STR(s)   rdb_write_str(&w, SPAN_LIT(s))

static inline int memory_file(struct span bytes)
{
	int fd = memfd_create("decode", MFD_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t at = 0; at < bytes.len;) {
		ssize_t n = write(fd, bytes.p + at, bytes.len - at);
		assert_true(n > 0);
		at += (size_t)n;
	}
	return fd;
}

static inline char *memory_text(int fd, size_t *len)
{
	*len = (size_t)lseek(fd, 0, SEEK_END);
	char *text = malloc(*len + 1);
	assert_int_equal(pread(fd, text, *len, 0), *len);
	text[*len] = '\0';
	close(fd);
	return text;
}

// @param as  path, filter and the like
static inline struct shown decode_as(const struct decode *as, const char *format)
{
	struct shown s = {.d = *as};
	struct printer printer;
	struct output out;
	int fd = memory_file(SPAN_LIT(""));
	assert_int_equal(output_init(&out, fd, 64 * 1024), 0);
	assert_int_equal(printer_init(&printer, printer_find(format), &out), 0);
	s.d.printer = &printer;
	s.rc = decode_run(&s.d, &s.f);
	printer_fini(&printer);
	output_fini(&out);
	s.text = memory_text(fd, &s.len);
	return s;
}

static inline struct shown decode(struct span file, const char *format,
				  const struct decode_filter *filter)
{
	char path[64];
	struct decode as = {.path = path};
	int in = memory_file(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	if (filter)
		as.filter = *filter;
	struct shown s = decode_as(&as, format);
	close(in);
	return s;
}

static inline bool holds(const struct shown *s, struct span part)
{
	return memmem(s->text, s->len, part.p, part.len) != NULL;
}

static inline void shows(struct span file, const char *format, const char *expected)
{
	struct shown s = decode(file, format, NULL);
	if (s.rc)
		fail_msg("%s", s.f.sentence);
	assert_string_equal(s.text, expected);
	free(s.text);
}

static inline void refuses(struct span file, const char *sentence)
{
	struct shown s = decode(file, "jsonl", NULL);
	assert_int_equal(s.rc, -1);
	assert_int_equal(s.f.id, ERROR_FILE_DAMAGED);
	if (!strstr(s.f.sentence, sentence))
		fail_msg("\"%s\" instead of \"%s\"", s.f.sentence, sentence);
	free(s.text);
}

static inline void collections(void)
{
	file_begin("REDIS0012");
	key(1, "l");
	rdb_write_len(&w, 2);
	STR("a");
	STR("-5");
	key(5, "z");
	rdb_write_len(&w, 5);
	STR("tenth");
	rdb_write_double(&w, 0.1);
	STR("inf");
	rdb_write_double(&w, INFINITY);
	STR("minus");
	rdb_write_double(&w, -INFINITY);
	STR("whole");
	rdb_write_double(&w, 12);
	STR("least");
	rdb_write_double(&w, -0.0);
	key(24, "h");
	rdb_write_le64(&w, 1000);
	rdb_write_len(&w, 2);
	BYTES("\x00");
	STR("f");
	STR("v");
	BYTES("\x06");
	STR("g");
	STR("x");
	key(2, "s");
	rdb_write_len(&w, 0);
}

#define ID(ms, seq) "\0\0\0\0\0\0\0" ms "\0\0\0\0\0\0\0" seq

// A stream of one entry 5-1 {n: v}, a group with one pending and one given back.
static inline void stream(uint8_t type, const char *name, int level)
{
	static const char node[] = "\x1f\x1f\0\0\0\x09\0" // header; then the master entry
				   "\x01\x01\0\x01\x01\x01\x81n\x02\0\x01"
				   "\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff";
	key(type, name);
	BYTES("\x01\x10" ID("\x05", "\x01"));
	size_t len = sizeof(node) - 2; // without the length byte and the NUL
	char copy[sizeof(node)];
	memcpy(copy, node, sizeof(node));
	copy[0] = copy[1] = (char)len;
	rdb_write_bytes(&w, (struct span){copy, len + 1});
	BYTES("\x01\x05\x01\x05\x01\x00\x00\x01");
	BYTES("\x01\x01g\x05\x01\x01");                             // group, last id, read
	BYTES("\x02" ID("\x05", "\x01") "\x10\0\0\0\0\0\0\0\x03");   // pending
	BYTES(ID("\x05", "\x02") "\x11\0\0\0\0\0\0\0\x04");
	BYTES("\x01\x01" "c\x10\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0\x01" ID("\x05", "\x01"));
	if (level >= 5)
		BYTES("\x01" ID("\x05", "\x02"));
	if (level >= 4)
		BYTES("\x3c\x40\x64\x01\x04prod\x01\x03iid\x05\x01\x07\x08");
}
