// SPDX-License-Identifier: BSD-3-Clause
// What an operator is to do when a device cannot be opened.
#include "drivers/nic_dpdk_device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAY(text, ...) snprintf(text, NIC_DPDK_TEXT_LEN, __VA_ARGS__)

static int tap_check(char *text)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	int rc = -errno;
	if (rc == -ENOENT || rc == -ENODEV || rc == -ENXIO)
		SAY(text, "this kernel has no /dev/net/tun: modprobe tun (in a container: give it "
			  "--device=/dev/net/tun)");
	else
		SAY(text, "no permission for /dev/net/tun: run as root, or give CAP_NET_ADMIN");
	return rc == -EACCES ? -EPERM : rc;
}

static int packet_check(const struct dpdk_device *d, char *text)
{
	if (!if_nametoindex(d->iface)) {
		SAY(text, "there is no interface %s; 'ip link' lists them", d->iface);
		return -ENOENT;
	}
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		SAY(text, "no permission to open %s: run as root, or give CAP_NET_RAW", d->iface);
		return -EPERM;
	}
	close(fd);
	return 0;
}

// Devices that DPDK drives beside the kernel's own driver.
static bool driver_stays(const char *driver)
{
	return !strncmp(driver, "mlx", 3) || !strcmp(driver, "mana");
}

static bool driver_is_for_users(const char *driver)
{
	return !strcmp(driver, "vfio-pci") || !strcmp(driver, "uio_pci_generic") ||
	       !strcmp(driver, "igb_uio");
}

static int pci_check(const struct dpdk_device *d, const char *root, char *text)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", root, d->name);
	if (access(path, F_OK)) {
		SAY(text, "there is no PCI device %s; 'lspci -D | grep -i net' lists them",
		    d->name);
		return -ENOENT;
	}
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", root, d->name);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	const char *slash = strrchr(target, '/'), *driver = slash ? slash + 1 : target;
	if (driver_stays(driver) || driver_is_for_users(driver))
		return 0;
	if (driver[0])
		SAY(text,
		    "%s belongs to the kernel's driver %s; to take it from the kernel: "
		    "dpdk-devbind.py --bind=vfio-pci %s",
		    d->name, driver, d->name);
	else
		SAY(text, "%s has no driver; dpdk-devbind.py --bind=vfio-pci %s", d->name, d->name);
	return -EBUSY;
}

int dpdk_device_check(const struct dpdk_device *d, const char *root, char *text)
{
	switch (d->kind) {
	case DPDK_PCI:
		return pci_check(d, root, text);
	case DPDK_TAP:
		return tap_check(text);
	case DPDK_AF_PACKET:
	case DPDK_AF_XDP:
		return packet_check(d, text);
	default:
		return 0;
	}
}

// A phrase of DPDK's log, and what it means. The first that fits counts.
static const struct {
	const char *phrase;
	enum dpdk_kind kind; // DPDK_OTHER: any
	const char *advice;
} advices[] = {
	{"TUNSETIFF for %: Operation not permitted", DPDK_TAP,
	 "no permission to open TAP devices: run as root, or give CAP_NET_ADMIN"},
	{"TUNSETIFF for %: Invalid argument", DPDK_TAP,
	 "the interface is there but has one queue: 'ip tuntap add dev NAME mode tap multi_queue' "
	 "makes one that fits, or let flyover make it"},
	{"TUNSETIFF for %: Device or resource busy", DPDK_TAP,
	 "another process has it open: end that one, or take another interface"},
	{"Failed to connect socket", DPDK_MEMIF, "start its server first (role=server)"},
	{"Cannot find VFIO", DPDK_PCI, "modprobe vfio-pci"},
	{"IOMMU group is not viable", DPDK_PCI,
	 "other devices of its IOMMU group are still the kernel's: bind all of them to vfio-pci"},
	{"hugepage", DPDK_OTHER, "give it hugepages, /sys/kernel/mm/hugepages/*/nr_hugepages"},
	{"Cannot allocate memory", DPDK_OTHER, "give it memory, or fewer queues or descriptors"},
	{"failed to parse device", DPDK_OTHER, "this DPDK has no driver of that name"},
};

// Whether `phrase` is in the log; a % in it stands for anything up to the end of the line.
static bool log_says(const char *log, const char *phrase)
{
	const char *gap = strchr(phrase, '%');
	if (!gap)
		return strstr(log, phrase);
	char head[64];
	snprintf(head, sizeof(head), "%.*s", (int)(gap - phrase), phrase);
	for (const char *p = strstr(log, head); p; p = strstr(p + 1, head)) {
		size_t len = strcspn(p, "\n");
		const char *tail = strstr(p, gap + 1);
		if (tail && tail < p + len)
			return true;
	}
	return false;
}

// The line of the log that says most: the last of the driver, for after it DPDK only adds that it
// failed; else the last.
static const char *telling_line(const char *log, int *len)
{
	const char *best = "";
	*len = 0;
	for (const char *p = log; *p; p += strspn(p, "\n")) {
		size_t n = strcspn(p, "\n");
		bool drivers = strncmp(p, "EAL: ", 5), best_is = strncmp(best, "EAL: ", 5);
		if (!*len || drivers || !best_is) {
			best = p;
			*len = (int)n;
		}
		p += n;
	}
	return best;
}

void dpdk_explain(const struct dpdk_device *d, const char *log, int error, char *text)
{
	int len;
	const char *line = telling_line(log, &len);
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++)
		if ((advices[i].kind == DPDK_OTHER || advices[i].kind == d->kind) &&
		    log_says(log, advices[i].phrase)) {
			SAY(text, "%s cannot be opened: %s (DPDK: %.*s)", d->words,
			    advices[i].advice, len, line);
			return;
		}
	if (len)
		SAY(text, "%s cannot be opened: %s (DPDK: %.*s)", d->words, strerror(error), len,
		    line);
	else
		SAY(text, "%s cannot be opened: %s", d->words, strerror(error));
}
