// SPDX-License-Identifier: BSD-3-Clause
// Two processes of DPDK at once, without a right, joined by memory that they share: this program
// runs itself as the other end, which sends everything back.
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drivers/nic_dpdk.h"
#include "tests/unit/test.h"

#define FRAMES 1000
#define CLOSES 40

static struct nic *open_end(const char *role, const char *path)
{
	char device[256], text[NIC_DPDK_TEXT_LEN];
	snprintf(device, sizeof(device), "net_memif0,role=%s,socket=%s,socket-abstract=no", role,
		 path);
	struct nic_dpdk_settings set = {
		.device = device, .n_queues = 1, .control_cpu = -1, .memory_mb = 512};
	struct nic *nic;
	if (!nic_dpdk_open(&set, &nic, text))
		return nic;
	fprintf(stderr, "%s\n", text);
	return NULL;
}

static void send_frame(struct nic *nic, const uint8_t *bytes, size_t len)
{
	struct nic_packet p = {.head = bytes,
			       .head_len = 54,
			       .l2_len = 14,
			       .n_body = 1,
			       .body = {{(uint8_t *)bytes + 54, len - 54}}};
	while (nic_send(nic, &p)) // nobody is there yet, or he is slow
		nic_flush(nic);
}

// The other end: back with what comes, the first byte turned round.
static int echo(const char *path)
{
	struct nic *nic = open_end("client", path);
	struct nic_frame f[NIC_BURST];
	if (!nic)
		return 1;
	for (unsigned n = 0; n < FRAMES;) {
		int got = nic_receive(nic, f, NIC_BURST);
		for (int i = 0; i < got; i++, n++) {
			f[i].p[0] ^= 255;
			send_frame(nic, f[i].p, f[i].len);
		}
		nic_flush(nic);
	}
	while (nic->counters.tx_frames < FRAMES)
		nic_flush(nic);
	char byte; // the parent closes its end when it has seen them all
	ssize_t end = read(STDIN_FILENO, &byte, 1);
	nic_close(nic);
	return end != 0;
}

static size_t frame_len(unsigned i)
{
	return 60 + i * 37 % 1455;
}

static void frame_make(uint8_t *bytes, unsigned i)
{
	for (size_t k = 0; k < frame_len(i); k++)
		bytes[k] = (uint8_t)(k * 31 + i);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// About the time that the other one takes to hear of it, in steps.
static void moment(unsigned i)
{
	uint64_t until_ns = now_ns() + i * 10000;
	while (now_ns() < until_ns)
		;
}

// The other end of closes: each time a word says that the peer closes, so do we.
static int close_with(const char *path)
{
	uint8_t bytes[60] = {0};
	for (unsigned i = 0; i < CLOSES; i++) {
		struct nic *nic = open_end("client", path);
		if (!nic)
			return 1;
		send_frame(nic, bytes, sizeof(bytes));
		nic_flush(nic);
		while (!nic->counters.tx_frames)
			nic_flush(nic);
		char word;
		if (read(STDIN_FILENO, &word, 1) != 1)
			return 1;
		nic_close(nic);
		if (read(STDIN_FILENO, &word, 1) != 1) // the server is there again
			return 1;
	}
	return 0;
}

static pid_t other_start(const char *what, const char *path, int *hold)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); // it never outlives a test that fails
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl("/proc/self/exe", what, path, NULL);
		_exit(127);
	}
	close(fds[0]);
	*hold = fds[1];
	return pid;
}

struct place {
	char folder[64], socket[80];
};

static void place_make(struct place *at)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(at->folder, sizeof(at->folder), "%.40s/flyover-memif-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(at->folder));
	snprintf(at->socket, sizeof(at->socket), "%s/s", at->folder);
}

static void place_leave(const struct place *at)
{
	unlink(at->socket);
	assert_int_equal(rmdir(at->folder), 0);
}

static void other_ended_well(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void frames_go_to_another_process_and_back(void **state)
{
	struct place at;
	place_make(&at);
	const char *path = at.socket;
	struct nic *nic = open_end("server", path);
	assert_non_null(nic);
	int hold;
	pid_t pid = other_start("echo", path, &hold);
	uint8_t bytes[1600];
	struct nic_frame f[NIC_BURST];
	for (unsigned sent = 0, got = 0; got < FRAMES;) {
		for (; sent < FRAMES && sent < got + 200; sent++) {
			frame_make(bytes, sent);
			send_frame(nic, bytes, frame_len(sent));
		}
		nic_flush(nic);
		int n = nic_receive(nic, f, NIC_BURST);
		for (int i = 0; i < n; i++, got++) {
			frame_make(bytes, got);
			bytes[0] ^= 255;
			assert_int_equal(f[i].len, frame_len(got));
			assert_memory_equal(f[i].p, bytes, f[i].len);
		}
	}
	close(hold);
	other_ended_well(pid);
	nic_close(nic);
	place_leave(&at);
}

// What DPDK finds wrong it says on stderr, and no more.
static void said_by_both(FILE *said, bool *is_wrong)
{
	char line[512];
	rewind(said);
	while (fgets(line, sizeof(line), said)) {
		fputs(line, stdout);
		*is_wrong |= strstr(line, "Invalid memory") != NULL;
	}
	fclose(said);
}

static void both_ends_close_at_once(void **state)
{
	struct place at;
	struct nic_frame f[NIC_BURST];
	bool is_wrong = false;
	place_make(&at);
	FILE *said = tmpfile();
	int before = dup(STDERR_FILENO), hold = -1;
	assert_true(said && before >= 0);
	dup2(fileno(said), STDERR_FILENO);
	struct nic *nic = open_end("server", at.socket);
	pid_t pid = other_start("close", at.socket, &hold);
	for (unsigned i = 0; nic && i < CLOSES; i++) {
		while (!nic_receive(nic, f, NIC_BURST))
			;
		assert_int_equal(write(hold, "c", 1), 1);
		moment(i);
		nic_close(nic);
		nic = i + 1 < CLOSES ? open_end("server", at.socket) : NULL;
		assert_int_equal(write(hold, "o", 1), 1);
	}
	close(hold);
	other_ended_well(pid);
	dup2(before, STDERR_FILENO);
	close(before);
	said_by_both(said, &is_wrong);
	assert_false(is_wrong);
	place_leave(&at);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return strcmp(argv[0], "close") ? echo(argv[1]) : close_with(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_to_another_process_and_back),
		cmocka_unit_test(both_ends_close_at_once),
	};
	return cmocka_run_group_tests_name("nic_dpdk_memif", tests, NULL, NULL);
}
