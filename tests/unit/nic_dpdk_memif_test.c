// SPDX-License-Identifier: BSD-3-Clause
// Two processes of DPDK at once, without a right, joined by memory that they share: this program
// runs itself as the other end, which sends everything back.
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/nic_dpdk.h"
#include "tests/unit/test.h"

#define FRAMES 1000

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

static pid_t echo_start(const char *path, int *hold)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); // it never outlives a test that fails
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl("/proc/self/exe", "echo", path, NULL);
		_exit(127);
	}
	close(fds[0]);
	*hold = fds[1];
	return pid;
}

static void frames_go_to_another_process_and_back(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[64], path[80];
	snprintf(folder, sizeof(folder), "%.40s/flyover-memif-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	struct nic *nic = open_end("server", path);
	assert_non_null(nic);
	int hold;
	pid_t pid = echo_start(path, &hold);
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
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	nic_close(nic);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return echo(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_to_another_process_and_back),
	};
	return cmocka_run_group_tests_name("nic_dpdk_memif", tests, NULL, NULL);
}
