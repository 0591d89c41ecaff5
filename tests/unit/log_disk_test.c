// SPDX-License-Identifier: BSD-3-Clause
// The log on disk, case by case, on a simulated disk.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/log_rig.h"

// ---- Small and certain

static void fills_the_window_and_goes_on_to_the_disk(void **state)
{
	struct rig *r = rig_new(1);
	rig_open(r);
	rig_begin(r, "a", 5000);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 1);
	}
	assert_int_equal(r->log.tail, 5000 + 200 * 4096);
	assert_true(log_end(&r->log) - 5000 <= log_capacity(&r->log));
	assert_true(log_figures(&r->log).disk_bytes > 0);
	assert_string_equal(log_trouble(&r->log), "");
	drain(r);
	assert_true(log_figures(&r->log).read_bytes > 0);
	wait_for_the_disk_to_be_empty(r);
	rig_free(r);
}

static void does_not_touch_the_disk_while_nobody_lags(void **state)
{
	struct rig *r = rig_new(2);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(receive(r, 10000), 10000);
		turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_figures(&r->log).written_bytes, 0);
	assert_string_equal(log_disk_text(&r->log), "not used yet");
	rig_free(r);
}

static void holds_the_source_back_at_the_limit_and_goes_on(void **state)
{
	struct rig *r = rig_new(3);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 3000; i++) {
		receive(r, 4096);
		turn(r, 1);
		assert_true(sim_disk_used(r->folder) <= r->config.disk_limit + 100);
	}
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0);
	assert_non_null(strstr(log_trouble(&r->log), "disk-limit is reached"));
	assert_non_null(strstr(log_trouble(&r->log), r->folder));
	assert_true(r->log.tail > r->config.disk_limit * 3 / 4);
	drain(r);
	assert_int_equal(receive(r, 50000), 50000);
	turn(r, 1);
	assert_string_equal(log_trouble(&r->log), "");
	drain(r);
	rig_free(r);
}

static void waits_while_the_disk_is_full(void **state)
{
	struct rig *r = rig_new(4);
	r->disk.space = 300000;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 400; i++) {
		receive(r, 4096);
		turn(r, 10);
	}
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0);
	assert_non_null(strstr(log_trouble(&r->log), "is full"));
	uint64_t tail = r->log.tail;
	r->disk.space = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++)
		turn(r, 50);
	assert_string_equal(log_trouble(&r->log), "");
	assert_int_equal(receive(r, 50000), 50000);
	assert_int_equal(r->log.tail, tail + 50000);
	drain(r);
	rig_free(r);
}

// A command that the small ring does not hold: nothing leaves it before all of it has come back.
static void brings_back_more_than_the_small_ring_holds_in_one_piece(void **state)
{
	struct rig *r = rig_new(65);
	size_t len = 0;
	r->config.window_len = 256 * 1024;
	r->config.small_len = 16 * 1024;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 150; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 1);
	}
	rig_restart(r);
	assert_int_equal(log_seek(&r->log, 0), 0);
	for (unsigned i = 0; i < 1000 && len < 200000; i++) {
		turn(r, 1);
		log_view(&r->log, 0, &len);
	}
	assert_in_range(len, 200000, 256 * 1024);
	drain(r);
	rig_free(r);
}

// ---- What only passes through

static struct rig *rig_passing(uint64_t seed)
{
	struct rig *r = rig_new(seed);
	r->config.passing = true;
	r->config.sync = LOG_SYNC_NEVER;
	rig_open(r);
	rig_begin(r, "a", 0);
	return r;
}

static void receive_slowly(struct rig *r, unsigned n_turns)
{
	for (unsigned i = 0; i < n_turns; i++) {
		receive(r, 4096);
		turn(r, 1);
	}
}

static bool is_held_back(struct rig *r)
{
	size_t space;
	log_space(&r->log, &space);
	return !space;
}

static void passing_log_waits_to_be_allowed(void **state)
{
	struct rig *r = rig_passing(61);
	uint64_t folder_len = sim_disk_used(r->folder);
	receive_slowly(r, 100);
	assert_true(is_held_back(r));
	assert_int_equal(r->log.tail, log_capacity(&r->log));
	assert_string_equal(log_trouble(&r->log), "");
	assert_string_equal(log_disk_text(&r->log), "not used yet");
	assert_int_equal(sim_disk_used(r->folder), folder_len);
	// Like any log in memory it goes on as the target takes something.
	view(r, 10000);
	apply(r, 10000);
	assert_int_equal(receive(r, 10001), 10000);
	assert_true(log_disk_allow(&r->log));
	assert_false(log_disk_allow(&r->log));
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 1);
	}
	assert_true(log_figures(&r->log).disk_bytes > 0);
	assert_true(log_figures(&r->log).written_bytes >= 100 * 4096 - log_capacity(&r->log));
	drain(r);
	rig_free(r);
}

