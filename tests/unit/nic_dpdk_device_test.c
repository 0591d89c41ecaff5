// SPDX-License-Identifier: BSD-3-Clause
// What a setting asks of DPDK, without DPDK: the device's words, what the host lacks for it (a made
// up /sys), memory, arguments, and the sentences.
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/nic_dpdk_device.h"
#include "tests/unit/test.h"

static int read_device(const char *words, unsigned n_queues, uint16_t mtu, struct dpdk_device *d,
		       char *text)
{
	struct nic_dpdk_settings set = {.device = words, .n_queues = n_queues, .mtu = mtu};
	text[0] = 0;
	return dpdk_device_read(&set, d, text);
}

// ---- Words

static void words_name_a_device(void **state)
{
	static const struct {
		const char *words, *name, *for_dpdk, *iface;
		enum dpdk_kind kind;
	} cases[] = {
		{"net_tap0,iface=fly0", "net_tap0", "net_tap0,iface=fly0", "fly0", DPDK_TAP},
		{"net_tap0", "net_tap0", "net_tap0", "", DPDK_TAP},
		{"net_null0", "net_null0", "net_null0", "", DPDK_OTHER},
		{"net_vhost0,iface=/run/flyover/vhost.sock", "net_vhost0",
		 "net_vhost0,iface=/run/flyover/vhost.sock", "", DPDK_OTHER},
		{"net_memif0,id=3,socket=/x", "net_memif0", "net_memif0,id=3,socket=/x", "",
		 DPDK_MEMIF},
		{"net_af_packet0,iface=e", "net_af_packet0",
		 "net_af_packet0,iface=e,qpairs=2,framesz=2048,blocksz=4096,framecnt=2048", "e",
		 DPDK_AF_PACKET},
		{"net_af_xdp0,iface=e,start_queue=1", "net_af_xdp0",
		 "net_af_xdp0,iface=e,start_queue=1,queue_count=2", "e", DPDK_AF_XDP},
		{"03:00.0", "0000:03:00.0", "0000:03:00.0", "", DPDK_PCI},
		{"0001:a3:1f.7,x=1", "0001:a3:1f.7", "0001:a3:1f.7,x=1", "", DPDK_PCI},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dpdk_device d;
		char text[NIC_DPDK_TEXT_LEN];
		assert_int_equal(read_device(cases[i].words, 2, 0, &d, text), 0);
		assert_string_equal(d.name, cases[i].name);
		assert_string_equal(d.words, cases[i].for_dpdk);
		assert_string_equal(d.iface, cases[i].iface);
		assert_int_equal(d.kind, cases[i].kind);
	}
}

static void words_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *words, *part;
		unsigned n_queues;
		uint16_t mtu;
	} cases[] = {
		{"", "names no device", 1, 0},
		{",iface=x", "names no device", 1, 0},
		{"eth0", "no device of DPDK", 1, 0},
		{"03:20.0", "no device of DPDK", 1, 0},
		{"03:00.8", "no device of DPDK", 1, 0},
		{"03:00.0x", "no device of DPDK", 1, 0},
		{"net_af_packet0", "names no interface", 1, 0},
		{"net_af_packet0,iface=e,framesz=65536", "leave framesz= away", 1, 0},
		{"net_af_packet0,qpairs=4,iface=e", "leave qpairs= away", 1, 0},
		{"net_tap0,iface=sixteen_letters__", "too long", 1, 0},
		{"net_null0", "0 queues", 0, 0},
		{"net_null0", "17 queues", 17, 0},
		{"net_null0", "MTU 575", 1, 575},
		{"net_null0", "MTU 9601", 1, 9601},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dpdk_device d;
		char text[NIC_DPDK_TEXT_LEN];
		assert_int_equal(
			read_device(cases[i].words, cases[i].n_queues, cases[i].mtu, &d, text),
			-EINVAL);
		assert_non_null(strstr(text, cases[i].part));
	}
	char words[1000] = "net_tap0,";
	memset(words + 9, 'x', sizeof(words) - 10);
	struct dpdk_device d;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(read_device(words, 1, 0, &d, text), -EINVAL);
}

// A frame of AF_PACKET is copied into a buffer by the length that it has in the kernel's ring.
static void a_frame_always_fits_a_buffer(void **state)
{
	for (unsigned mtu = 576; mtu <= 9600; mtu++) {
		struct dpdk_device d;
		char text[NIC_DPDK_TEXT_LEN];
		unsigned framesz = 0, blocksz = 0;
		assert_int_equal(read_device("net_null0", 1, (uint16_t)mtu, &d, text), 0);
		assert_true(d.room >= mtu + 22 && d.room % 2 == 0 && d.room <= DPDK_ROOM_MAX);
		assert_int_equal(read_device("net_af_packet0,iface=e", 1, (uint16_t)mtu, &d, text),
				 0);
		assert_int_equal(sscanf(strstr(d.words, "framesz="), "framesz=%u,blocksz=%u",
					&framesz, &blocksz),
				 2);
		assert_int_equal(framesz, d.room);
		assert_true(framesz >= mtu + 22 + 82 && !(framesz & (framesz - 1)));
		assert_true(blocksz % framesz == 0 && blocksz % 4096 == 0);
	}
}

