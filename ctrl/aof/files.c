// SPDX-License-Identifier: BSD-3-Clause
// aof_files_open() -> folder_open() -> manifest_open() -> parts_take()
#include "ctrl/aof/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_END ".manifest"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len > end_len && !strcmp(text + len - end_len, end);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static int unreadable(const char *path, int error, struct failure *f)
{
	bool rights = error == EACCES || error == EPERM;
	return failure_set(f, rights ? ERROR_FILE_RIGHTS : ERROR_FILE, "cannot read %s: %s", path,
			   strerror(error));
}

static int no_memory(struct failure *f)
{
	return failure_set(f, ERROR_MEMORY, "no memory");
}

static int files_reserve(struct aof_files *files, size_t n, struct failure *f)
{
	files->v = calloc(n, sizeof(*files->v));
	return files->v ? 0 : no_memory(f);
}

// @param folder  its first folder_len bytes, with the slash, go in front of the name
static int file_add(struct aof_files *files, const char *folder, size_t folder_len,
		    const char *name, enum aof_part_type type, struct failure *f)
{
	struct aof_file *file = &files->v[files->n];
	if (asprintf(&file->path, "%.*s%s", (int)folder_len, folder, name) < 0) {
		file->path = NULL;
		return no_memory(f);
	}
	file->name = last_part(file->path);
	file->type = type;
	files->n++;
	return 0;
}

static int single_open(struct aof_files *files, const char *path, struct failure *f)
{
	struct stat st;
	if (files_reserve(files, 1, f) || file_add(files, "", 0, path, AOF_PART_INCR, f))
		return -1;
	if (strcmp(path, "-") && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		files->v[0].len = files->len = (uint64_t)st.st_size;
	return 0;
}

// ---- A manifest

static int part_look(struct aof_files *files, const char *manifest, struct failure *f)
{
	struct aof_file *file = &files->v[files->n - 1];
	struct stat st;
	if (access(file->path, R_OK) || stat(file->path, &st)) {
		if (errno != ENOENT)
			return unreadable(file->path, errno, f);
		return failure_set(f, ERROR_AOF_PARTS, "%s names %s, which is not there",
				   last_part(manifest), file->path);
	}
	if (!S_ISREG(st.st_mode))
		return failure_set(f, ERROR_AOF_PARTS, "%s names %s, which is no file",
				   last_part(manifest), file->path);
	file->len = (uint64_t)st.st_size;
	files->len += file->len;
	return 0;
}

static int parts_take(struct aof_files *files, const char *manifest, const struct aof_manifest *m,
		      struct failure *f)
{
	size_t folder_len = (size_t)(last_part(manifest) - manifest);
	files->multi = true;
	if (files_reserve(files, m->n_parts, f))
		return -1;
	for (size_t i = 0; i < m->n_parts; i++)
		if (file_add(files, manifest, folder_len, m->parts[i].name, m->parts[i].type, f) ||
		    part_look(files, manifest, f))
			return -1;
	return 0;
}

// One byte more than may be believed, so that a longer one is told.
static int manifest_load(const char *path, char **text, size_t *len, struct failure *f)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return unreadable(path, errno, f);
	*text = malloc(AOF_MANIFEST_LEN + 1);
	errno = 0;
	*len = *text ? fread(*text, 1, AOF_MANIFEST_LEN + 1, in) : 0;
	int error = ferror(in) ? errno : 0;
	fclose(in);
	if (*text && !error)
		return 0;
	free(*text);
	return error ? unreadable(path, error, f) : no_memory(f);
}

static int manifest_open(struct aof_files *files, const char *path, struct failure *f)
{
	struct aof_manifest m;
	char *text = NULL;
	size_t len = 0;
	if (manifest_load(path, &text, &len, f))
		return -1;
	int rc = aof_manifest_read(&m, (struct span){text, len});
	free(text);
	if (rc == -ENOMEM)
		return no_memory(f);
	if (rc)
		return failure_set(f, ERROR_AOF_PARTS, "%s: %s", path, m.error);
	rc = parts_take(files, path, &m, f);
	aof_manifest_fini(&m);
	return rc;
}

// ---- A folder

// @param name  out: of the one manifest
static int manifest_find(const char *folder, char name[AOF_NAME_LEN + 1], struct failure *f)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int rc = 0;
	if (!d)
		return unreadable(folder, errno, f);
	name[0] = '\0';
	while (!rc && (e = readdir(d)) != NULL) {
		if (!ends_with(e->d_name, MANIFEST_END))
			continue;
		if (name[0])
			rc = failure_set(f, ERROR_AOF_PARTS,
					 "%s has two manifests, %s and %s: name the one to read",
					 folder, name, e->d_name);
		snprintf(name, AOF_NAME_LEN + 1, "%s", e->d_name);
	}
	closedir(d);
	if (!rc && !name[0])
		rc = failure_set(f, ERROR_FILE, "%s is a directory without a manifest of an AOF "
				 "(*" MANIFEST_END ")", folder);
	return rc;
}

static int folder_open(struct aof_files *files, const char *folder, struct failure *f)
{
	char name[AOF_NAME_LEN + 1], *path;
	if (manifest_find(folder, name, f))
		return -1;
	if (asprintf(&path, "%s%s%s", folder, ends_with(folder, "/") ? "" : "/", name) < 0)
		return no_memory(f);
	int rc = manifest_open(files, path, f);
	free(path);
	return rc;
}

int aof_files_open(struct aof_files *files, const char *path, struct failure *f)
{
	struct stat st;
	int rc;
	*files = (struct aof_files){0};
	if (strcmp(path, "-") && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		rc = folder_open(files, path, f);
	else if (ends_with(path, MANIFEST_END))
		rc = manifest_open(files, path, f);
	else
		rc = single_open(files, path, f);
	if (rc)
		aof_files_close(files);
	return rc;
}

void aof_files_close(struct aof_files *files)
{
	for (size_t i = 0; files->v && i < files->n; i++)
		free(files->v[i].path);
	free(files->v);
	files->v = NULL;
	files->n = 0;
}

bool aof_file_is_aof(const struct aof_files *files, const struct aof_file *file)
{
	return files->multi || ends_with(file->name, ".aof");
}
