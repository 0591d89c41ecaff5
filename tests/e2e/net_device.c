// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/net_device.h"

#include <glob.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/e2e/harness.h"
#include "tests/e2e/vlan.h"
#include "tests/unit/tap_rig.h"

struct net_device {
	enum net_device_kind kind;
	char iface[IFNAMSIZ]; // opened by the job
	char other[IFNAMSIZ]; // the kernel's end: of a veth, or the VLAN's; else the same
	const char *words;
	struct vlan *vlan;
};

static int command_try(const char *command)
{
	return system(text("%s >/dev/null 2>&1", command));
}

int ip_try(const char *arguments)
{
	return command_try(text("ip %s", arguments));
}

// ---- What is missing

// Two instructions, `return XDP_PASS`: the right to load those is that to load DPDK's.
static bool may_load_bpf(void)
{
	struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)pass,
		.insn_cnt = 2,
		.license = (uintptr_t) "BSD",
	};
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static bool has_driver(const char *name)
{
	glob_t found;
	bool has = !glob(text("/usr/lib/*/dpdk/pmds-*/librte_net_%s.so*", name), 0, NULL, &found);
	if (has)
		globfree(&found);
	return has;
}

static const char *xdp_missing(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return "no AF_XDP in this kernel, or no right to it";
	close(fd);
	if (!may_load_bpf())
		return "no right to load BPF programs";
	return has_driver("af_xdp") ? NULL : "no driver of DPDK for AF_XDP";
}

const char *net_device_missing(enum net_device_kind kind)
{
	if (kind == NET_DEVICE_TAP)
		return NULL;
	if (ip_try("link add probe0 type veth peer name probe1"))
		return "no veth devices in this kernel, or no right to make them";
	ip_try("link del probe0");
	return kind == NET_DEVICE_XDP ? xdp_missing() : NULL;
}

// ---- Devices

// The kernel leaves the checksums of what it sends over a veth open: nobody looks before a NIC.
static void veth_make(const struct net_device *d)
{
	assert_int_equal(ip_try(text("link add %s type veth peer name %s", d->iface, d->other)), 0);
	assert_int_equal(ip_try(text("link set %s up addrgenmode none", d->iface)), 0);
	assert_int_equal(command_try(text("ethtool -K %s tx off", d->other)), 0);
}

struct net_device *net_device_make(enum net_device_kind kind, unsigned n, bool has_vlan)
{
	static const char *const names[] = {"net_tap0", "net_af_packet0", "net_af_xdp0"};
	struct net_device *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->kind = kind;
	snprintf(d->iface, sizeof(d->iface), "fly%u", n);
	snprintf(d->other, sizeof(d->other), kind == NET_DEVICE_TAP ? "fly%u" : "fly%uk", n);
	d->words = text("--nic=%s,iface=%s", names[kind], d->iface);
	if (kind == NET_DEVICE_TAP)
		tap_make(d->iface, true);
	else
		veth_make(d);
	if (has_vlan) {
		assert_int_equal(ip_try(text("link set %s up addrgenmode none", d->other)), 0);
		d->vlan = vlan_start(d->other, text("fly%ut", n), NET_DEVICE_VLAN);
		snprintf(d->other, sizeof(d->other), "fly%ut", n);
	}
	return d;
}

const char *net_device_iface(const struct net_device *d)
{
	return d->other;
}

const char *net_device_words(const struct net_device *d)
{
	return d->words;
}

void net_device_remove(struct net_device *d)
{
	if (d->vlan)
		vlan_stop(d->vlan);
	if (d->kind == NET_DEVICE_TAP)
		tap_remove(d->iface, true);
	else
		ip_try(text("link del %s", d->iface));
	free(d);
}