static void passing_log_leaves_nothing_when_released(void **state)
{
	struct rig *r = rig_passing(62);
	uint64_t folder_len = sim_disk_used(r->folder), writes;
	for (unsigned i = 0; i < 3; i++) {
		log_disk_allow(&r->log);
		receive_slowly(r, 50);
		assert_true(sim_disk_used(r->folder) > folder_len);
		log_release_memory(&r->log);
		rig_begin(r, "a", 0);
		wait_for_the_disk_to_be_empty(r);
		for (unsigned j = 0; j < 100; j++) // what is on its way comes back
			turn(r, 1);
		assert_int_equal(sim_disk_used(r->folder), folder_len);
		assert_null(r->disk.queue);
		writes = r->disk.n_writes;
		receive_slowly(r, 50);
		assert_true(is_held_back(r));
		assert_int_equal(r->disk.n_writes, writes);
	}
	rig_free(r);
}

static void passing_log_goes_on_at_the_targets_pace_when_the_disk_is_full(void **state)
{
	struct rig *r = rig_passing(63);
	r->disk.space = 300000;
	log_disk_allow(&r->log);
	receive_slowly(r, 400);
	assert_true(is_held_back(r));
	assert_non_null(strstr(log_trouble(&r->log), "is full"));
	for (unsigned i = 0; r->log.tail < 3000000; i++) {
		receive(r, 4096);
		turn(r, 50);
		view(r, r->log.end);
		apply(r, r->log.end);
		if (i > 100000)
			fail_msg("it stands still at %" PRIu64 ": %s", r->log.tail,
				 log_trouble(&r->log));
	}
	drain(r);
	rig_free(r);
}

static void crash(struct rig *r)
{
	char crashed[96];
	snprintf(crashed, sizeof(crashed), "%s/1", r->root);
	sim_disk_crash(&r->disk, r->folder, crashed, false);
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	sim_disk_remove(r->folder);
	memcpy(r->folder, crashed, sizeof(crashed));
}

static void passing_log_removes_what_a_crash_left_and_says_so(void **state)
{
	struct rig *r = rig_passing(64);
	char text[LOG_TEXT_LEN];
	log_disk_allow(&r->log);
	receive_slowly(r, 100);
	crash(r);
	assert_true(sim_disk_used(r->folder) > 100000);
	rig_open(r);
	assert_int_equal(log_history(&r->log)->n, 0);
	assert_true(sim_disk_used(r->folder) < 1000);
	assert_true(log_news(&r->log, text));
	assert_non_null(strstr(text, "removed"));
	rig_begin(r, "b", 0);
	log_disk_allow(&r->log);
	receive_slowly(r, 100);
	drain(r);
	rig_free(r);
}

// ---- Files on their way out

static void files_on_their_way_out_count_and_a_later_life_removes_them(void **state)
{
	struct rig *r = rig_new(66);
	rig_open(r);
	rig_begin(r, "a", 0);
	receive_slowly(r, 100);
	uint64_t used = sim_disk_used(r->folder);
	assert_true(used > 200000);
	r->disk.slowness = 1000000;
	log_reset(&r->log, "b", 0);
	turn(r, 1);
	assert_true(log_figures(&r->log).disk_bytes + 100 >= used);
	crash(r);
	r->disk.slowness = 0;
	assert_true(sim_disk_used(r->folder) > used / 2);
	rig_open(r);
	assert_int_equal(log_history(&r->log)->n, 0); // they are no part of the log any more
	assert_true(log_figures(&r->log).disk_bytes + 100 >= sim_disk_used(r->folder));
	rig_begin(r, "b", 0);
	wait_for_the_disk_to_be_empty(r);
	rig_free(r);
}

// While something is read back, files go for a small part of the time only; and soon when there is
// no room for what comes.
static void removal_leaves_the_disk_to_what_is_read_back(void **state)
{
	struct rig *r = rig_new(67);
	uint64_t most = 0;
	rig_open(r);
	rig_begin(r, "a", 0);
	receive_slowly(r, 150);
	r->disk.slowness = 20;
	// Each removal takes some turns of 1 ms, and most of the log is read in those after it.
	while (r->log.end < r->log.tail) {
		uint64_t used = log_figures(&r->log).disk_bytes;
		most = used > most ? used : most;
		view(r, r->log.end);
		apply(r, r->log.end);
		turn(r, 1);
	}
	assert_true(log_figures(&r->log).disk_bytes > most / 3);
	r->disk.slowness = 0;
	drain(r);
	wait_for_the_disk_to_be_empty(r);
	rig_free(r);
}

