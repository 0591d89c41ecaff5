// SPDX-License-Identifier: BSD-3-Clause
// DPDK as a module: a program finds it beside itself, and says so when it is not there. This
// program runs a copy of itself in a folder that has it; argv[1] is the module.
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/nic_dpdk.h"
#include "tests/unit/test.h"

static const char *module_path;

static int open_null(struct nic **nic, char *text)
{
	struct nic_dpdk_settings set = {
		.device = "net_null0", .n_queues = 1, .control_cpu = -1, .memory_mb = 512};
	return nic_dpdk_open(&set, nic, text);
}

// In the copy.
static int child(void)
{
	struct nic *nic;
	struct nic_frame f[NIC_BURST];
	char text[NIC_DPDK_TEXT_LEN];
	if (open_null(&nic, text)) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	if (nic_receive(nic, f, NIC_BURST) != NIC_BURST || f[0].len != 64)
		return 2;
	nic_close(nic);
	return strstr(nic_dpdk_arguments(), "--no-huge") ? 0 : 3;
}

static void without_the_module_it_says_what_to_do(void **state)
{
	struct nic *nic;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(open_null(&nic, text), -ENOEXEC);
	assert_non_null(strstr(text, "tools/setup"));
	assert_string_equal(nic_dpdk_arguments(), "");
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	assert_true(in && out);
	static char bytes[65536];
	for (size_t n; (n = fread(bytes, 1, sizeof(bytes), in));)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(to, 0755), 0);
}

static void the_module_beside_the_program_is_taken(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[256], program[300], module[300];
	snprintf(folder, sizeof(folder), "%s/flyover-load-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/program", folder);
	snprintf(module, sizeof(module), "%s/flyover-dpdk.so", folder);
	copy_file("/proc/self/exe", program);
	assert_int_equal(symlink(module_path, module), 0);
	pid_t pid = fork();
	if (!pid) {
		execl(program, program, "child", NULL);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(program);
	unlink(module);
	rmdir(folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 1;
	if (!strcmp(argv[1], "child"))
		return child();
	module_path = realpath(argv[1], NULL); // it is linked to from another folder
	if (!module_path)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_module_it_says_what_to_do),
		cmocka_unit_test(the_module_beside_the_program_is_taken),
	};
	return cmocka_run_group_tests_name("nic_dpdk_load", tests, NULL, NULL);
}
