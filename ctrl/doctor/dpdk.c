// SPDX-License-Identifier: BSD-3-Clause
// dpdk_gather() -> programs_look(), cpu_look(), memory_look(), vfio_look(), rights_look(),
// timers_look(), cards_look()
#include "ctrl/doctor/dpdk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctrl/doctor/facts.h"
#include "ctrl/doctor/root.h"
#include "ctrl/program.h"

#define NAMES_MAX 512

// ---- What is installed ------------------------------------------------------------------------

static void drivers_find(struct dpdk_facts *k, const char *root)
{
	static const char *const folders[] = {
		"/usr/lib/x86_64-linux-gnu/dpdk",
		"/usr/lib/aarch64-linux-gnu/dpdk",
		"/usr/lib64/dpdk",
		"/usr/local/lib/x86_64-linux-gnu/dpdk",
	};
	char names[8][64];
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]) && !k->drivers[0]; i++) {
		int n = root_names(root, folders[i], names, 8);
		for (int j = 0; j < n; j++)
			if (!strncmp(names[j], "pmds-", 5))
				snprintf(k->drivers, sizeof(k->drivers), "%s/%.63s", folders[i],
					 names[j]);
	}
}

static void programs_look(struct dpdk_facts *k, const char *root)
{
	char path[PATH_MAX];
	if (!program_find("flyover-dataplane", path, sizeof(path))) {
		char *slash = strrchr(path, '/');
		*slash = 0;
		k->module_found = root_has("", "%s/flyover-dpdk.so", path);
	}
	drivers_find(k, root);
}

// ---- CPU, memory, VFIO ------------------------------------------------------------------------

static void cpu_look(struct dpdk_facts *k, const char *root)
{
	char text[8192];
	cpu_set_t set;
	root_text(root, text, sizeof(text), "/proc/cpuinfo");
	k->is_amd = strstr(text, "AuthenticAMD");
	k->cpu_fits = !strstr(text, "flags") || strstr(text, " sse4_2");
	k->cores = sched_getaffinity(0, sizeof(set), &set) ? UNKNOWN : CPU_COUNT(&set);
	root_text(root, k->isolated, sizeof(k->isolated), "/sys/devices/system/cpu/isolated");
	root_text(root, k->tickless, sizeof(k->tickless), "/sys/devices/system/cpu/nohz_full");
	if (!strcmp(k->tickless, "(null)")) // so an older kernel says none
		k->tickless[0] = 0;
}

static void memory_look(struct dpdk_facts *k, const char *root)
{
	char names[16][64];
	int n = root_names(root, "/sys/kernel/mm/hugepages", names, 16);
	for (int i = 0; i < n; i++) {
		long kb;
		if (sscanf(names[i], "hugepages-%ldkB", &kb) != 1)
			continue;
		int64_t total =
			root_number(root, "/sys/kernel/mm/hugepages/%s/nr_hugepages", names[i]);
		int64_t left =
			root_number(root, "/sys/kernel/mm/hugepages/%s/free_hugepages", names[i]);
		k->huge_total_mb += total > 0 ? total * kb / 1024 : 0;
		k->huge_free_mb += left > 0 ? left * kb / 1024 : 0;
	}
	n = root_names(root, "/sys/devices/system/node", names, 16);
	for (int i = 0; i < n; i++)
		k->n_nodes += !strncmp(names[i], "node", 4) && names[i][4];
}

// Whether the kernel's modules have one of that name, loadable or built in.
static bool module_present(const char *root, const char *word)
{
	static const char *const lists[] = {"modules.dep", "modules.builtin"};
	char release[128], path[PATH_MAX], line[4096];
	bool found = false;
	root_text(root, release, sizeof(release), "/proc/sys/kernel/osrelease");
	for (unsigned i = 0; i < 2 && !found; i++) {
		snprintf(path, sizeof(path), "%s/lib/modules/%s/%s", root, release, lists[i]);
		FILE *f = fopen(path, "re");
		while (f && !found && fgets(line, sizeof(line), f)) {
			char *colon = strchr(line, ':');
			if (colon)
				*colon = 0;
			found = strstr(line, word);
		}
		if (f)
			fclose(f);
	}
	return found;
}

