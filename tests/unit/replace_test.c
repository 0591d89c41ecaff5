// SPDX-License-Identifier: BSD-3-Clause
// Files that are replaced as a whole.
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/replace.h"
#include "tests/unit/test.h"

struct folder {
	char path[64], gone[80];
	pthread_mutex_t lock;
	pthread_cond_t news;
	unsigned n_wakes;
};

static void woken(void *arg)
{
	struct folder *f = arg;
	pthread_mutex_lock(&f->lock);
	f->n_wakes++;
	pthread_cond_signal(&f->news);
	pthread_mutex_unlock(&f->lock);
}

static struct folder *folder_new(void)
{
	struct folder *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/flyover-replace-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->gone, sizeof(f->gone), "%s/gone", f->path);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->news, NULL);
	return f;
}

static void folder_free(struct folder *f)
{
	assert_int_equal(rmdir(f->path), 0); // nothing is left over
	free(f);
}

static void put(struct replacer *r, const char *name, const char *text)
{
	replacer_put(r, name, text ? strdup(text) : NULL, text ? strlen(text) : 0);
}

static void assert_holds(struct folder *f, const char *name, const char *text)
{
	char *bytes;
	size_t len;
	int rc = file_load(f->path, name, 1000, &bytes, &len);
	if (!text) {
		assert_int_equal(rc, -ENOENT);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(bytes, text);
	free(bytes);
}

static void files_are_replaced_and_removed(void **state)
{
	struct folder *f = folder_new();
	assert_holds(f, "a", NULL);
	assert_int_equal(file_replace(f->path, "a", "one", 3), 0);
	assert_holds(f, "a", "one");
	assert_int_equal(file_replace(f->path, "a", "", 0), 0);
	assert_holds(f, "a", "");
	assert_int_equal(file_replace(f->path, "a", "fourteen bytes", 14), 0);
	char *bytes;
	size_t len;
	assert_int_equal(file_load(f->path, "a", 13, &bytes, &len), -EFBIG);
	assert_int_equal(file_replace(f->path, "a", NULL, 0), 0);
	assert_int_equal(file_replace(f->path, "a", NULL, 0), 0);
	assert_holds(f, "a", NULL);
	assert_int_equal(file_replace(f->gone, "a", "x", 1), -ENOENT);
	folder_free(f);
}

static void the_thread_writes_the_newest_before_it_ends(void **state)
{
	struct folder *f = folder_new();
	struct replacer *r;
	char text[16];
	assert_int_equal(replacer_open(&r, f->path, woken, f), 0);
	assert_true(replacer_is_idle(r));
	put(r, "b", "other");
	for (unsigned i = 0; i <= 200; i++) {
		snprintf(text, sizeof(text), "%u", i);
		put(r, "a", text);
	}
	replacer_close(r);
	assert_holds(f, "a", "200");
	assert_holds(f, "b", "other");
	assert_int_equal(replacer_open(&r, f->path, woken, f), 0);
	put(r, "a", NULL);
	put(r, "b", NULL);
	replacer_close(r);
	assert_holds(f, "a", NULL);
	folder_free(f);
}

static void wait_for_wakes(struct folder *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_wakes < n)
		pthread_cond_wait(&f->news, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static void a_failure_is_told_and_tried_again(void **state)
{
	struct folder *f = folder_new();
	struct replacer *r;
	char *bytes;
	size_t len;
	assert_int_equal(replacer_open(&r, f->gone, woken, f), 0);
	put(r, "a", "text");
	wait_for_wakes(f, 1);
	assert_int_equal(replacer_error(r), -ENOENT);
	assert_false(replacer_is_idle(r));
	put(r, "a", "newer"); // is not taken for written either
	assert_false(replacer_is_idle(r));
	assert_int_equal(mkdir(f->gone, 0700), 0);
	for (unsigned n = 2; replacer_error(r); n++)
		wait_for_wakes(f, n);
	assert_true(replacer_is_idle(r));
	assert_int_equal(file_load(f->gone, "a", 1000, &bytes, &len), 0);
	assert_string_equal(bytes, "newer");
	free(bytes);
	assert_int_equal(file_replace(f->gone, "a", NULL, 0), 0);
	replacer_close(r);
	assert_int_equal(rmdir(f->gone), 0);
	folder_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_replaced_and_removed),
		cmocka_unit_test(the_thread_writes_the_newest_before_it_ends),
		cmocka_unit_test(a_failure_is_told_and_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
