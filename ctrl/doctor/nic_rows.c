// SPDX-License-Identifier: BSD-3-Clause
// The plan for one device: what is in the way is an error, what costs speed a warning.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/nic.h"

#define MEMLOCK_LEAST   (64 << 20)
#define MEND_LEN        200
#define XDP_MTU_MAX     3498
#define FOR_EVER        "   # lasts over a reboot; apt-get install driverctl"
#define DATAPLANE_RIGHT "setcap cap_net_admin,cap_net_raw+ep \"$(command -v flyover-dataplane)\""

// Of a device that can be used or not at all. @return false: nothing more is to be said
typedef bool nic_row(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f);

// ---- DPDK itself, rights, memory --------------------------------------------------------------

static bool row_nic_driver(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	char mend[MEND_LEN] = "apt-get install libdpdk-dev", package[32];
	if (!k->cpu_fits) {
		finding_put(f, SEVERITY_ERROR, NULL, "this CPU has no SSE4.2, as DPDK needs it");
		return true;
	}
	if (k->drivers[0] && !p->driver_found && p->package[0]) {
		size_t len = (size_t)snprintf(package, sizeof(package), "%s", p->package);
		for (char *c = package; *c; c++)
			*c = *c == '_' ? '-' : *c;
		const char *version = strrchr(k->drivers, '-');
		bool dash = package[len - 1] >= '0' && package[len - 1] <= '9';
		snprintf(mend, sizeof(mend), "apt-get install librte-net-%s%s%.2s", package,
			 dash ? "-" : "", version ? version + 1 : "");
	}
	if (!k->drivers[0] || (!p->driver_found && p->package[0]))
		finding_put(f, SEVERITY_ERROR, mend, "DPDK's driver net_%s is not installed",
			    p->package);
	if (!k->module_found)
		finding_put(f, SEVERITY_ERROR, "tools/build",
			    "flyover-dpdk.so is not beside flyover-dataplane");
	return true;
}

static bool row_nic_memory(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	int64_t needed = dpdk_memory_mb(k->cores);
	int64_t node = p->card ? p->card->node : UNKNOWN;
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend), "sysctl -w vm.nr_hugepages=%lld", (long long)needed / 2 + 1);
	if (k->huge_free_mb < needed) {
		finding_put(f, p->kind == NIC_PCI ? SEVERITY_ERROR : SEVERITY_WARNING, mend,
			    "%lld MB of hugepages are free and %lld MB needed%s",
			    (long long)k->huge_free_mb, (long long)needed,
			    p->kind == NIC_PCI ? "" : ": without them it goes slower");
		return true;
	}
	snprintf(mend, sizeof(mend),
		 "echo %lld > /sys/devices/system/node/node%lld/hugepages/hugepages-2048kB/"
		 "nr_hugepages",
		 (long long)needed / 2 + 1, (long long)node);
	if (p->node_huge_mb != UNKNOWN && p->node_huge_mb < needed)
		finding_put(f, SEVERITY_WARNING, mend,
			    "hugepages are free on another node than the NIC's, %lld: each packet "
			    "would cross between them",
			    (long long)node);
	return true;
}

// ---- A NIC on the PCI bus ---------------------------------------------------------------------

static bool row_pci_there(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (p->card)
		return true;
	finding_put(f, SEVERITY_ERROR, "lspci -D | grep -i net",
		    p->exists ? "%s is no NIC" : "there is no PCI device %s", p->name);
	return false;
}

// A host that cannot be reached any more cannot be mended either.
static bool row_pci_default(const struct nic_plan *p, const struct dpdk_facts *k,
			    struct findings *f)
{
	if (!p->card->has_default || p->stays)
		return true;
	finding_put(f, SEVERITY_DAMAGE, NULL,
		    "%s (%s) carries the default route: taken from the kernel, this host is cut "
		    "off; take another NIC, a virtual function of it, or "
		    "--nic=net_af_packet0,iface=%s",
		    p->name, p->card->iface, p->card->iface);
	return false;
}