// ---- Folders

static void refuses_a_folder_that_is_not_ours(void **state)
{
	struct rig *r = rig_new(5);
	char text[LOG_TEXT_LEN], path[128];
	assert_int_equal(mkdir(r->folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/notes.txt", r->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(log_init(&r->log, &r->config, text), -EPERM);
	assert_non_null(strstr(text, "is not a folder of Flyover's"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	rig_open(r);
	rig_free(r);
}

static void refuses_a_folder_that_is_in_use(void **state)
{
	struct rig *r = rig_new(6);
	struct log *second = calloc(1, sizeof(*second));
	char text[LOG_TEXT_LEN];
	rig_open(r);
	assert_int_equal(log_init(second, &r->config, text), -EBUSY);
	assert_non_null(strstr(text, "in use by another process"));
	log_fini(second);
	free(second);
	rig_free(r);
}

static void refuses_a_limit_that_holds_nothing(void **state)
{
	struct rig *r = rig_new(7);
	char text[LOG_TEXT_LEN];
	r->config.disk_limit = 10000;
	assert_int_equal(log_init(&r->log, &r->config, text), -EINVAL);
	assert_non_null(strstr(text, "disk-limit is too small"));
	r->config.disk_limit = 0;
	rig_open(r);
	assert_string_equal(log_disk_text(&r->log), "off");
	mkdir(r->folder, 0700);
	rig_free(r);
}

// ---- A former life

static void spill(struct rig *r, uint64_t len)
{
	while (len) {
		size_t n = receive(r, len < 4096 ? len : 4096);
		assert_true(n > 0);
		len -= n;
		turn(r, 1);
	}
}

static void goes_on_where_a_former_life_ended(void **state)
{
	struct rig *r = rig_new(8);
	rig_open(r);
	rig_begin(r, "a", 777);
	spill(r, 300000);
	view(r, 777 + 20000);
	apply(r, 777 + 20000);
	rig_restart(r);
	const struct log_history *h = log_history(&r->log);
	assert_int_equal(h->n, 1);
	assert_string_equal(h->runs[0].replid, "a");
	assert_true(h->runs[0].first <= 777 + 20000);
	assert_int_equal(h->end, 777 + 300000);
	assert_int_equal(log_seek(&r->log, 777 + 20000), 0);
	assert_int_equal(r->log.tail, 777 + 300000);
	assert_int_equal(log_history(&r->log)->n, 0);
	spill(r, 100000);
	drain(r);
	assert_int_equal(r->viewed, 777 + 400000);
	rig_free(r);
}

static void begins_anew_without_what_was_there(void **state)
{
	struct rig *r = rig_new(9);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 300000);
	rig_restart(r);
	assert_int_equal(log_history(&r->log)->n, 1);
	rig_begin(r, "b", 1000000);
	assert_int_equal(log_history(&r->log)->n, 0);
	spill(r, 200000);
	rig_restart(r);
	assert_int_equal(log_history(&r->log)->n, 1);
	assert_string_equal(log_history(&r->log)->runs[0].replid, "b");
	assert_int_equal(log_history(&r->log)->runs[0].first, 1000000);
	assert_int_equal(log_seek(&r->log, 10), -ENOENT);
	assert_int_equal(log_seek(&r->log, 1200001), -ENOENT);
	assert_int_equal(log_seek(&r->log, 1200000), 0);
	rig_free(r);
}

static void keeps_the_chain_of_ids(void **state)
{
	struct rig *r = rig_new(10);
	r->disk.slowness = 5;
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 100000);
	log_rename(&r->log, "b");
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0); // nothing is on disk yet
	for (unsigned i = 0; i < 1000 && !space; i++) {
		turn(r, 1);
		log_space(&r->log, &space);
	}
	spill(r, 100000);
	rig_restart(r);
	const struct log_history *h = log_history(&r->log);
	assert_int_equal(h->n, 2);
	assert_string_equal(h->runs[0].replid, "a");
	assert_string_equal(h->runs[1].replid, "b");
	assert_int_equal(h->runs[1].first, 100000);
	assert_int_equal(h->end, 200000);
	assert_int_equal(log_seek(&r->log, 0), 0);
	drain(r);
	rig_free(r);
}

// The source is held back for the new id's sake; that must end when only history needs the disk.
static void a_full_disk_does_not_hold_a_new_id_back(void **state)
{
	struct rig *r = rig_new(15);
	r->config.keep_len = 1024 * 1024;
	r->disk.space = 0;
	rig_open(r);
	rig_begin(r, "a", 0);
	assert_int_equal(receive(r, 4096), 4096);
	for (unsigned i = 0; i < 10; i++)
		turn(r, 1);
	view(r, r->log.end);
	apply(r, r->log.end);
	assert_non_null(strstr(log_trouble(&r->log), "is full"));
	log_rename(&r->log, "b");
	for (unsigned i = 0; i < 10; i++)
		turn(r, 1);
	assert_int_equal(receive(r, 4096), 4096);
	r->disk.space = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++)
		turn(r, 50);
	assert_string_equal(log_trouble(&r->log), "");
	spill(r, 100000);
	drain(r);
	rig_free(r);
}

