// SPDX-License-Identifier: BSD-3-Clause
// nic_gather() -> words_take() -> pci_look() | iface_look() -> veth_look() ; driver_look()
#include "ctrl/doctor/nic.h"

#include <ctype.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/root.h"

#define NAMES_MAX 512

// ---- The device's words -----------------------------------------------------------------------

static bool is_pci(const char *name, char *out, size_t out_len)
{
	unsigned domain = 0, bus, slot, function;
	int end = 0;
	if (sscanf(name, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4) {
		domain = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3)
			return false;
	}
	snprintf(out, out_len, "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return !name[end];
}

static enum nic_kind kind_of(const char *name)
{
	static const struct {
		const char *prefix;
		enum nic_kind kind;
	} kinds[] = {
		{"net_tap", NIC_TAP}, {"net_af_packet", NIC_PACKET}, {"net_af_xdp", NIC_XDP},
		{"net_", NIC_OTHER},  {"virtio_user", NIC_OTHER},
	};
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].kind;
	return NIC_NONSENSE;
}

static void words_take(struct nic_plan *p, const char *words)
{
	char name[64];
	snprintf(p->words, sizeof(p->words), "%s", words);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(words, ","), words);
	if (is_pci(name, p->name, sizeof(p->name))) {
		p->kind = NIC_PCI;
		return;
	}
	p->kind = kind_of(name);
	memcpy(p->name, name, sizeof(name));
	const char *iface = strstr(words, ",iface=");
	if (iface)
		snprintf(p->iface, sizeof(p->iface), "%.*s",
			 (int)strcspn(iface + strlen(",iface="), ","), iface + strlen(",iface="));
}

// ---- DPDK's driver ----------------------------------------------------------------------------

// The kernel's driver, or the maker of the device once it is bound to another -> DPDK's.
static void pci_driver_name(struct nic_plan *p)
{
	static const struct {
		const char *kernel;
		uint16_t vendor; // 0: makes devices of several kinds
		const char *dpdk;
		bool stays;
	} drivers[] = {
		{"ixgbe", 0, "ixgbe", false},
		{"ixgbevf", 0, "ixgbe", false},
		{"i40e", 0, "i40e", false},
		{"iavf", 0, "iavf", false},
		{"ice", 0, "ice", false},
		{"igb", 0, "e1000", false},
		{"igbvf", 0, "e1000", false},
		{"e1000", 0, "e1000", false},
		{"e1000e", 0, "e1000", false},
		{"igc", 0, "igc", false},
		{"mlx5_core", 0x15b3, "mlx5", true},
		{"mlx4_core", 0, "mlx4", true},
		{"mana", 0x1414, "mana", true},
		{"virtio-pci", 0x1af4, "virtio", false},
		{"ena", 0x1d0f, "ena", false},
		{"vmxnet3", 0x15ad, "vmxnet3", false},
		{"bnxt_en", 0x14e4, "bnxt", false},
		{"gvnic", 0x1ae0, "gve", false},
		{"cxgb4", 0x1425, "cxgbe", false},
		{"sfc", 0x1924, "sfc", false},
		{"enic", 0x1137, "enic", false},
		{"atlantic", 0x1d6a, "atlantic", false},
	};
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]) && !p->package[0]; i++)
		if (!strcmp(p->card->driver, drivers[i].kernel) ||
		    p->card->vendor == drivers[i].vendor) {
			snprintf(p->package, sizeof(p->package), "%s", drivers[i].dpdk);
			p->stays = drivers[i].stays && !strcmp(p->card->driver, drivers[i].kernel);
		}
}

// "net_af_packet0" -> "af_packet"
static void words_driver_name(struct nic_plan *p)
{
	const char *name = strncmp(p->name, "net_", 4) ? "virtio" : p->name + 4;
	size_t len = strlen(name);
	while (len && isdigit((unsigned char)name[len - 1]))
		len--;
	snprintf(p->package, sizeof(p->package), "%.*s", (int)len, name);
}

static void driver_look(struct nic_plan *p, const struct dpdk_facts *k, const char *root)
{
	char names[NAMES_MAX][64], wanted[64];
	int n = root_names(root, k->drivers, names, NAMES_MAX);
	size_t len = (size_t)snprintf(wanted, sizeof(wanted), "librte_net_%s.so", p->package);
	for (int i = 0; i < n && k->drivers[0]; i++)
		p->driver_found |= !strncmp(names[i], wanted, len);
}

// ---- A NIC on the PCI bus ---------------------------------------------------------------------