static bool row_pci_bound(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	const struct card *c = p->card;
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend), "driverctl set-override %s vfio-pci" FOR_EVER, p->name);
	if (p->stays)
		finding_put(
			f, SEVERITY_INFO, NULL,
			"%s stays with the kernel's driver %s, DPDK takes our traffic beside it",
			p->name, c->driver);
	else if (!strcmp(c->driver, "vfio-pci"))
		finding_put(f, SEVERITY_INFO, NULL, "%s is bound to vfio-pci", p->name);
	else if (!strcmp(c->driver, "uio_pci_generic") || !strcmp(c->driver, "igb_uio"))
		finding_put(f, SEVERITY_WARNING, mend,
			    "%s is bound to %s, which lets a program write all memory; vfio-pci "
			    "does not",
			    p->name, c->driver);
	else
		finding_put(f, SEVERITY_ERROR, mend,
			    "%s belongs to %s%s%s%s: DPDK needs it bound to vfio-pci", p->name,
			    c->driver[0] ? "the kernel's driver " : "no driver", c->driver,
			    c->is_up ? ", and is in use as " : "", c->is_up ? c->iface : "");
	return true;
}

static bool row_pci_vfio(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (p->stays || k->vfio_loaded)
		return true;
	finding_put(f, SEVERITY_ERROR, k->vfio_present ? "modprobe vfio-pci" : NULL,
		    k->vfio_present ? "the kernel's module vfio-pci is not loaded"
				    : "this kernel has no vfio-pci: take --nic=net_af_packet0,"
				      "iface=NAME or a TAP");
	return true;
}

static bool row_pci_iommu(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	char mend[MEND_LEN];
	if (p->stays || p->card->group != UNKNOWN)
		return true;
	snprintf(mend, sizeof(mend),
		 "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&%siommu=pt /' /etc/default/grub && update-grub"
		 "   # then reboot",
		 k->is_amd ? "" : "intel_iommu=on ");
	if (k->noiommu)
		finding_put(f, SEVERITY_WARNING, mend,
			    "VFIO does without an IOMMU: the device may write all memory");
	else
		finding_put(f, SEVERITY_ERROR, mend,
			    "%s is in no IOMMU group: the IOMMU is off, here or in the firmware; a "
			    "virtual machine that has none takes `modprobe vfio "
			    "enable_unsafe_noiommu_mode=1`",
			    p->name);
	return true;
}

static bool row_pci_group(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	for (unsigned i = 0; i < p->n_others; i++) {
		char mend[MEND_LEN];
		snprintf(mend, sizeof(mend), "driverctl set-override %s vfio-pci" FOR_EVER,
			 p->others[i]);
		if (!p->stays)
			finding_put(f, SEVERITY_ERROR, mend,
				    "IOMMU group %lld holds %s as well, which the kernel drives: "
				    "a group moves as a whole",
				    (long long)p->card->group, p->others[i]);
	}
	return true;
}

static bool row_pci_node(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (p->node_cores[0])
		finding_put(f, SEVERITY_INFO, NULL,
			    "%s is on NUMA node %lld: give flyover cores of that node, --cores=%s",
			    p->name, (long long)p->card->node, p->node_cores);
	return true;
}

static bool row_pci_rights(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (!dpdk_may(k, CAPABILITY_IPC_LOCK) && k->memlock < MEMLOCK_LEAST)
		finding_put(f, SEVERITY_ERROR,
			    "systemctl edit flyoverd   # [Service] LimitMEMLOCK=infinity",
			    "this user may lock %lld KB of memory, and a NIC reads and writes "
			    "locked memory",
			    (long long)k->memlock / 1024);
	if (k->noiommu && !dpdk_may(k, CAPABILITY_SYS_ADMIN))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "VFIO without an IOMMU is for root alone (CAP_SYS_ADMIN)");
	return true;
}

// ---- TAP --------------------------------------------------------------------------------------

