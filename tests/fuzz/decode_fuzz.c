// SPDX-License-Identifier: BSD-3-Clause
// Everything that `flyover decode` does with arbitrary bytes: one byte chooses the format. What
// jsonl and json print must be JSON, whatever the file was.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctrl/decode/decode.h"
#include "ctrl/decode/report.h"
#include "tests/fuzz/fuzz.h"

// Jansson wants integers below 2^63; JSON does not.
#define JSON_LOOSE (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static char *text_of(int fd, size_t *len)
{
	*len = (size_t)lseek(fd, 0, SEEK_END);
	char *text = malloc(*len + 1);

	CHECK(text && pread(fd, text, *len, 0) == (ssize_t)*len);
	text[*len] = '\0';
	return text;
}

static void lines_check(const char *text, size_t len)
{
	const char *end;

	for (size_t at = 0; at < len; at = (size_t)(end + 1 - text)) {
		end = memchr(text + at, '\n', len - at);
		CHECK(end != NULL);
		json_t *o = json_loadb(text + at, (size_t)(end - text) - at, JSON_LOOSE, NULL);

		CHECK(json_is_object(o));
		json_decref(o);
	}
}

static void run(const char *path, const char *format, int out_fd)
{
	struct output out;
	struct printer printer;
	struct report report;
	struct failure f = {0};

	CHECK(output_init(&out, out_fd, 64 * 1024) == 0);
	CHECK(printer_init(&printer, printer_find(format), &out) == 0);
	CHECK(report_init(&report, 1700000000000) == 0);
	struct decode d = {.path = path, .printer = &printer, .report = &report};
	int rc = decode_run(&d, &f);

	CHECK(rc == 0 || f.sentence[0]);
	CHECK(report.all.keys <= d.n_keys);
	report_fini(&report);
	printer_fini(&printer);
	output_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char *const formats[] = {"jsonl", "json", "resp", "keys"};
	char path[64];
	size_t text_len;

	if (len < 1)
		return 0;
	int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);

	CHECK(in >= 0 && out >= 0 && write(in, p + 1, len - 1) == (ssize_t)(len - 1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	run(path, formats[p[0] & 3], out);
	char *text = text_of(out, &text_len);

	if ((p[0] & 3) == 0) {
		lines_check(text, text_len);
	} else if ((p[0] & 3) == 1) {
		json_t *all = json_loadb(text, text_len, JSON_LOOSE, NULL);

		CHECK(json_is_array(all));
		json_decref(all);
	}
	free(text);
	close(in);
	close(out);
	return 0;
}