// The only file in a folder that holds this offset, by its number.
static void file_flip(const struct rig *r, unsigned number, uint64_t at)
{
	char path[160], byte;
	snprintf(path, sizeof(path), "%s/%08u.log", r->folder, number);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void names_a_flipped_bit_and_shows_nothing_of_it(void **state)
{
	struct rig *r = rig_new(11);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 600000);
	file_flip(r, 4, 4096 + 16384 + 2000);
	const char *text;
	for (unsigned i = 0; i < 10000 && !log_damage(&r->log, &text); i++) {
		turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_damage(&r->log, &text), -EBADMSG);
	assert_non_null(strstr(text, "/00000004.log at byte 20480, offset "));
	assert_non_null(strstr(text, "checksum of a record is wrong"));
	uint64_t end = r->log.end;
	for (unsigned i = 0; i < 100; i++)
		turn(r, 100);
	assert_int_equal(r->log.end, end);
	rig_begin(r, "b", 0);
	assert_int_equal(log_damage(&r->log, &text), 0);
	spill(r, 200000);
	drain(r);
	rig_free(r);
}

static void cuts_a_torn_tail_and_says_so(void **state)
{
	struct rig *r = rig_new(12);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 100000);
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	file_flip(r, 1, 4096 + 16384 + 5000);
	char text[LOG_TEXT_LEN];
	assert_int_equal(log_init(&r->log, &r->config, text), 0);
	assert_non_null(strstr(text, "the log was cut off at offset 15360 ("));
	assert_non_null(strstr(text, "/00000001.log, byte 20480)"));
	assert_int_equal(log_history(&r->log)->end, 15360);
	r->cursor = log_cursor_add(&r->log);
	assert_int_equal(log_seek(&r->log, 0), 0);
	r->viewed = r->applied = 0;
	spill(r, 100000);
	drain(r);
	rig_free(r);
}

static void memory_goes_though_a_cursor_stands_there(void **state)
{
	struct rig *r = rig_new(13);
	rig_open(r);
	rig_begin(r, "a", 0);
	// A command of many windows, which somebody collects elsewhere.
	for (unsigned i = 0; i < 2000; i++) {
		assert_true(receive(r, 4096) > 0);
		turn(r, 1);
		view(r, r->log.end);
		log_release(&r->log, r->log.end);
	}
	assert_int_equal(r->applied, 0);
	assert_true(r->log.tail > 4 * r->config.disk_limit);
	drain(r);
	rig_free(r);
}

static void rewinds_within_memory(void **state)
{
	struct rig *r = rig_new(14);
	r->config.folder = NULL;
	mkdir(r->folder, 0700);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 100; i++) {
		receive(r, 8192);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_oldest(&r->log), r->log.tail - log_capacity(&r->log));
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log) - 1), -ENOENT);
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log) + 5), 0);
	r->viewed = r->applied = log_oldest(&r->log) + 5;
	view(r, r->log.end);
	apply(r, r->log.end);
	rig_free(r);
}

static void keeps_times_through_the_disk(void **state)
{
	struct rig *r = rig_new(15);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 100; i++) { // byte o comes at about 1000 + o / 100
		receive(r, 4096);
		turn(r, 41);
	}
	uint64_t came_ms = r->now.wall_ms;
	turn(r, 100000);
	while (r->applied < r->log.tail) {
		turn(r, 1);
		for (uint64_t o = r->applied; o < r->log.end; o += 1000) {
			struct log_stamp s = log_stamp_at(&r->log, o);
			assert_in_range(s.wall_ms, 1000 + o / 100 - 100, 1000 + o / 100 + 50);
			assert_true(s.wall_ms <= came_ms);
			uint64_t ago_ms = (r->now.mono_ns - s.mono_ns) / 1000000;
			assert_in_range(ago_ms, r->now.wall_ms - s.wall_ms - 200,
					r->now.wall_ms - s.wall_ms + 200);
		}
		apply(r, r->log.end);
	}
	r->viewed = r->applied;
	rig_free(r);
}