static bool row_tap_rights(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (!k->tun)
		finding_put(f, SEVERITY_ERROR,
			    k->tun_error == -ENOENT ? "modprobe tun" : "chmod a+rw /dev/net/tun",
			    "/dev/net/tun cannot be opened: %s; a container takes "
			    "--device=/dev/net/tun",
			    strerror(-k->tun_error));
	if (!dpdk_may(k, CAPABILITY_NET_ADMIN))
		finding_put(f, SEVERITY_ERROR, DATAPLANE_RIGHT,
			    "a TAP device takes CAP_NET_ADMIN, which this user does not have");
	return true;
}

static bool row_tap_iface(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend),
		 "ip tuntap del dev %s mode tap && ip tuntap add dev %s mode tap multi_queue",
		 p->iface, p->iface);
	if (!p->iface_exists)
		finding_put(f, SEVERITY_INFO, NULL, "%s will be made, and goes with flyover",
			    p->iface[0] ? p->iface : "a TAP");
	else if (!p->iface_is_tap)
		finding_put(f, SEVERITY_ERROR, NULL,
			    "%s is there already and is no TAP: name another by ,iface=", p->iface);
	else if (!p->iface_is_multi)
		finding_put(f, SEVERITY_ERROR, mend,
			    "%s was made without multi_queue, so DPDK cannot open it", p->iface);
	else if (p->iface_is_used)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "a process has %s open: two would share its frames", p->iface);
	return true;
}

// ---- AF_PACKET and AF_XDP ---------------------------------------------------------------------

static bool row_packet_there(const struct nic_plan *p, const struct dpdk_facts *k,
			     struct findings *f)
{
	if (!p->iface[0])
		finding_put(f, SEVERITY_ERROR, NULL, "'%s' names no interface: add ,iface=NAME",
			    p->words);
	else if (!p->iface_exists)
		finding_put(f, SEVERITY_ERROR, "ip -br link", "there is no interface %s", p->iface);
	return p->iface_exists;
}

static bool row_packet_default(const struct nic_plan *p, const struct dpdk_facts *k,
			       struct findings *f)
{
	if (!p->iface_has_default)
		return true;
	if (p->kind == NIC_XDP) {
		finding_put(f, SEVERITY_DAMAGE, NULL,
			    "%s carries the default route, and AF_XDP takes its frames from the "
			    "kernel: this host is cut off; take another NIC, or net_af_packet0",
			    p->iface);
		return false;
	}
	finding_put(f, SEVERITY_WARNING, NULL,
		    "%s carries the default route: the kernel keeps its traffic and sees ours, "
		    "which costs both; give us an address that the kernel does not have",
		    p->iface);
	return true;
}

static bool row_packet_rights(const struct nic_plan *p, const struct dpdk_facts *k,
			      struct findings *f)
{
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend), "ip link set %s up", p->iface);
	if (!dpdk_may(k, CAPABILITY_NET_RAW))
		finding_put(f, SEVERITY_ERROR, DATAPLANE_RIGHT,
			    "%s takes CAP_NET_RAW, which this user does not have", p->name);
	if (p->kind == NIC_XDP && !dpdk_may(k, CAPABILITY_NET_ADMIN))
		finding_put(f, SEVERITY_ERROR, DATAPLANE_RIGHT,
			    "%s takes CAP_NET_ADMIN, which this user does not have", p->name);
	if (!p->iface_is_up)
		finding_put(f, SEVERITY_ERROR, mend, "%s is down", p->iface);
	return true;
}

