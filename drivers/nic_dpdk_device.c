// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/nic_dpdk_device.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU_DEFAULT 1500
#define MTU_MAX     9600
#define FRAME_EXTRA 22 // Ethernet header, two tags
#define ROOM_MIN    2048

static int refuse(char *text, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(char *text, int rc, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(text, NIC_DPDK_TEXT_LEN, format, args);
	va_end(args);
	return rc;
}

static unsigned power_above(unsigned n)
{
	unsigned p = 1;
	while (p <= n)
		p *= 2;
	return p;
}

// ---- The device's words

// "03:00.0" or "0000:03:00.0", as lspci writes them.
static bool pci_address(const char *name, char *out)
{
	unsigned domain = 0, bus, slot, function;
	int end = 0;
	bool is_long =
		sscanf(name, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4;
	if (!is_long) {
		domain = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3)
			return false;
	}
	if (name[end] || slot > 31 || function > 7)
		return false;
	snprintf(out, DPDK_NAME_LEN, "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return true;
}

static enum dpdk_kind kind_of(const char *name)
{
	static const struct {
		const char *prefix;
		enum dpdk_kind kind;
	} kinds[] = {
		{"net_tap", DPDK_TAP},       {"net_af_packet", DPDK_AF_PACKET},
		{"net_af_xdp", DPDK_AF_XDP}, {"net_memif", DPDK_MEMIF},
		{"net_", DPDK_OTHER},        {"virtio_user", DPDK_OTHER},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].kind;
	return DPDK_PCI;
}

// The value of `key` among "name,key=value,..." @return its length; -1: not there
static int word_value(const char *words, const char *key, const char **value)
{
	size_t len = strlen(key);
	for (const char *p = strchr(words, ','); p; p = strchr(p + 1, ','))
		if (!strncmp(p + 1, key, len) && p[1 + len] == '=') {
			*value = p + 2 + len;
			return (int)strcspn(*value, ",");
		}
	return -1;
}

// Words that follow from the settings: given twice they could contradict each other, and a frame
// of AF_PACKET that is longer than a buffer is written beyond its end.
static int words_check(const struct dpdk_device *d, const char *words, char *text)
{
	static const char *const ours[] = {"qpairs", "framesz", "framecnt", "blocksz",
					   "queue_count"};
	const char *value;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (word_value(words, ours[i], &value) >= 0)
			return refuse(text, -EINVAL,
				      "leave %s= away from '%s': it follows from the settings",
				      ours[i], words);
	bool needs_iface = d->kind == DPDK_AF_PACKET || d->kind == DPDK_AF_XDP;
	if (needs_iface && !d->iface[0])
		return refuse(text, -EINVAL, "'%s' names no interface; add ,iface=NAME", words);
	return 0;
}

static int words_add(struct dpdk_device *d, const char *words, unsigned n_queues, char *text)
{
	int n = snprintf(d->words, sizeof(d->words), "%s", words);
	char *p = d->words + n;
	size_t room = sizeof(d->words) - (size_t)n;
	if (n >= (int)sizeof(d->words))
		return refuse(text, -EINVAL, "the device's words are longer than %d bytes",
			      DPDK_WORDS_LEN - 1);
	if (d->kind == DPDK_PCI)
		n = snprintf(d->words, sizeof(d->words), "%s%s", d->name,
			     words + strcspn(words, ","));
	else if (d->kind == DPDK_AF_PACKET)
		n = snprintf(p, room, ",qpairs=%u,framesz=%u,blocksz=%u,framecnt=%u", n_queues,
			     d->room, d->room < 4096 ? 4096 : d->room, d->rx_descriptors);
	else if (d->kind == DPDK_AF_XDP)
		n = snprintf(p, room, ",queue_count=%u", n_queues);
	else
		return 0;
	return (size_t)n < room ? 0 : refuse(text, -EINVAL, "the device's words are too long");
}

// ---- Sizes

// What lies in rings and caches at once: both rings, what was received and what is to be sent, a
// core's cache and a half of it that overflows.
static unsigned buffers_needed(const struct dpdk_device *d)
{
	return d->rx_descriptors + d->tx_descriptors + 4 * NIC_BURST + 512;
}

// 0: there is no such interface.
static unsigned iface_mtu(const char *iface)
{
	struct ifreq r = {0};
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", iface);
	int fd = iface[0] ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0)
		return 0;
	unsigned mtu = ioctl(fd, SIOCGIFMTU, &r) ? 0 : (unsigned)r.ifr_mtu;
	close(fd);
	return mtu;
}

static int sizes_set(const struct nic_dpdk_settings *set, struct dpdk_device *d, char *text)
{
	unsigned kernels = iface_mtu(d->iface);
	unsigned mtu = set->mtu ? set->mtu : kernels ? kernels : MTU_DEFAULT;
	if (!set->n_queues || set->n_queues > NIC_DPDK_QUEUES_MAX)
		return refuse(text, -EINVAL, "%u queues; 1 to %d are possible", set->n_queues,
			      NIC_DPDK_QUEUES_MAX);
	if (mtu < 576 || mtu > MTU_MAX)
		return refuse(text, -EINVAL, "MTU %u; 576 to %d are possible", mtu, MTU_MAX);
	d->mtu = mtu;
	d->rx_descriptors = set->rx_descriptors ? set->rx_descriptors : 2048;
	d->tx_descriptors = set->tx_descriptors ? set->tx_descriptors : 1024;
	// AF_PACKET puts its own header of up to 82 bytes before a frame, within framesz.
	unsigned frame = mtu + FRAME_EXTRA + (d->kind == DPDK_AF_PACKET ? 96 : 0);
	d->room = ROOM_MIN;
	while (d->room < frame)
		d->room *= 2;
	if (d->kind != DPDK_AF_PACKET && d->room > ROOM_MIN)
		d->room = (frame + 1024 + 63) / 64 * 64;
	d->buffers = power_above(buffers_needed(d)) - 1;
	return 0;
}

int dpdk_device_read(const struct nic_dpdk_settings *set, struct dpdk_device *d, char *text)
{
	memset(d, 0, sizeof(*d));
	const char *words = set->device ? set->device : "", *value;
	size_t len = strcspn(words, ",");
	if (!len || len >= sizeof(d->name))
		return refuse(text, -EINVAL,
			      "'%s' names no device; it begins with one such as net_tap0 or "
			      "0000:03:00.0",
			      words);
	char name[DPDK_NAME_LEN];
	snprintf(name, sizeof(name), "%.*s", (int)len, words);
	d->kind = kind_of(name);
	if (d->kind != DPDK_PCI)
		snprintf(d->name, sizeof(d->name), "%s", name);
	else if (!pci_address(name, d->name))
		return refuse(text, -EINVAL,
			      "'%s' is no device of DPDK; use net_tap0, net_af_packet0, "
			      "net_memif0 ..., or a PCI address such as 0000:03:00.0",
			      name);
	// Of net_vhost it is the path of a socket.
	int n = d->kind == DPDK_OTHER ? 0 : word_value(words, "iface", &value);
	if (n >= (int)sizeof(d->iface))
		return refuse(text, -EINVAL, "the interface's name '%.*s' is too long", n, value);
	if (n > 0)
		snprintf(d->iface, sizeof(d->iface), "%.*s", n, value);
	int rc = sizes_set(set, d, text);
	if (!rc)
		rc = words_check(d, words, text);
	return rc ? rc : words_add(d, words, set->n_queues, text);
}

// ---- Memory

static unsigned long file_number(const char *path)
{
	char line[32];
	FILE *f = fopen(path, "re");
	unsigned long n = f && fgets(line, sizeof(line), f) ? strtoul(line, NULL, 10) : 0;
	if (f)
		fclose(f);
	return n;
}

static unsigned huge_free_mb(const char *root)
{
	static const unsigned size_mb[] = {2, 1024};
	unsigned sum = 0;
	for (int i = 0; i < 2; i++) {
		char path[256];
		snprintf(path, sizeof(path),
			 "%s/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", root,
			 size_mb[i] * 1024);
		sum += size_mb[i] * (unsigned)file_number(path);
	}
	return sum;
}

int dpdk_memory_plan(const struct nic_dpdk_settings *set, const struct dpdk_device *d,
		     const char *root, struct dpdk_memory *m, char *text)
{
	// A buffer has its descriptor and headroom, and its pool a margin for alignment.
	size_t pool = (size_t)d->buffers * (d->room + 128 + 128 + 64) * 5 / 4;
	unsigned needed = (unsigned)(pool * set->n_queues >> 20) + 16;
	m->mb = set->memory_mb ? set->memory_mb : 2 * needed + 32;
	m->huge_mb = huge_free_mb(root);
	// A NIC reads memory that does not move; for the others hugepages are only faster, and
	// are left to who has few.
	m->hugepages = m->huge_mb >= (d->kind == DPDK_PCI && !set->memory_mb ? needed : m->mb);
	if (!m->hugepages && d->kind == DPDK_PCI)
		return refuse(text, -ENOMEM,
			      "%s needs %u MB of hugepages and %u MB are free: echo %u > "
			      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
			      d->name, needed, m->huge_mb, needed / 2 + 1);
	return 0;
}

// ---- DPDK's arguments

static void argument_add(struct dpdk_arguments *a, size_t *used, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void argument_add(struct dpdk_arguments *a, size_t *used, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *p = a->bytes + *used;
	int n = vsnprintf(p, sizeof(a->bytes) - *used, format, args);
	va_end(args);
	if (a->n == DPDK_ARGUMENTS_MAX || (size_t)n >= sizeof(a->bytes) - *used)
		abort(); // the list is fixed: it fits
	size_t line = strlen(a->line);
	snprintf(a->line + line, sizeof(a->line) - line, "%s%s", line ? " " : "", p);
	a->list[a->n++] = p;
	*used += (size_t)n + 1;
}

void dpdk_arguments_make(const struct dpdk_device *d, const struct dpdk_memory *m, const char *cpus,
			 struct dpdk_arguments *a)
{
	size_t used = 0;
	memset(a, 0, sizeof(*a));
	argument_add(a, &used, "flyover-dataplane");
	argument_add(a, &used, "--lcores=0@(%s)", cpus);
	// Files of nobody: several processes on a host do not know of each other.
	if (m->hugepages) {
		argument_add(a, &used, "--in-memory");
	} else {
		argument_add(a, &used, "--no-huge");
		argument_add(a, &used, "--no-shconf");
		argument_add(a, &used, "-m");
		argument_add(a, &used, "%u", m->mb);
	}
	// Devices are opened when the settings name them, never because they are there.
	if (d->kind == DPDK_PCI) {
		argument_add(a, &used, "-a");
		argument_add(a, &used, "0000:00:00.0");
	} else {
		argument_add(a, &used, "--no-pci");
		argument_add(a, &used, "--iova-mode=va");
	}
	argument_add(a, &used, "--no-telemetry");
	argument_add(a, &used, "--log-level=notice");
}