static void pools_hold_what_rings_and_caches_can(void **state)
{
	struct nic_dpdk_settings set = {.device = "net_null0", .n_queues = 1};
	struct dpdk_device d;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(dpdk_device_read(&set, &d, text), 0);
	assert_int_equal(d.buffers, 4095);
	set.rx_descriptors = set.tx_descriptors = 4096;
	assert_int_equal(dpdk_device_read(&set, &d, text), 0);
	assert_int_equal(d.buffers, 16383);
	assert_true(d.buffers >= d.rx_descriptors + d.tx_descriptors + 4 * NIC_BURST + 512);
}

// ---- The host

struct host {
	char root[64];
};

static void host_file(const struct host *h, const char *path, const char *content)
{
	char full[512];
	snprintf(full, sizeof(full), "%s%s", h->root, path);
	for (char *p = full + strlen(h->root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	FILE *f = fopen(full, "we");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

static void host_hugepages(const struct host *h, unsigned n_2mb, unsigned n_1gb)
{
	char n[16];
	snprintf(n, sizeof(n), "%u\n", n_2mb);
	host_file(h, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", n);
	snprintf(n, sizeof(n), "%u\n", n_1gb);
	host_file(h, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", n);
}

static void host_pci(const struct host *h, const char *address, const char *driver)
{
	char path[256], target[128];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", address);
	host_file(h, path, "0x8086\n");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", h->root, address);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	if (driver)
		assert_int_equal(symlink(target, path), 0);
}

static int host_setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	snprintf(h->root, sizeof(h->root), "%s", "/tmp/flyover-host-XXXXXX");
	if (!mkdtemp(h->root))
		return -1;
	*state = h;
	return 0;
}

static int host_teardown(void **state)
{
	struct host *h = *state;
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", h->root);
	int rc = system(command);
	free(h);
	return rc;
}

static void hugepages_are_taken_when_there_are_enough(void **state)
{
	static const struct {
		const char *words;
		unsigned n_2mb, n_1gb, memory_mb;
		bool hugepages;
		int rc;
	} cases[] = {
		{"net_tap0", 0, 0, 0, false, 0},      {"net_tap0", 20, 0, 0, false, 0},
		{"net_tap0", 64, 0, 0, true, 0},      {"net_tap0", 0, 1, 0, true, 0},
		{"net_tap0", 64, 0, 512, false, 0},   {"net_tap0", 256, 0, 512, true, 0},
		{"03:00.0", 20, 0, 0, true, 0},       {"03:00.0", 4, 0, 0, false, -ENOMEM},
		{"03:00.0", 0, 0, 0, false, -ENOMEM},
	};
	const struct host *h = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nic_dpdk_settings set = {
			.device = cases[i].words, .n_queues = 1, .memory_mb = cases[i].memory_mb};
		struct dpdk_device d;
		struct dpdk_memory m;
		char text[NIC_DPDK_TEXT_LEN];
		host_hugepages(h, cases[i].n_2mb, cases[i].n_1gb);
		assert_int_equal(dpdk_device_read(&set, &d, text), 0);
		assert_int_equal(dpdk_memory_plan(&set, &d, h->root, &m, text), cases[i].rc);
		assert_int_equal(m.hugepages, cases[i].hugepages);
		assert_int_equal(m.huge_mb, cases[i].n_2mb * 2 + cases[i].n_1gb * 1024);
		if (cases[i].rc)
			assert_non_null(strstr(text, "nr_hugepages"));
	}
}

static void a_host_without_hugepages_is_one_with_none(void **state)
{
	const struct host *h = *state;
	struct nic_dpdk_settings set = {.device = "net_null0", .n_queues = 4};
	struct dpdk_device d;
	struct dpdk_memory one, four;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(dpdk_device_read(&set, &d, text), 0);
	assert_int_equal(dpdk_memory_plan(&set, &d, h->root, &four, text), 0);
	assert_false(four.hugepages);
	assert_int_equal(four.huge_mb, 0);
	set.n_queues = 1;
	assert_int_equal(dpdk_memory_plan(&set, &d, h->root, &one, text), 0);
	assert_in_range(one.mb, 40, 128);
	assert_true(four.mb >= one.mb + 3 * 2 * 9); // a pool has 9 MB
}

static void a_nic_of_the_kernel_is_not_taken(void **state)
{
	static const struct {
		const char *address, *driver, *part;
		int rc;
	} cases[] = {
		{"0000:03:00.0", "ixgbe", "dpdk-devbind.py --bind=vfio-pci 0000:03:00.0", -EBUSY},
		{"0000:03:00.1", "vfio-pci", "", 0},
		{"0000:03:00.2", "uio_pci_generic", "", 0},
		{"0000:03:00.3", "mlx5_core", "", 0},
		{"0000:03:00.4", NULL, "no driver", -EBUSY},
	};
	const struct host *h = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dpdk_device d;
		char text[NIC_DPDK_TEXT_LEN];
		host_pci(h, cases[i].address, cases[i].driver);
		assert_int_equal(read_device(cases[i].address, 1, 0, &d, text), 0);
		assert_int_equal(dpdk_device_check(&d, h->root, text), cases[i].rc);
		assert_non_null(strstr(text, cases[i].part));
	}
	struct dpdk_device d;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(read_device("04:00.0", 1, 0, &d, text), 0);
	assert_int_equal(dpdk_device_check(&d, h->root, text), -ENOENT);
	assert_non_null(strstr(text, "no PCI device 0000:04:00.0"));
}

// ---- Arguments and sentences

static void arguments_follow_from_the_device_and_the_memory(void **state)
{
	struct dpdk_device d;
	struct dpdk_arguments a;
	char text[NIC_DPDK_TEXT_LEN];
	assert_int_equal(read_device("net_tap0", 1, 0, &d, text), 0);
	dpdk_arguments_make(&d, &(struct dpdk_memory){.mb = 64}, "0-1,4", &a);
	assert_string_equal(a.line,
			    "flyover-dataplane --lcores=0@(0-1,4) --no-huge --no-shconf -m 64 "
			    "--no-pci --iova-mode=va --no-telemetry --log-level=notice");
	assert_int_equal(a.n, 10);
	assert_string_equal(a.list[1], "--lcores=0@(0-1,4)");
	assert_string_equal(a.list[a.n - 1], "--log-level=notice");
	assert_null(a.list[a.n]);

	assert_int_equal(read_device("03:00.0", 1, 0, &d, text), 0);
	dpdk_arguments_make(&d, &(struct dpdk_memory){.hugepages = true, .mb = 64}, "2", &a);
	assert_string_equal(a.line, "flyover-dataplane --lcores=0@(2) --in-memory -a 0000:00:00.0 "
				    "--no-telemetry --log-level=notice");
}

static void what_dpdk_says_becomes_a_sentence(void **state)
{
	static const struct {
		const char *words, *log, *part, *line;
		int error;
	} cases[] = {
		{"net_tap0,iface=t",
		 "tun_alloc(): Unable to set TUNSETIFF for t: Operation not permitted\n"
		 "EAL: Driver cannot attach the device (net_tap0)\n",
		 "CAP_NET_ADMIN", "TUNSETIFF", EINVAL},
		{"net_tap0,iface=t",
		 "tun_alloc(): Unable to set TUNSETIFF for t: Invalid argument\n", "multi_queue",
		 "TUNSETIFF", EINVAL},
		{"net_tap0,iface=t",
		 "tun_alloc(): Unable to set TUNSETIFF for t: oh\nx: Invalid argument\n",
		 "Invalid argument", "x: ", EINVAL}, // not of one line
		{"net_null0", "", "net_null0 cannot be opened: No such device", "", ENODEV},
		{"net_null0", "EAL: one\nEAL: two", "(DPDK: EAL: two)", "", ENODEV},
		{"net_null0", "EAL: one\nnull: two\nEAL: three\n\n", "(DPDK: null: two)", "",
		 ENODEV},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dpdk_device d;
		char text[NIC_DPDK_TEXT_LEN];
		assert_int_equal(read_device(cases[i].words, 1, 0, &d, text), 0);
		dpdk_explain(&d, cases[i].log, cases[i].error, text);
		assert_non_null(strstr(text, cases[i].part));
		assert_non_null(strstr(text, cases[i].line));
		assert_null(strchr(text, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_name_a_device),
		cmocka_unit_test(words_that_cannot_be_are_refused),
		cmocka_unit_test(a_frame_always_fits_a_buffer),
		cmocka_unit_test(pools_hold_what_rings_and_caches_can),
		cmocka_unit_test_setup_teardown(hugepages_are_taken_when_there_are_enough,
						host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_host_without_hugepages_is_one_with_none,
						host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_nic_of_the_kernel_is_not_taken, host_setup,
						host_teardown),
		cmocka_unit_test(arguments_follow_from_the_device_and_the_memory),
		cmocka_unit_test(what_dpdk_says_becomes_a_sentence),
	};
	return cmocka_run_group_tests_name("nic_dpdk_device", tests, NULL, NULL);
}
