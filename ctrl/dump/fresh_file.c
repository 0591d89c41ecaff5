// SPDX-License-Identifier: BSD-3-Clause
// fresh_file_open() -> path_part(), place_check(), temporary_make() ; fresh_file_keep() ->
// name_take()
#include "ctrl/dump/fresh_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN_MAX 220 // leaves room for what makes the other name unforeseeable
#define TRIES_MAX    16

static int not_written(const struct fresh_file *file, int rc, struct failure *f)
{
	return failure_set(f, ERROR_OUTPUT, "cannot write %s: %s", file->path, strerror(-rc));
}

static int is_there(const struct fresh_file *file, struct failure *f)
{
	return failure_set(f, ERROR_OUTPUT_EXISTS, "%s is there already: --force replaces it",
			   file->path);
}

// Folder and name of the path.
static int path_part(struct fresh_file *file, struct failure *f)
{
	char folder[4096];
	const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
	size_t len = slash ? (size_t)(slash - file->path) : 0;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return failure_set(f, ERROR_OUTPUT, "%s is no name of a file", file->path);
	if (strlen(name) > NAME_LEN_MAX || len >= sizeof(folder))
		return not_written(file, -ENAMETOOLONG, f);
	snprintf(file->name, sizeof(file->name), "%s", name);
	snprintf(folder, sizeof(folder), "%.*s", (int)len, file->path);
	file->folder_fd = open(len     ? folder
			       : slash ? "/"
				       : ".",
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->folder_fd < 0 ? not_written(file, -errno, f) : 0;
}

static int place_check(const struct fresh_file *file, struct failure *f)
{
	struct stat st;
	if (fstatat(file->folder_fd, file->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : not_written(file, -errno, f);
	if (S_ISDIR(st.st_mode))
		return not_written(file, -EISDIR, f);
	// The new file takes the name: a device or a pipe would be gone.
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return failure_set(f, ERROR_OUTPUT, "%s is no ordinary file; -o - writes into it",
				   file->path);
	return file->force ? 0 : is_there(file, f);
}

static int temporary_make(struct fresh_file *file)
{
	for (int i = 0; i < TRIES_MAX && file->fd < 0; i++) {
		uint64_t chance;
		if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
			return -errno;
		snprintf(file->temporary, sizeof(file->temporary), ".%.220s.%016llx.tmp",
			 file->name, (unsigned long long)chance);
		file->fd = openat(file->folder_fd, file->temporary,
				  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (file->fd < 0 && errno != EEXIST)
			break;
	}
	if (file->fd >= 0)
		return 0;
	file->temporary[0] = 0;
	return -errno;
}

int fresh_file_open(struct fresh_file *file, const char *path, bool force, struct failure *f)
{
	*file = (struct fresh_file){.path = path, .fd = -1, .folder_fd = -1, .force = force};
	if (!strcmp(path, "-")) {
		file->path = "the standard output";
		file->fd = STDOUT_FILENO;
		return 0;
	}
	int rc = path_part(file, f) || place_check(file, f) ? -1 : 0;
	int error = rc ? 0 : temporary_make(file);
	if (error)
		rc = not_written(file, error, f);
	if (rc)
		fresh_file_drop(file);
	return rc;
}

int fresh_file_write(struct fresh_file *file, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = write(file->fd, bytes.p, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes.p += n;
		bytes.len -= (size_t)n;
		file->len += (uint64_t)n;
	}
	return 0;
}

int fresh_file_reserve(struct fresh_file *file, uint64_t len)
{
	if (file->folder_fd < 0 || len > INT64_MAX)
		return 0;
	if (!fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len))
		return 0;
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? -errno : 0;
}

// Only the kernel can see to it that no file appeared meanwhile; where it cannot, we look again.
static int name_take(struct fresh_file *file)
{
	int folder = file->folder_fd;
	if (!file->force &&
	    !renameat2(folder, file->temporary, folder, file->name, RENAME_NOREPLACE))
		return 0;
	if (!file->force && errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (!file->force && !faccessat(folder, file->name, F_OK, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return renameat(folder, file->temporary, folder, file->name) ? -errno : 0;
}

int fresh_file_keep(struct fresh_file *file, struct failure *f)
{
	if (file->folder_fd < 0)
		return 0;
	// What was reserved and not needed goes back.
	if (ftruncate(file->fd, (off_t)file->len) || fsync(file->fd))
		return not_written(file, -errno, f);
	int rc = close(file->fd) ? -errno : 0;
	file->fd = -1;
	rc = rc ? rc : name_take(file);
	if (rc == -EEXIST)
		return is_there(file, f);
	if (rc)
		return not_written(file, rc, f);
	file->temporary[0] = 0;
	if (fsync(file->folder_fd) && errno != EINVAL) // not every file system knows it
		return not_written(file, -errno, f);
	return 0;
}

void fresh_file_drop(struct fresh_file *file)
{
	if (file->folder_fd >= 0 && file->fd >= 0)
		close(file->fd);
	if (file->folder_fd >= 0 && file->temporary[0])
		unlinkat(file->folder_fd, file->temporary, 0);
	if (file->folder_fd >= 0)
		close(file->folder_fd);
	file->fd = file->folder_fd = -1;
	file->temporary[0] = 0;
}
