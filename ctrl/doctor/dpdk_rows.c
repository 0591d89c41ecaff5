// SPDX-License-Identifier: BSD-3-Clause
// What a host offers to DPDK is no more than a remark: most hosts do without. nic_rows.c is strict.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/doctor/dpdk.h"
#include "ctrl/doctor/facts.h"

#define SLACK_USUAL_NS 50000

static void row_dpdk(const struct dpdk_facts *k, struct findings *f)
{
	if (!k->cpu_fits)
		finding_put(f, SEVERITY_INFO, NULL,
			    "this CPU has no SSE4.2, without which DPDK does not start: take "
			    "--net=kernel");
	else if (!k->drivers[0])
		finding_put(f, SEVERITY_INFO, "apt-get install libdpdk-dev",
			    "DPDK is not installed: --net=dpdk cannot be used");
	else if (!k->module_found)
		finding_put(f, SEVERITY_INFO, "tools/build",
			    "flyover-dpdk.so is not beside flyover-dataplane: --net=dpdk cannot be "
			    "used");
	else
		finding_put(f, SEVERITY_INFO, "flyover doctor --nic=0000:03:00.0",
			    "DPDK is installed: whether a device can be had tells --nic=DEVICE");
}

static void row_dpdk_memory(const struct dpdk_facts *k, struct findings *f)
{
	int64_t needed = dpdk_memory_mb(k->cores);
	char mend[96];
	snprintf(mend, sizeof(mend), "sysctl -w vm.nr_hugepages=%lld", (long long)needed / 2 + 1);
	if (k->huge_free_mb < needed)
		finding_put(
			f, SEVERITY_INFO, mend,
			"%lld MB of %lld MB of hugepages are free, where DPDK wants %lld MB for "
			"%lld cores: a NIC needs them, a TAP or AF_PACKET goes without, slower",
			(long long)k->huge_free_mb, (long long)k->huge_total_mb, (long long)needed,
			(long long)k->cores);
	else
		finding_put(f, SEVERITY_INFO, NULL, "%lld MB of hugepages are free",
			    (long long)k->huge_free_mb);
}

static void row_iommu(const struct dpdk_facts *k, struct findings *f)
{
	if (k->iommu)
		finding_put(f, SEVERITY_INFO, k->vfio_loaded ? NULL : "modprobe vfio-pci",
			    "the IOMMU is on, vfio-pci is %s",
			    k->vfio_loaded    ? "loaded"
			    : k->vfio_present ? "not loaded"
					      : "not part of this kernel");
	else
		finding_put(f, SEVERITY_INFO, NULL,
			    "there is no IOMMU, or it is off: a NIC can be taken only as VFIO's "
			    "no-IOMMU mode does it");
}

static void row_nics(const struct dpdk_facts *k, struct findings *f)
{
	for (unsigned i = 0; i < k->n_cards; i++) {
		const struct card *c = &k->cards[i];
		char mend[64];
		snprintf(mend, sizeof(mend), "flyover doctor --nic=%s", c->pci);
		finding_put(f, SEVERITY_INFO, c->has_default ? NULL : mend, "%s%s%s is %s%s%s",
			    c->pci, c->iface[0] ? ", " : "", c->iface,
			    c->driver[0] ? "driven by " : "without a driver", c->driver,
			    c->has_default ? " and carries the default route: it is not for DPDK"
					   : "");
	}
}

static void row_tap(const struct dpdk_facts *k, struct findings *f)
{
	if (!k->tun)
		finding_put(f, SEVERITY_INFO, k->tun_error == -ENOENT ? "modprobe tun" : NULL,
			    "TAP devices cannot be made: /dev/net/tun: %s",
			    strerror(-k->tun_error));
	else if (!dpdk_may(k, CAPABILITY_NET_ADMIN))
		finding_put(f, SEVERITY_INFO, NULL,
			    "TAP devices take CAP_NET_ADMIN, which this user does not have");
}

static void row_isolated(const struct dpdk_facts *k, struct findings *f)
{
	if (k->isolated[0])
		finding_put(f, SEVERITY_INFO, NULL,
			    "cores %s are isolated%s%s: give them to flyover by --cores",
			    k->isolated, k->tickless[0] ? ", without ticks " : "", k->tickless);
	else
		finding_put(f, SEVERITY_INFO, NULL,
			    "no core is isolated (isolcpus, nohz_full on the kernel's command "
			    "line): a core that polls is shared with what else runs here");
}

// A slow clock is a system call at each look.
static void row_timers(const struct dpdk_facts *k, struct findings *f)
{
	static const char *const slow[] = {"hpet", "acpi_pm", "jiffies", "refined-jiffies"};
	for (unsigned i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
		if (!strcmp(k->clock, slow[i]))
			finding_put(f, SEVERITY_WARNING,
				    "echo tsc > /sys/devices/system/clocksource/clocksource0/"
				    "current_clocksource",
				    "the kernel takes time from %s: each look at the clock is a "
				    "system call",
				    k->clock);
	if (k->slack_ns > SLACK_USUAL_NS)
		finding_put(f, SEVERITY_INFO, NULL,
			    "timers of this session may be %lld us late; cores that poll set 1 ns "
			    "for themselves",
			    (long long)k->slack_ns / 1000);
}

void dpdk_judge(const struct dpdk_facts *k, struct findings *f)
{
	static const struct {
		const char *check;
		void (*judge)(const struct dpdk_facts *k, struct findings *f);
	} rows[] = {
		{"dpdk", row_dpdk},     {"dpdk-memory", row_dpdk_memory},
		{"iommu", row_iommu},   {"nics", row_nics},
		{"tap", row_tap},       {"isolated-cores", row_isolated},
		{"timers", row_timers},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->check = rows[i].check;
		rows[i].judge(k, f);
	}
}