// What a local kernel sends over a veth has no checksum yet, and may be longer than the MTU: nobody
// was to look at it before a real NIC.
static bool row_packet_sums(const struct nic_plan *p, const struct dpdk_facts *k,
			    struct findings *f)
{
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend), "ethtool -K %s tx off gro off", p->peer[0] ? p->peer : "PEER");
	if (p->iface_is_veth && p->peer_sums != 0)
		finding_put(f, p->peer_sums == 1 ? SEVERITY_ERROR : SEVERITY_WARNING, mend,
			    "the other end of %s%s%s %s checksums to a NIC%s: what its own kernel "
			    "sends would come without, and our TCP drops that",
			    p->iface, p->peer[0] ? ", " : "", p->peer,
			    p->peer_sums == 1 ? "is set to leave" : "may be set to leave",
			    p->peer[0] ? "" : " (it is in another network namespace)");
	snprintf(mend, sizeof(mend), "ethtool -K %s gro off lro off", p->iface);
	if (p->kind == NIC_PACKET && p->iface_merges == 1)
		finding_put(f, SEVERITY_WARNING, mend,
			    "%s makes one long frame of several (GRO), and AF_PACKET cuts what is "
			    "longer than a frame",
			    p->iface);
	return true;
}

static bool row_xdp_iface(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	char mend[MEND_LEN];
	snprintf(mend, sizeof(mend), "ethtool -L %s combined 1", p->iface);
	if (p->iface_queues > 1)
		finding_put(f, SEVERITY_WARNING, mend,
			    "%s receives by %lld queues: a frame of one that has no core is lost "
			    "to us; as many as --cores, or one",
			    p->iface, (long long)p->iface_queues);
	snprintf(mend, sizeof(mend), "ip link set %s mtu 1500", p->iface);
	if (p->iface_mtu > XDP_MTU_MAX)
		finding_put(f, SEVERITY_ERROR, mend,
			    "%s has an MTU of %lld: AF_XDP takes frames of one page, %d at most",
			    p->iface, (long long)p->iface_mtu, XDP_MTU_MAX);
	return true;
}

// ---- The plan ---------------------------------------------------------------------------------

static bool row_nonsense(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	finding_put(f, SEVERITY_ERROR, NULL,
		    "'%s' is no device: take a PCI address such as 0000:03:00.0, or net_tap0, "
		    "net_af_packet0,iface=NAME, net_af_xdp0,iface=NAME, net_memif0,...",
		    p->words);
	return false;
}

// What came of it: the last line.
static bool row_verdict(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	if (!findings_count(f, SEVERITY_ERROR))
		finding_put(f, SEVERITY_INFO, NULL, "--net=dpdk --nic=%s can be used", p->words);
	return true;
}

void nic_judge(const struct nic_plan *p, const struct dpdk_facts *k, struct findings *f)
{
	static const struct {
		const char *check;
		nic_row *judge;
		unsigned kinds; // bit i: of enum nic_kind i
	} rows[] = {
#define PCI     (1 << NIC_PCI)
#define TAP     (1 << NIC_TAP)
#define PKT     (1 << NIC_PACKET)
#define XDP     (1 << NIC_XDP)
#define VIRTUAL (TAP | PKT | XDP | 1 << NIC_OTHER)
		{"nic", row_nonsense, 1 << NIC_NONSENSE},
		{"nic", row_pci_there, PCI},
		{"nic-default-route", row_pci_default, PCI},
		{"nic", row_packet_there, PKT | XDP},
		{"nic-default-route", row_packet_default, PKT | XDP},
		{"nic-driver", row_nic_driver, PCI | VIRTUAL},
		{"nic-memory", row_nic_memory, PCI | VIRTUAL},
		{"nic-vfio", row_pci_vfio, PCI},
		{"nic-iommu", row_pci_iommu, PCI},
		{"nic-bound", row_pci_bound, PCI},
		{"nic-group", row_pci_group, PCI},
		{"nic-node", row_pci_node, PCI},
		{"nic-rights", row_pci_rights, PCI},
		{"nic-rights", row_tap_rights, TAP},
		{"nic-tap", row_tap_iface, TAP},
		{"nic-rights", row_packet_rights, PKT | XDP},
		{"nic-checksums", row_packet_sums, PKT | XDP},
		{"nic-queues", row_xdp_iface, XDP},
		{"nic", row_verdict, PCI | VIRTUAL},
	};
	bool more = true;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]) && more; i++) {
		f->check = rows[i].check;
		if (rows[i].kinds >> p->kind & 1)
			more = rows[i].judge(p, k, f);
	}
}
