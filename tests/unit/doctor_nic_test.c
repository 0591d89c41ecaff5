// SPDX-License-Identifier: BSD-3-Clause
// What the doctor makes of a host and of one device for DPDK, by the files of a /proc and a /sys of
// the test's own.
#include "tests/unit/test.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/nic.h"
#include "ctrl/doctor/root.h"

struct scene {
	char root[64];
	struct dpdk_facts facts;
	struct nic_plan plan;
	struct findings found;
};

// ---- A host of files --------------------------------------------------------------------------

static void folders_make(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void file_put(struct scene *s, const char *path, const char *text)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "%s%s", s->root, path);
	folders_make(whole);
	FILE *f = fopen(whole, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void link_put(struct scene *s, const char *path, const char *to)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "%s%s", s->root, path);
	folders_make(whole);
	unlink(whole);
	assert_int_equal(symlink(to, whole), 0);
}

// A NIC with its interface, of IOMMU group 12 on node 1.
static void card_put(struct scene *s, const char *pci, const char *iface, const char *driver)
{
	char path[256], to[256];
#define PCI(file) (snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/" file, pci), path)
	file_put(s, PCI("class"), "0x020000\n");
	file_put(s, PCI("vendor"), "0x8086\n");
	file_put(s, PCI("numa_node"), "1\n");
	snprintf(to, sizeof(to), "../../../../bus/pci/drivers/%s", driver);
	link_put(s, PCI("driver"), to);
	link_put(s, PCI("iommu_group"), "../../../../kernel/iommu_groups/12");
#undef PCI
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/12/devices/%s", pci);
	file_put(s, path, "");
	if (!iface)
		return;
	snprintf(path, sizeof(path), "/sys/devices/pci0000:00/%s/net/%s/flags", pci, iface);
	file_put(s, path, "0x1003\n");
	snprintf(path, sizeof(path), "/sys/class/net/%s", iface);
	snprintf(to, sizeof(to), "../../devices/pci0000:00/%s/net/%s", pci, iface);
	link_put(s, path, to);
}