static void vfio_look(struct dpdk_facts *k, const char *root)
{
	char names[4][64], text[16];
	k->iommu = root_names(root, "/sys/kernel/iommu_groups", names, 4) > 0;
	root_text(root, text, sizeof(text),
		  "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	k->noiommu = text[0] == 'Y' || text[0] == '1';
	k->vfio_loaded = root_has(root, "/sys/bus/pci/drivers/vfio-pci");
	k->vfio_present = k->vfio_loaded || module_present(root, "/vfio-pci.ko");
}

// ---- Rights, timers ---------------------------------------------------------------------------

static void rights_look(struct dpdk_facts *k, const char *root)
{
	char text[4096], path[PATH_MAX];
	struct rlimit memlock;
	const char *at =
		strstr(root_text(root, text, sizeof(text), "/proc/self/status"), "CapEff:");
	k->capabilities = at ? strtoull(at + strlen("CapEff:"), NULL, 16) : 0;
	k->memlock = INT64_MAX;
	if (!getrlimit(RLIMIT_MEMLOCK, &memlock) && memlock.rlim_cur < INT64_MAX)
		k->memlock = (int64_t)memlock.rlim_cur;
	snprintf(path, sizeof(path), "%s/dev/net/tun", root);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	k->tun = fd >= 0;
	k->tun_error = fd < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
}

static void timers_look(struct dpdk_facts *k, const char *root)
{
	k->slack_ns = root_number(root, "/proc/self/timerslack_ns");
	root_text(root, k->clock, sizeof(k->clock),
		  "/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

// ---- NICs -------------------------------------------------------------------------------------

// Up, and no route that refuses (RTF_UP, RTF_REJECT).
static bool route_leads(unsigned flags)
{
	return (flags & 0x201) == 1;
}

static bool route4_is_default(const char *line, const char *iface)
{
	char name[32];
	unsigned to, flags, mask;
	return sscanf(line, "%31s %x %*x %x %*d %*d %*d %x", name, &to, &flags, &mask) == 4 &&
	       !strcmp(name, iface) && !to && !mask && route_leads(flags);
}

static bool route6_is_default(const char *line, const char *iface)
{
	char to[40], name[32];
	unsigned len, flags;
	return sscanf(line, "%39s %x %*s %*x %*s %*x %*x %*x %x %31s", to, &len, &flags, name) ==
		       4 &&
	       !strcmp(name, iface) && !len && strspn(to, "0") == strlen(to) && route_leads(flags);
}

bool route_is_default(const char *root, const char *iface)
{
	static const struct {
		const char *path;
		bool (*judge)(const char *line, const char *iface);
	} tables[] = {{"/proc/net/route", route4_is_default},
		      {"/proc/net/ipv6_route", route6_is_default}};
	bool found = false;
	for (unsigned i = 0; i < 2 && !found; i++) {
		char path[PATH_MAX], line[512];
		snprintf(path, sizeof(path), "%s%s", root, tables[i].path);
		FILE *f = fopen(path, "re");
		while (f && !found && fgets(line, sizeof(line), f))
			found = tables[i].judge(line, iface);
		if (f)
			fclose(f);
	}
	return found;
}

// The interface of a PCI device: the one whose folder lies below that of the device.
static void iface_find(struct card *c, const char *root)
{
	char names[NAMES_MAX][64], part[24];
	int n = root_names(root, "/sys/class/net", names, NAMES_MAX);
	snprintf(part, sizeof(part), "/%s/", c->pci);
	for (int i = 0; i < n && !c->iface[0]; i++) {
		char path[PATH_MAX], target[PATH_MAX];
		snprintf(path, sizeof(path), "%s/sys/class/net/%.63s", root, names[i]);
		ssize_t len = readlink(path, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = 0;
		if (strstr(target, part))
			snprintf(c->iface, sizeof(c->iface), "%.15s", names[i]);
	}
}

// Whether it is a NIC; then what it is.
static bool card_look(struct card *c, const char *root, const char *pci)
{
	char group[16];
	*c = (struct card){0};
	if (root_number(root, "/sys/bus/pci/devices/%s/class", pci) >> 16 != 2)
		return false;
	snprintf(c->pci, sizeof(c->pci), "%.15s", pci);
	root_link(root, c->driver, sizeof(c->driver), "/sys/bus/pci/devices/%s/driver", pci);
	root_link(root, group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", pci);
	c->group = group[0] ? strtoll(group, NULL, 10) : UNKNOWN;
	c->vendor = (uint16_t)root_number(root, "/sys/bus/pci/devices/%s/vendor", pci);
	c->node = root_number(root, "/sys/bus/pci/devices/%s/numa_node", pci);
	iface_find(c, root);
	if (c->iface[0]) {
		c->is_up = root_number(root, "/sys/class/net/%s/flags", c->iface) & 1;
		c->has_default = route_is_default(root, c->iface);
	}
	return true;
}

static void cards_look(struct dpdk_facts *k, const char *root)
{
	char names[NAMES_MAX][64];
	int n = root_names(root, "/sys/bus/pci/devices", names, NAMES_MAX);
	for (int i = 0; i < n && k->n_cards < CARDS_MAX; i++)
		k->n_cards += card_look(&k->cards[k->n_cards], root, names[i]);
}

void dpdk_gather(struct dpdk_facts *k, const char *root)
{
	memset(k, 0, sizeof(*k));
	programs_look(k, root);
	cpu_look(k, root);
	memory_look(k, root);
	vfio_look(k, root);
	rights_look(k, root);
	timers_look(k, root);
	cards_look(k, root);
}

// A queue has about 4,000 buffers of 2.4 KB, and a pool some margin.
int64_t dpdk_memory_mb(int64_t cores)
{
	return 16 + 12 * (cores < 1 ? 1 : cores > 16 ? 16 : cores);
}