static void history_is_kept_and_no_longer_than_asked(void **state)
{
	struct rig *r = rig_new(16);
	r->config.keep_len = 300000;
	r->config.keep_ms = 1000000;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 10);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_in_range(r->log.tail - log_oldest(&r->log), 300000, 300000 + 200000);
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log)), 0);
	r->viewed = r->applied = log_oldest(&r->log);
	drain(r);
	turn(r, 2000000);
	turn(r, 1);
	assert_in_range(r->log.tail - log_oldest(&r->log), 0, 200000);
	rig_free(r);
}

static void full_disk_costs_history_before_it_costs_the_source(void **state)
{
	struct rig *r = rig_new(17);
	r->config.keep_len = 1ull << 40;
	r->config.keep_ms = 1ull << 40;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 1000; i++) {
		if (i == 500)
			r->disk.space = 0;
		if (i == 800)
			r->disk.space = UINT64_MAX;
		assert_int_equal(receive(r, 4096), 4096);
		for (unsigned k = 0; k < 20; k++)
			turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_true(log_oldest(&r->log) > 0);
	assert_true(r->log.tail - log_oldest(&r->log) > 500000);
	rig_free(r);
}

// On real files, through a restart. Whatever the kernel lets us use.
static void with_kernel_driver(enum disk_choice choice)
{
	struct rig *r = rig_new(18);
	r->config.seam = NULL;
	r->config.disk = choice;
	r->config.record_len = 0;
	r->config.disk_limit = 64 * MB;
	r->config.window_len = 1 * MB;
	r->config.sync = LOG_SYNC_ALWAYS;
	rig_open(r);
	rig_begin(r, "a", 99);
	for (uint64_t tail = 99 + 30 * MB; r->log.tail < tail; turn(r, 1))
		receive(r, 100000);
	assert_non_null(strstr(log_disk_text(&r->log), choice == DISK_THREAD ? "thread" : ""));
	rig_restart(r);
	assert_true(log_history(&r->log)->end >= 99 + 30 * MB);
	assert_int_equal(log_seek(&r->log, 99), 0);
	drain(r);
	rig_free(r);
}

static void carries_everything_by_io_uring(void **state)
{
	with_kernel_driver(DISK_AUTO);
}

static void carries_everything_by_a_thread(void **state)
{
	with_kernel_driver(DISK_THREAD);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_the_window_and_goes_on_to_the_disk),
		cmocka_unit_test(does_not_touch_the_disk_while_nobody_lags),
		cmocka_unit_test(holds_the_source_back_at_the_limit_and_goes_on),
		cmocka_unit_test(waits_while_the_disk_is_full),
		cmocka_unit_test(files_on_their_way_out_count_and_a_later_life_removes_them),
		cmocka_unit_test(removal_leaves_the_disk_to_what_is_read_back),
		cmocka_unit_test(brings_back_more_than_the_small_ring_holds_in_one_piece),
		cmocka_unit_test(passing_log_waits_to_be_allowed),
		cmocka_unit_test(passing_log_leaves_nothing_when_released),
		cmocka_unit_test(passing_log_goes_on_at_the_targets_pace_when_the_disk_is_full),
		cmocka_unit_test(passing_log_removes_what_a_crash_left_and_says_so),
		cmocka_unit_test(refuses_a_folder_that_is_not_ours),
		cmocka_unit_test(refuses_a_folder_that_is_in_use),
		cmocka_unit_test(refuses_a_limit_that_holds_nothing),
		cmocka_unit_test(goes_on_where_a_former_life_ended),
		cmocka_unit_test(begins_anew_without_what_was_there),
		cmocka_unit_test(keeps_the_chain_of_ids),
		cmocka_unit_test(a_full_disk_does_not_hold_a_new_id_back),
		cmocka_unit_test(names_a_flipped_bit_and_shows_nothing_of_it),
		cmocka_unit_test(cuts_a_torn_tail_and_says_so),
		cmocka_unit_test(memory_goes_though_a_cursor_stands_there),
		cmocka_unit_test(rewinds_within_memory),
		cmocka_unit_test(keeps_times_through_the_disk),
		cmocka_unit_test(history_is_kept_and_no_longer_than_asked),
		cmocka_unit_test(full_disk_costs_history_before_it_costs_the_source),
		cmocka_unit_test(carries_everything_by_io_uring),
		cmocka_unit_test(carries_everything_by_a_thread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