static void routes_put(struct scene *s, const char *iface)
{
	char text[512];
	snprintf(text, sizeof(text),
		 "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		 "%s\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		 "other\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		 iface);
	file_put(s, "/proc/net/route", text);
}

// A server made ready for DPDK: two nodes, hugepages, the IOMMU on; eth0 is what people reach it
// by, eth1 is bound to vfio-pci.
static int scene_open(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	const char *tmp = getenv("TMPDIR");
	snprintf(s->root, sizeof(s->root), "%.40s/flyover-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(s->root));
	file_put(s, "/proc/cpuinfo", "vendor_id : GenuineIntel\nflags : fpu sse4_1 sse4_2 avx\n");
	file_put(s, "/proc/self/status", "Name: x\nCapEff:\t000001ffffffffff\n");
	file_put(s, "/proc/self/timerslack_ns", "50000\n");
	file_put(s, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
	file_put(s, "/sys/devices/system/cpu/isolated", "2-3\n");
	file_put(s, "/sys/devices/system/cpu/nohz_full", "2-3\n");
	file_put(s, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	file_put(s, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "500\n");
	file_put(s, "/sys/devices/system/node/node0/cpulist", "0-1\n");
	file_put(s, "/sys/devices/system/node/node1/cpulist", "2-3\n");
	file_put(s, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages",
		 "400\n");
	file_put(s, "/sys/bus/pci/drivers/vfio-pci/module", "");
	file_put(s, "/dev/net/tun", "");
	file_put(s, "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_ixgbe.so.23", "");
	file_put(s, "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_tap.so.23.0", "");
	file_put(s, "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_af_packet.so", "");
	file_put(s, "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_af_xdp.so", "");
	card_put(s, "0000:03:00.0", "eth0", "ixgbe");
	card_put(s, "0000:03:00.1", NULL, "vfio-pci");
	file_put(s, "/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	routes_put(s, "eth0");
	*state = s;
	return 0;
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static int scene_close(void **state)
{
	struct scene *s = *state;
	nftw(s->root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(s);
	return 0;
}

static void host_look(struct scene *s)
{
	dpdk_gather(&s->facts, s->root);
	s->facts.module_found = true; // it lies beside a program, not below a root
	s->facts.cores = 2;
	memset(&s->found, 0, sizeof(s->found));
}

static void nic_look(struct scene *s, const char *words)
{
	host_look(s);
	s->facts.memlock = INT64_MAX;
	nic_gather(&s->plan, &s->facts, s->root, words);
	nic_judge(&s->plan, &s->facts, &s->found);
}

static void says(struct scene *s, const char *check, enum severity severity, const char *words,
		 const char *mend)
{
	for (unsigned i = 0; i < s->found.n; i++) {
		const struct finding *f = &s->found.list[i];
		if (!strcmp(f->check, check) && f->severity == severity &&
		    strstr(f->sentence, words) && strstr(f->mend, mend))
			return;
	}
	for (unsigned i = 0; i < s->found.n; i++)
		print_error("%s %s: %s $ %s\n", severity_text(s->found.list[i].severity),
			    s->found.list[i].check, s->found.list[i].sentence,
			    s->found.list[i].mend);
	fail_msg("%s does not say '%s' with '%s'", check, words, mend);
}

static void is_fine(struct scene *s)
{
	if (findings_count(&s->found, SEVERITY_ERROR) ||
	    findings_count(&s->found, SEVERITY_WARNING))
		says(s, "nic", SEVERITY_INFO, "no trouble at all", "");
}

// ---- The host ---------------------------------------------------------------------------------

static void a_host_that_is_ready_has_nothing_to_mend(void **state)
{
	struct scene *s = *state;
	host_look(s);
	dpdk_judge(&s->facts, &s->found);
	is_fine(s);
	says(s, "dpdk", SEVERITY_INFO, "is installed", "--nic=");
	says(s, "dpdk-memory", SEVERITY_INFO, "1000 MB of hugepages are free", "");
	says(s, "iommu", SEVERITY_INFO, "is on, vfio-pci is loaded", "");
	says(s, "nics", SEVERITY_INFO, "eth0 is driven by ixgbe and carries the default route", "");
	says(s, "nics", SEVERITY_INFO, "0000:03:00.1 is driven by vfio-pci",
	     "flyover doctor --nic=0000:03:00.1");
	says(s, "isolated-cores", SEVERITY_INFO, "cores 2-3 are isolated, without ticks 2-3", "");
	assert_int_equal(s->facts.n_cards, 2);
}

// An empty root: nothing is there, and nothing of it is worse than a remark.
static void a_host_without_anything_is_only_told_so(void **state)
{
	struct scene *s = *state;
	char root[80];
	snprintf(root, sizeof(root), "%s/nothing", s->root);
	dpdk_gather(&s->facts, root);
	dpdk_judge(&s->facts, &s->found);
	is_fine(s);
	says(s, "dpdk", SEVERITY_INFO, "not installed", "apt-get install libdpdk-dev");
	says(s, "dpdk-memory", SEVERITY_INFO, "0 MB of 0 MB", "sysctl -w vm.nr_hugepages=");
	says(s, "iommu", SEVERITY_INFO, "no IOMMU", "");
	says(s, "tap", SEVERITY_INFO, "/dev/net/tun: No such file", "modprobe tun");
	says(s, "isolated-cores", SEVERITY_INFO, "no core is isolated", "");
}

static void a_host_is_judged_by_its_files(void **state)
{
	struct scene *s = *state;
	file_put(s, "/proc/cpuinfo", "flags : fpu sse2\n");
	file_put(s, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	file_put(s, "/proc/self/timerslack_ns", "9000000\n");
	file_put(s, "/proc/self/status", "CapEff:\t0000000000000000\n");
	file_put(s, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10\n");
	host_look(s);
	dpdk_judge(&s->facts, &s->found);
	says(s, "dpdk", SEVERITY_INFO, "SSE4.2", "");
	says(s, "timers", SEVERITY_WARNING, "hpet", "echo tsc >");
	says(s, "timers", SEVERITY_INFO, "9000 us late", "");
	says(s, "tap", SEVERITY_INFO, "CAP_NET_ADMIN", "");
	says(s, "dpdk-memory", SEVERITY_INFO, "20 MB of 1024 MB", "vm.nr_hugepages=21");
}

static void the_default_route_is_found_in_both_families(void **state)
{
	struct scene *s = *state;
	assert_true(route_is_default(s->root, "eth0"));
	assert_false(route_is_default(s->root, "other"));
	file_put(s, "/proc/net/ipv6_route",
		 "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
		 "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth2\n"
		 "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		 "fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth1\n"
		 "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		 "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n");
	assert_true(route_is_default(s->root, "eth1"));
	assert_false(route_is_default(s->root, "eth2"));
	assert_false(route_is_default(s->root, "lo")); // it refuses
}

static void this_host_has_files_too(void **state)
{
	struct scene *s = *state;
	dpdk_gather(&s->facts, "");
	assert_true(s->facts.cores > 0);
	assert_true(s->facts.slack_ns != UNKNOWN);
	assert_false(route_is_default("", "lo"));
}

// ---- A NIC ------------------------------------------------------------------------------------

// eth0 is of the same group: it has to leave the kernel too, but to say so is enough.
static void a_bound_nic_can_be_used_once_its_group_is_free(void **state)
{
	struct scene *s = *state;
	nic_look(s, "03:00.1");
	assert_int_equal(findings_count(&s->found, SEVERITY_ERROR), 1);
	says(s, "nic-group", SEVERITY_ERROR, "group 12 holds 0000:03:00.0",
	     "driverctl set-override 0000:03:00.0 vfio-pci");
	link_put(s, "/sys/bus/pci/devices/0000:03:00.0/driver", "../drivers/pcieport");
	nic_look(s, "0000:03:00.1");
	is_fine(s);
	says(s, "nic-bound", SEVERITY_INFO, "bound to vfio-pci", "");
	says(s, "nic-node", SEVERITY_INFO, "node 1", "");
	says(s, "nic", SEVERITY_INFO, "--net=dpdk --nic=0000:03:00.1 can be used", "");
}

static void the_nic_of_the_default_route_is_refused(void **state)
{
	struct scene *s = *state;
	nic_look(s, "0000:03:00.0");
	says(s, "nic-default-route", SEVERITY_DAMAGE, "cut off", "");
	assert_int_equal(s->found.n, 1); // no plan for it
	routes_put(s, "other");
	nic_look(s, "0000:03:00.0");
	says(s, "nic-bound", SEVERITY_ERROR,
	     "belongs to the kernel's driver ixgbe, and is in use as eth0",
	     "driverctl set-override 0000:03:00.0 vfio-pci");
}

// A bifurcated NIC is shared: the default route stays with the kernel.
static void a_nic_that_the_kernel_shares_may_carry_the_default_route(void **state)
{
	struct scene *s = *state;
	link_put(s, "/sys/bus/pci/devices/0000:03:00.0/driver", "../drivers/mlx5_core");
	file_put(s, "/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_mlx5.so.23", "");
	nic_look(s, "0000:03:00.0");
	is_fine(s);
	says(s, "nic-bound", SEVERITY_INFO, "stays with the kernel's driver mlx5_core", "");
}

static void what_is_no_nic_is_refused(void **state)
{
	struct scene *s = *state;
	nic_look(s, "0000:00:02.0");
	says(s, "nic", SEVERITY_ERROR, "0000:00:02.0 is no NIC", "lspci");
	nic_look(s, "0000:09:00.0");
	says(s, "nic", SEVERITY_ERROR, "there is no PCI device 0000:09:00.0", "lspci");
	nic_look(s, "eth0");
	says(s, "nic", SEVERITY_ERROR, "'eth0' is no device", "");
	nic_look(s, "net_bogus0");
	says(s, "nic-driver", SEVERITY_ERROR, "net_bogus is not installed",
	     "apt-get install librte-net-bogus23");
	nic_look(s, "net_bogus9000x2");
	says(s, "nic-driver", SEVERITY_ERROR, "net_bogus9000x", "librte-net-bogus9000x23");
}

static void what_a_nic_lacks_is_told_with_its_command(void **state)
{
	struct scene *s = *state;
	char path[128];
	routes_put(s, "other");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/0000:03:00.0/iommu_group", s->root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/sys/bus/pci/drivers/vfio-pci/module", s->root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/sys/bus/pci/drivers/vfio-pci", s->root);
	rmdir(path);
	file_put(s, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
	nic_look(s, "0000:03:00.0");
	says(s, "nic-iommu", SEVERITY_ERROR, "in no IOMMU group", "intel_iommu=on iommu=pt");
	says(s, "nic-vfio", SEVERITY_ERROR, "no vfio-pci", "");
	says(s, "nic-memory", SEVERITY_ERROR, "6 MB of hugepages are free and 40 MB needed",
	     "sysctl -w vm.nr_hugepages=21");
	file_put(s, "/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
	file_put(s, "/lib/modules/6.1.0-9-amd64/modules.dep",
		 "kernel/drivers/vfio/vfio.ko:\nkernel/drivers/vfio/pci/vfio-pci.ko: "
		 "kernel/drivers/vfio/vfio.ko\n");
	nic_look(s, "0000:03:00.0");
	says(s, "nic-vfio", SEVERITY_ERROR, "not loaded", "modprobe vfio-pci");
	file_put(s, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	file_put(s, "/proc/cpuinfo", "vendor_id : AuthenticAMD\nflags : sse4_2\n");
	nic_look(s, "0000:03:00.0");
	says(s, "nic-iommu", SEVERITY_WARNING, "may write all memory", "\"/&iommu=pt ");
}

static void hugepages_of_another_node_are_warned_of(void **state)
{
	struct scene *s = *state;
	link_put(s, "/sys/bus/pci/devices/0000:03:00.0/driver", "../drivers/pcieport");
	file_put(s, "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages",
		 "0\n");
	nic_look(s, "0000:03:00.1");
	says(s, "nic-memory", SEVERITY_WARNING, "another node than the NIC's, 1",
	     "echo 21 > /sys/devices/system/node/node1/hugepages/");
}

static void a_user_without_rights_is_told_which(void **state)
{
	struct scene *s = *state;
	file_put(s, "/proc/self/status", "CapEff:\t0000000000000000\n");
	host_look(s);
	s->facts.memlock = 8 << 20;
	nic_gather(&s->plan, &s->facts, s->root, "0000:03:00.1");
	nic_judge(&s->plan, &s->facts, &s->found);
	says(s, "nic-rights", SEVERITY_ERROR, "lock 8192 KB", "LimitMEMLOCK=infinity");
	nic_look(s, "net_tap0,iface=fly0");
	says(s, "nic-rights", SEVERITY_ERROR, "CAP_NET_ADMIN", "setcap cap_net_admin");
	file_put(s, "/sys/class/net/eth9/flags", "0x1003\n");
	nic_look(s, "net_af_packet0,iface=eth9");
	says(s, "nic-rights", SEVERITY_ERROR, "CAP_NET_RAW", "setcap");
}

// ---- Interfaces -------------------------------------------------------------------------------

static void a_tap_that_will_be_made_needs_nothing(void **state)
{
	struct scene *s = *state;
	nic_look(s, "net_tap0,iface=fly0,mac=fixed");
	is_fine(s);
	says(s, "nic-tap", SEVERITY_INFO, "fly0 will be made", "");
	assert_string_equal(s->plan.iface, "fly0");
	nic_look(s, "net_tap0");
	is_fine(s);
}

static void a_tap_that_is_there_has_to_fit(void **state)
{
	struct scene *s = *state;
	file_put(s, "/sys/class/net/fly0/tun_flags", "0x1002\n");
	nic_look(s, "net_tap0,iface=fly0");
	says(s, "nic-tap", SEVERITY_ERROR, "without multi_queue",
	     "ip tuntap add dev fly0 mode tap multi_queue");
	file_put(s, "/sys/class/net/fly0/tun_flags", "0x1102\n");
	nic_look(s, "net_tap0,iface=fly0");
	is_fine(s);
	file_put(s, "/sys/class/net/fly0/carrier", "1\n");
	nic_look(s, "net_tap0,iface=fly0");
	says(s, "nic-tap", SEVERITY_WARNING, "a process has fly0 open", "");
	nic_look(s, "net_tap0,iface=eth0");
	says(s, "nic-tap", SEVERITY_ERROR, "eth0 is there already and is no TAP", "");
	char path[128];
	snprintf(path, sizeof(path), "%s/dev/net/tun", s->root);
	unlink(path);
	nic_look(s, "net_tap0,iface=fly9");
	says(s, "nic-rights", SEVERITY_ERROR, "No such file", "modprobe tun");
}

static void veth_put(struct scene *s, const char *name, const char *us, const char *them)
{
	char path[128];
#define NET(file) (snprintf(path, sizeof(path), "/sys/class/net/%s/" file, name), path)
	file_put(s, NET("flags"), "0x1003\n");
	file_put(s, NET("mtu"), "1500\n");
	file_put(s, NET("ifindex"), us);
	file_put(s, NET("iflink"), them);
	file_put(s, NET("uevent"), "INTERFACE=x\nIFINDEX=7\n");
#undef NET
}

// The bad checksums of what a local kernel sends.
static void a_veth_gives_the_line_for_its_other_end(void **state)
{
	struct scene *s = *state;
	veth_put(s, "va", "7\n", "8\n");
	veth_put(s, "vb", "8\n", "7\n");
	nic_look(s, "net_af_packet0,iface=va");
	says(s, "nic-checksums", SEVERITY_WARNING, "the other end of va, vb may be set",
	     "ethtool -K vb tx off gro off");
	s->plan.peer_sums = 1;
	memset(&s->found, 0, sizeof(s->found));
	nic_judge(&s->plan, &s->facts, &s->found);
	says(s, "nic-checksums", SEVERITY_ERROR, "vb is set to leave checksums",
	     "ethtool -K vb tx off");
	s->plan.peer_sums = 0;
	memset(&s->found, 0, sizeof(s->found));
	nic_judge(&s->plan, &s->facts, &s->found);
	is_fine(s);
	veth_put(s, "vb", "8\n", "9\n"); // its peer is somebody else: ours is in another namespace
	nic_look(s, "net_af_xdp0,iface=va");
	says(s, "nic-checksums", SEVERITY_WARNING, "another network namespace", "ethtool -K PEER");
	file_put(s, "/sys/class/net/va/uevent", "DEVTYPE=vlan\n");
	nic_look(s, "net_af_packet0,iface=va");
	is_fine(s);
}

static void an_interface_is_looked_at(void **state)
{
	struct scene *s = *state;
	nic_look(s, "net_af_packet0");
	says(s, "nic", SEVERITY_ERROR, "names no interface", "");
	nic_look(s, "net_af_packet0,iface=none");
	says(s, "nic", SEVERITY_ERROR, "there is no interface none", "ip -br link");
	nic_look(s, "net_af_xdp0,iface=eth0");
	says(s, "nic-default-route", SEVERITY_DAMAGE, "cut off", "");
	nic_look(s, "net_af_packet0,iface=eth0");
	says(s, "nic-default-route", SEVERITY_WARNING, "the kernel keeps its traffic", "");
	routes_put(s, "other");
	file_put(s, "/sys/class/net/eth0/flags", "0x1002\n");
	file_put(s, "/sys/class/net/eth0/mtu", "9000\n");
	file_put(s, "/sys/class/net/eth0/queues/rx-0/rps_cpus", "");
	file_put(s, "/sys/class/net/eth0/queues/rx-1/rps_cpus", "");
	nic_look(s, "net_af_xdp0,iface=eth0");
	says(s, "nic-rights", SEVERITY_ERROR, "eth0 is down", "ip link set eth0 up");
	says(s, "nic-queues", SEVERITY_WARNING, "by 2 queues", "ethtool -L eth0 combined 1");
	says(s, "nic-queues", SEVERITY_ERROR, "MTU of 9000", "ip link set eth0 mtu 1500");
	s->plan.kind = NIC_PACKET;
	s->plan.iface_merges = 1;
	memset(&s->found, 0, sizeof(s->found));
	nic_judge(&s->plan, &s->facts, &s->found);
	says(s, "nic-checksums", SEVERITY_WARNING, "(GRO)", "ethtool -K eth0 gro off");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_that_is_ready_has_nothing_to_mend),
		TEST(a_host_without_anything_is_only_told_so),
		TEST(a_host_is_judged_by_its_files),
		TEST(the_default_route_is_found_in_both_families),
		TEST(this_host_has_files_too),
		TEST(a_bound_nic_can_be_used_once_its_group_is_free),
		TEST(the_nic_of_the_default_route_is_refused),
		TEST(a_nic_that_the_kernel_shares_may_carry_the_default_route),
		TEST(what_is_no_nic_is_refused),
		TEST(what_a_nic_lacks_is_told_with_its_command),
		TEST(hugepages_of_another_node_are_warned_of),
		TEST(a_user_without_rights_is_told_which),
		TEST(a_tap_that_will_be_made_needs_nothing),
		TEST(a_tap_that_is_there_has_to_fit),
		TEST(a_veth_gives_the_line_for_its_other_end),
		TEST(an_interface_is_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