// Bridges may stay; whatever else is in the group has to leave the kernel too.
static void group_look(struct nic_plan *p, const char *root)
{
	char names[GROUP_MAX][64], folder[96], driver[32];
	snprintf(folder, sizeof(folder), "/sys/kernel/iommu_groups/%lld/devices",
		 (long long)p->card->group);
	int n = root_names(root, folder, names, GROUP_MAX);
	for (int i = 0; i < n; i++) {
		root_link(root, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", names[i]);
		bool is_free = !driver[0] || !strcmp(driver, "vfio-pci") ||
			       !strcmp(driver, "pcieport") || !strcmp(driver, "pci-stub");
		if (!is_free && strcmp(names[i], p->name))
			memcpy(p->others[p->n_others++], names[i], sizeof(names[i]));
	}
}

static int64_t node_huge_mb(const char *root, int64_t node)
{
	static const int mb[] = {2, 1024};
	int64_t sum = 0;
	for (unsigned i = 0; i < 2; i++) {
		int64_t n = root_number(root,
					"/sys/devices/system/node/node%lld/hugepages/"
					"hugepages-%dkB/free_hugepages",
					(long long)node, mb[i] * 1024);
		sum += n > 0 ? n * mb[i] : 0;
	}
	return sum;
}

static void pci_look(struct nic_plan *p, const struct dpdk_facts *k, const char *root)
{
	p->exists = root_has(root, "/sys/bus/pci/devices/%s", p->name);
	for (unsigned i = 0; i < k->n_cards; i++)
		if (!strcmp(k->cards[i].pci, p->name))
			p->card = &k->cards[i];
	if (!p->card)
		return;
	pci_driver_name(p);
	if (p->card->group != UNKNOWN)
		group_look(p, root);
	if (k->n_nodes > 1 && p->card->node >= 0) {
		p->node_huge_mb = node_huge_mb(root, p->card->node);
		root_text(root, p->node_cores, sizeof(p->node_cores),
			  "/sys/devices/system/node/node%lld/cpulist", (long long)p->card->node);
	}
}

// ---- An interface of the kernel ---------------------------------------------------------------

// A question of ethtool that is answered by a number. @return UNKNOWN when it is not
static int64_t ethtool_ask(const char *root, const char *iface, uint32_t question)
{
	struct ethtool_value v = {.cmd = question};
	struct ifreq r = {.ifr_data = (void *)&v};
	int fd = *root ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return UNKNOWN;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", iface);
	int rc = ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	return rc ? UNKNOWN : (int64_t)v.data;
}

// Of two ends each is the other's link. The end in another namespace has no name here.
static void veth_look(struct nic_plan *p, const char *root)
{
	char names[NAMES_MAX][64], uevent[256];
	int64_t us = root_number(root, "/sys/class/net/%s/ifindex", p->iface);
	int64_t them = root_number(root, "/sys/class/net/%s/iflink", p->iface);
	root_text(root, uevent, sizeof(uevent), "/sys/class/net/%s/uevent", p->iface);
	p->peer_sums = UNKNOWN;
	p->iface_is_veth = us != them && them > 0 && !strstr(uevent, "DEVTYPE=") &&
			   !root_has(root, "/sys/class/net/%s/device", p->iface);
	int n = p->iface_is_veth ? root_names(root, "/sys/class/net", names, NAMES_MAX) : 0;
	for (int i = 0; i < n; i++)
		if (root_number(root, "/sys/class/net/%s/ifindex", names[i]) == them &&
		    root_number(root, "/sys/class/net/%s/iflink", names[i]) == us) {
			snprintf(p->peer, sizeof(p->peer), "%.15s", names[i]);
			p->peer_sums = ethtool_ask(root, p->peer, ETHTOOL_GTXCSUM);
		}
}

static void iface_look(struct nic_plan *p, const char *root)
{
	char names[64][64], queues[64];
	p->iface_exists = p->iface[0] && root_has(root, "/sys/class/net/%s", p->iface);
	if (!p->iface_exists)
		return;
	int64_t tun = root_number(root, "/sys/class/net/%s/tun_flags", p->iface);
	p->iface_is_tap = tun != UNKNOWN && tun & IFF_TAP;
	p->iface_is_multi = tun != UNKNOWN && tun & IFF_MULTI_QUEUE;
	p->iface_is_up = root_number(root, "/sys/class/net/%s/flags", p->iface) & IFF_UP;
	p->iface_is_used = root_number(root, "/sys/class/net/%s/carrier", p->iface) == 1;
	p->iface_mtu = root_number(root, "/sys/class/net/%s/mtu", p->iface);
	p->iface_has_default = route_is_default(root, p->iface);
	p->iface_merges = ethtool_ask(root, p->iface, ETHTOOL_GGRO);
	snprintf(queues, sizeof(queues), "/sys/class/net/%s/queues", p->iface);
	int n = root_names(root, queues, names, 64);
	for (int i = 0; i < n; i++)
		p->iface_queues += !strncmp(names[i], "rx-", 3);
	veth_look(p, root);
}

void nic_gather(struct nic_plan *p, const struct dpdk_facts *k, const char *root, const char *words)
{
	memset(p, 0, sizeof(*p));
	p->node_huge_mb = p->iface_merges = p->peer_sums = UNKNOWN;
	words_take(p, words);
	if (p->kind == NIC_PCI)
		pci_look(p, k, root);
	else
		words_driver_name(p);
	iface_look(p, root);
	driver_look(p, k, root);
}
