// SPDX-License-Identifier: BSD-3-Clause
// Folders of files: one owner at a time, and what he does with the names in it.
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/disk_rig.h"

#define LIST_MAX 16

struct listed {
	unsigned n;
	char names[LIST_MAX][32];
	uint64_t lens[LIST_MAX];
};

static void listed_add(void *arg, const char *name, uint64_t len)
{
	struct listed *l = arg;
	assert_true(l->n < LIST_MAX);
	snprintf(l->names[l->n], sizeof(l->names[0]), "%s", name);
	l->lens[l->n++] = len;
}

static uint64_t listed_len(const struct listed *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!strcmp(l->names[i], name))
			return l->lens[i];
	fail_msg("%s is not listed", name);
	return 0;
}

static void file_make(const struct disk_folder *f, const char *name, off_t len)
{
	int fd = openat(f->fd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	close(fd);
}

// Open it in another process, which then waits to be killed. @return what it got
static int other_process_open(const char *path, pid_t *pid)
{
	int fds[2], rc = 1;
	assert_int_equal(pipe(fds), 0);
	*pid = fork();
	if (!*pid) {
		struct disk_folder f;
		rc = disk_folder_open(&f, path);
		ssize_t n = write(fds[1], &rc, sizeof(rc));
		(void)!n;
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &rc, sizeof(rc)), sizeof(rc));
	close(fds[0]);
	close(fds[1]);
	return rc;
}

static void other_process_kill(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_folder_has_one_owner(void **state)
{
	struct rig *r = *state;
	struct disk_folder *f = &r->folder, second;
	const char *p = r->path;
	pid_t pid;
	assert_int_equal(disk_folder_open(&second, p), -EBUSY);
	assert_int_equal(other_process_open(p, &pid), -EBUSY);
	other_process_kill(pid);
	assert_int_equal(disk_folder_identify(f, "mine", 4), 0); // nobody's try has hurt us
	disk_folder_close(f);

	// Who is killed leaves nothing behind that is in the way.
	assert_int_equal(other_process_open(p, &pid), 0);
	assert_int_equal(disk_folder_open(f, p), -EBUSY);
	other_process_kill(pid);
	assert_int_equal(disk_folder_open(f, p), 0);
	char text[8];
	assert_int_equal(disk_folder_identity(f, text, sizeof(text)), 4);
	assert_memory_equal(text, "mine", 4);
}

static void a_folder_is_made_private(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char path[80];
	struct disk_folder f;
	snprintf(path, sizeof(path), "%s/log", r->path);
	assert_int_equal(disk_folder_open(&f, path), 0);
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	disk_folder_unlink(&f, DISK_IDENTITY);
	disk_folder_close(&f);
	disk_folder_close(&f); // once more does no harm
	assert_int_equal(rmdir(path), 0);

	snprintf(path, sizeof(path), "%s/no/log", r->path);
	assert_int_equal(disk_folder_open(&f, path), -ENOENT);
	file_make(&r->folder, "plain", 0);
	snprintf(path, sizeof(path), "%s/plain", r->path);
	assert_int_equal(disk_folder_open(&f, path), -ENOTDIR);
	disk_folder_close(&f);
}

static void an_identity_is_kept_and_replaced(void **state)
{
	struct rig *r = *state;
	char bytes[64];
	assert_int_equal(disk_folder_identity(&r->folder, bytes, sizeof(bytes)), 0);
	assert_int_equal(disk_folder_identify(&r->folder, "a long identity", 15), 0);
	assert_int_equal(disk_folder_identity(&r->folder, bytes, 15), 15);
	assert_memory_equal(bytes, "a long identity", 15);
	assert_int_equal(disk_folder_identity(&r->folder, bytes, 14), -EFBIG);
	assert_int_equal(disk_folder_identify(&r->folder, "short", 5), 0);
	assert_int_equal(disk_folder_identity(&r->folder, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "short", 5);
}

static void files_are_listed_renamed_and_removed(void **state)
{
	struct rig *r = *state;
	struct disk_folder *f = &r->folder;
	struct listed l = {0};
	file_make(f, "one", 100);
	file_make(f, "two", 5000);
	assert_int_equal(mkdirat(f->fd, "folder", 0700), 0);
	assert_int_equal(symlinkat("one", f->fd, "link"), 0);
	assert_int_equal(disk_folder_list(f, listed_add, &l), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(listed_len(&l, "one"), 100);
	assert_int_equal(listed_len(&l, "two"), 5000);

	assert_int_equal(disk_folder_rename(f, "two", "one"), 0);
	assert_int_equal(disk_folder_rename(f, "two", "three"), -ENOENT);
	assert_int_equal(disk_folder_sync(f), 0);
	l.n = 0; // a second list begins at the beginning
	assert_int_equal(disk_folder_list(f, listed_add, &l), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(listed_len(&l, "one"), 5000);

	assert_int_equal(disk_folder_unlink(f, "one"), 0);
	assert_int_equal(disk_folder_unlink(f, "one"), -ENOENT);
	l.n = 0;
	assert_int_equal(disk_folder_list(f, listed_add, &l), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(unlinkat(f->fd, "folder", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(f->fd, "link", 0), 0);
}

static int each_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	*state = r;
	rig_folder(r);
	r->wake_fd = -1;
	return disk_folder_open(&r->folder, r->path);
}

static int each_teardown(void **state)
{
	rig_fini(*state);
	free(*state);
	return 0;
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(a_folder_has_one_owner),
		EACH(a_folder_is_made_private),
		EACH(an_identity_is_kept_and_replaced),
		EACH(files_are_listed_renamed_and_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
