// SPDX-License-Identifier: BSD-3-Clause
// Run a fuzz target over the files and folders that are named, as a normal test: for compilers
// without libFuzzer, and so that what the fuzzer once found stays found. Then over as many damaged
// copies of them as a few seconds allow; FLYOVER_SEED repeats those.
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/random.h"

#define FILES_MAX 1024
#ifndef COPIES // fewer where each takes many milliseconds
#define COPIES 30000 // damaged ones, of all files together
#endif
#define GROWTH    64    // bytes that damage may add

struct input {
	uint8_t *p;
	size_t len;
};

struct inputs {
	struct input list[FILES_MAX];
	unsigned n;
};

// Exactly as long as the bytes, so that a sanitizer sees a read beyond them.
static void run(const uint8_t *p, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	CHECK(exact);
	memcpy(exact, p, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

// @return false when it cannot be read
static bool file_take(struct inputs *in, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	if (file == NULL || fstat(fileno(file), &st) < 0 || in->n == FILES_MAX) {
		perror(path);
		return false;
	}
	struct input *one = &in->list[in->n++];
	one->len = (size_t)st.st_size;
	one->p = malloc(one->len + GROWTH);
	if (one->p == NULL || fread(one->p, 1, one->len, file) != one->len) {
		perror(path);
		return false;
	}
	fclose(file);
	return true;
}

static bool folder_take(struct inputs *in, const char *path, DIR *d)
{
	struct dirent *e;
	char file[4096];

	while ((e = readdir(d)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.' && !file_take(in, file))
			return false;
	}
	return true;
}

// Change one place. @return the new length
static size_t damage(struct random *r, uint8_t *p, size_t len, const struct input *other)
{
	static const uint8_t odd[] = {0,    1,    0x7f, 0x80, 0x81, 0xc0,
				      0xc3, 0xfe, 0xff, '\n', '$',  '0'};
	size_t at = len ? random_below(r, len) : 0, n;

	switch (len ? random_below(r, 6) : 5) {
	case 0:
		p[at] ^= (uint8_t)(1 << random_below(r, 8));
		return len;
	case 1:
		p[at] = odd[random_below(r, sizeof(odd))];
		return len;
	case 2: // ends early
		return at;
	case 3: // lacks some bytes
		n = random_below(r, len - at < GROWTH ? len - at : GROWTH) + 1;
		n = n < len - at ? n : len - at;
		memmove(p + at, p + at + n, len - at - n);
		return len - n;
	case 4: // goes on as another one does
		n = other->len < len - at ? other->len : len - at;
		memcpy(p + at, other->p + (other->len - n), n);
		return len;
	default: // has some bytes more
		n = random_below(r, GROWTH / 4) + 1;
		memmove(p + at + n, p + at, len - at);
		for (size_t i = 0; i < n; i++)
			p[at + i] = odd[random_below(r, sizeof(odd))];
		return len + n;
	}
}

static void copies_run(const struct inputs *in)
{
	struct random r = random_seeded("damaged copies");

	fflush(stdout); // before one of them ends us
	for (unsigned i = 0; i < COPIES; i++) {
		const struct input *from = &in->list[random_below(&r, in->n)];
		uint8_t *copy = malloc(from->len + GROWTH);
		size_t len = from->len;

		CHECK(copy);
		memcpy(copy, from->p, len);
		for (unsigned k = random_below(&r, 4) + 1; k && len <= from->len + GROWTH / 2; k--)
			len = damage(&r, copy, len, &in->list[random_below(&r, in->n)]);
		run(copy, len);
		free(copy);
	}
}

int main(int argc, char **argv)
{
	static struct inputs in;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		bool taken = d ? folder_take(&in, argv[i], d) : file_take(&in, argv[i]);

		if (d)
			closedir(d);
		if (!taken)
			return 1;
	}
	for (unsigned i = 0; i < in.n; i++)
		run(in.list[i].p, in.list[i].len);
	printf("%u files replayed\n", in.n);
	if (!in.n)
		return 1; // an empty corpus tests nothing
	copies_run(&in);
	for (unsigned i = 0; i < in.n; i++)
		free(in.list[i].p);
	return 0;
}
