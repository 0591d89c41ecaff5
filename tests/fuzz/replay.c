// SPDX-License-Identifier: BSD-3-Clause
// Run a fuzz target over the files and folders that are named, as a normal test: for compilers
// without libFuzzer, and so that what the fuzzer once found stays found.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

// @return files run, or -1
static int file_replay(const char *path)
{
	FILE *in = fopen(path, "rb");
	struct stat st;
	uint8_t *p;

	if (in == NULL || fstat(fileno(in), &st) < 0) {
		perror(path);
		return -1;
	}
	// Exactly as long as the file, so that a sanitizer sees a read beyond it.
	p = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (p == NULL || fread(p, 1, (size_t)st.st_size, in) != (size_t)st.st_size) {
		perror(path);
		return -1;
	}
	fclose(in);
	LLVMFuzzerTestOneInput(p, (size_t)st.st_size);
	free(p);
	return 1;
}

static int folder_replay(const char *path, DIR *d)
{
	struct dirent *e;
	char file[4096];
	int n = 0;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (file_replay(file) < 0)
			return -1;
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	int n_files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		int n = d ? folder_replay(argv[i], d) : file_replay(argv[i]);

		if (d)
			closedir(d);
		if (n < 0)
			return 1;
		n_files += n;
	}
	printf("%d files replayed\n", n_files);
	return n_files > 0 ? 0 : 1; // an empty corpus tests nothing
}
