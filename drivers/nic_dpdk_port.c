// SPDX-License-Identifier: BSD-3-Clause
//   dpdk_port_open() -> port_find() -> port_configure() -> queues_set_up() -> rte_eth_dev_start()
//                    -> info_fill()
#include "drivers/nic_dpdk_port.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define POOL_CACHE   256
#define LINK_WAIT_MS 3000
#define TSO_MAX      61440 // with all headers it stays below 64 KiB

// ---- Find it

// An address of ours that is the same after a restart: locally administered (IEEE 802, the second
// bit), and as different as the names are.
static void mac_from_name(const char *name, uint8_t mac[6])
{
	uint32_t hash = 2166136261u; // FNV-1a
	for (const char *c = name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	mac[0] = 2;
	mac[1] = 'f';
	memcpy(mac + 2, &hash, 4);
}

// net_tap tells of frames by a real-time signal. When too many wait, the kernel sends SIGIO in
// their place, which ends a process that does not care.
static void sigio_ignore(void)
{
	struct sigaction now;
	if (!sigaction(SIGIO, NULL, &now) && now.sa_handler == SIG_DFL)
		signal(SIGIO, SIG_IGN);
}

// net_tap gives the kernel's end a new address at random each time. Let it keep the one it has, or
// have the same each time.
static void tap_mac_keep(struct dpdk_device *d)
{
	struct ifreq r = {0};
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", d->iface);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t mac[6];
	if (fd >= 0 && d->iface[0] && !ioctl(fd, SIOCGIFHWADDR, &r))
		memcpy(mac, r.ifr_hwaddr.sa_data, sizeof(mac));
	else
		mac_from_name(d->name, mac);
	if (fd >= 0)
		close(fd);
	size_t used = strlen(d->words);
	if (!strstr(d->words, ",mac="))
		snprintf(d->words + used, sizeof(d->words) - used,
			 ",mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			 mac[4], mac[5]);
}

static bool is_open[RTE_MAX_ETHPORTS];

static int port_find(struct dpdk_port *p, char *text)
{
	if (p->device.kind == DPDK_TAP) {
		sigio_ignore();
		tap_mac_keep(&p->device);
	}
	p->was_there = !rte_eth_dev_get_port_by_name(p->device.name, &p->id);
	if (p->was_there && is_open[p->id]) {
		snprintf(text, NIC_DPDK_TEXT_LEN, "%s is open already; name each device once",
			 p->device.name);
		return -EBUSY;
	}
	if (p->was_there)
		return 0;
	int rc = rte_dev_probe(p->device.words);
	if (rc)
		return rc == -1 ? -EINVAL : rc; // -1 of a driver is no errno
	rc = rte_eth_dev_get_port_by_name(p->device.name, &p->id);
	return rc ? -ENODEV : 0;
}

// ---- Configure it

static const struct {
	uint64_t dpdk;
	uint32_t ours;
} tx_offloads[] = {
	{RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, NIC_TX_IP_SUM},
	{RTE_ETH_TX_OFFLOAD_TCP_CKSUM, NIC_TX_TCP_SUM},
	{RTE_ETH_TX_OFFLOAD_TCP_TSO, NIC_TSO},
	{RTE_ETH_TX_OFFLOAD_VLAN_INSERT, NIC_TX_VLAN},
};

#define RX_WANTED                                                                                  \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |                            \
	 RTE_ETH_RX_OFFLOAD_VLAN_STRIP)
#define TX_WANTED                                                                                  \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                            \
	 RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |                             \
	 RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE)
#define RSS_WANTED                                                                                 \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_IPV6 |                      \
	 RTE_ETH_RSS_NONFRAG_IPV6_TCP)

static void offloads_choose(struct dpdk_port *p, const struct rte_eth_dev_info *dev,
			    struct rte_eth_conf *conf)
{
	uint64_t can = dev->tx_offload_capa & TX_WANTED;
	// A segment to be cut is longer than a buffer, and its parts need checksums. net_tap cuts
	// in software, and refuses parts that fill the MTU.
	uint64_t tso_needs = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	if ((can & tso_needs) != tso_needs || p->device.kind == DPDK_TAP)
		can &= ~(uint64_t)RTE_ETH_TX_OFFLOAD_TCP_TSO;
	conf->txmode.offloads = can;
	for (size_t i = 0; i < sizeof(tx_offloads) / sizeof(*tx_offloads); i++)
		p->info.offloads |= can & tx_offloads[i].dpdk ? tx_offloads[i].ours : 0;
	conf->rxmode.offloads = dev->rx_offload_capa & RX_WANTED;
	if (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP)
		p->info.offloads |= NIC_RX_VLAN;
	unsigned most = dev->tx_desc_lim.nb_seg_max ? dev->tx_desc_lim.nb_seg_max : 32;
	if (p->info.offloads & NIC_TSO)
		p->info.tso_max = RTE_MIN(TSO_MAX, (most - 1) * p->room);
}

// The key of Microsoft's specification of RSS is what people expect in captures; any would do.
static const uint8_t rss_key[NIC_RSS_KEY_MAX] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43,
	0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb,
	0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01,
	0xfa, 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d,
};

// The most that the device takes; virtual ones of DPDK 22.11 stop at 1500 whatever lies behind
// them. An MTU that was asked for is refused beyond it, one that the kernel's end happens to have
// is not.
static int mtu_limit(struct dpdk_port *p, const struct rte_eth_dev_info *dev, bool is_asked,
		     char *text)
{
	unsigned most = dev->max_mtu;
	if (most == UINT16_MAX && dev->max_rx_pktlen < UINT16_MAX)
		most = dev->max_rx_pktlen - (dev->max_rx_pktlen == 1522 ? 22 : 18); // with a tag?
	if (p->info.mtu <= most)
		return 0;
	if (is_asked) {
		snprintf(text, NIC_DPDK_TEXT_LEN, "%s takes an MTU of %u at most, not %u",
			 p->device.name, most, p->info.mtu);
		return -ENOTSUP;
	}
	p->info.mtu = (uint16_t)most;
	return 0;
}

static int mtu_set(struct dpdk_port *p, char *text)
{
	uint16_t now = 0;
	rte_eth_dev_get_mtu(p->id, &now);
	int rc = now == p->info.mtu ? 0 : rte_eth_dev_set_mtu(p->id, p->info.mtu);
	// Rings and the like know no MTU: the room of a buffer is what counts.
	if (!rc || rc == -ENOTSUP)
		return 0;
	snprintf(text, NIC_DPDK_TEXT_LEN, "%s does not take an MTU of %u: %s", p->device.name,
		 p->info.mtu, strerror(-rc));
	return -ENOTSUP;
}

static int port_configure(struct dpdk_port *p, struct rte_eth_dev_info *dev, char *text)
{
	struct rte_eth_conf conf = {.intr_conf.rxq = 1};
	uint16_t n = p->info.n_queues;
	if (n > dev->max_rx_queues || n > dev->max_tx_queues) {
		snprintf(text, NIC_DPDK_TEXT_LEN, "%s has %u queues, not %u; use so many cores",
			 p->device.words, RTE_MIN(dev->max_rx_queues, dev->max_tx_queues), n);
		return -ENOTSUP;
	}
	offloads_choose(p, dev, &conf);
	uint64_t rss = dev->flow_type_rss_offloads & RSS_WANTED;
	if (n > 1 && rss) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
		if (dev->hash_key_size && dev->hash_key_size <= sizeof(rss_key)) {
			conf.rx_adv_conf.rss_conf.rss_key = (uint8_t *)rss_key;
			conf.rx_adv_conf.rss_conf.rss_key_len = dev->hash_key_size;
		}
	}
	if (p->device.kind == DPDK_PCI) // net_tap would believe that the kernel's end has it too
		conf.rxmode.mtu = p->info.mtu;
	int rc = rte_eth_dev_configure(p->id, n, n, &conf);
	p->has_interrupts = !rc;
	if (rc) {
		conf.intr_conf.rxq = 0;
		rc = rte_eth_dev_configure(p->id, n, n, &conf);
	}
	return rc;
}

// ---- Queues

static int queue_set_up(struct dpdk_port *p, const struct rte_eth_dev_info *dev, uint16_t q)
{
	struct dpdk_queue *queue = &p->queues[q];
	int node = rte_eth_dev_socket_id(p->id);
	static unsigned n_pools;
	char name[RTE_MEMPOOL_NAMESIZE];
	snprintf(name, sizeof(name), "flyover-%u", n_pools++);
	queue->pool = rte_pktmbuf_pool_create(name, p->device.buffers, POOL_CACHE, 0,
					      (uint16_t)(p->room + RTE_PKTMBUF_HEADROOM), node);
	if (!queue->pool)
		return -rte_errno;
	p->pools[q] = queue->pool;
	uint16_t rx = (uint16_t)p->device.rx_descriptors, tx = (uint16_t)p->device.tx_descriptors;
	rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);
	struct rte_eth_rxconf rx_conf = dev->default_rxconf;
	struct rte_eth_txconf tx_conf = dev->default_txconf;
	rx_conf.offloads = tx_conf.offloads = 0; // those of the port
	int rc = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)node, &rx_conf, queue->pool);
	return rc ? rc : rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)node, &tx_conf);
}

static void queue_init(struct dpdk_port *p, uint16_t q)
{
	struct dpdk_queue *queue = &p->queues[q];
	queue->nic.info = &p->info;
	queue->nic.queue = q;
	queue->port = p;
	queue->port_id = p->id;
	queue->fd = p->has_interrupts ? rte_eth_dev_rx_intr_ctl_q_get_fd(p->id, q) : -1;
	queue->nic.ops = queue->fd >= 0 ? &dpdk_ops : &dpdk_ops_without_arm;
	char path[64], target[64] = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue->fd);
	queue->fd_is_event = queue->fd >= 0 && readlink(path, target, sizeof(target) - 1) > 0 &&
			     strstr(target, "[eventfd]");
	if (queue->fd_is_event)
		fcntl(queue->fd, F_SETFL, fcntl(queue->fd, F_GETFL) | O_NONBLOCK);
}

static int queues_set_up(struct dpdk_port *p, const struct rte_eth_dev_info *dev)
{
	for (uint16_t q = 0; q < p->info.n_queues; q++) {
		int rc = queue_set_up(p, dev, q);
		if (rc)
			return rc;
	}
	return 0;
}

// ---- What we know of it

// net_tap gives the kernel's end and ours one address, and some devices have none.
static void mac_choose(struct dpdk_port *p)
{
	struct rte_ether_addr mac = {0};
	rte_eth_macaddr_get(p->id, &mac);
	if (rte_is_zero_ether_addr(&mac))
		mac_from_name(p->device.name, mac.addr_bytes);
	else if (p->device.kind == DPDK_TAP)
		mac.addr_bytes[0] = (mac.addr_bytes[0] | 2) ^ 4;
	memcpy(p->info.mac, mac.addr_bytes, 6);
}

// Spread over our queues, then read back: a device may keep its own.
static void reta_read(struct dpdk_port *p, unsigned n)
{
	struct rte_eth_rss_reta_entry64 reta[NIC_RETA_MAX / 64];
	if (!n || n > NIC_RETA_MAX || (n & (n - 1)))
		return;
	memset(reta, 0, sizeof(reta));
	for (unsigned i = 0; i < n; i++) {
		reta[i / 64].mask |= 1ull << i % 64;
		reta[i / 64].reta[i % 64] = (uint16_t)(i % p->info.n_queues);
	}
	rte_eth_dev_rss_reta_update(p->id, reta, (uint16_t)n);
	if (rte_eth_dev_rss_reta_query(p->id, reta, (uint16_t)n))
		return;
	for (unsigned i = 0; i < n; i++)
		p->info.reta[i] = reta[i / 64].reta[i % 64];
	p->info.n_reta = (uint16_t)n;
}

static void rss_read(struct dpdk_port *p, const struct rte_eth_dev_info *dev)
{
	struct rte_eth_rss_conf conf = {.rss_key = p->info.rss_key,
					.rss_key_len = dev->hash_key_size};
	if (p->info.n_queues == 1 || !(dev->flow_type_rss_offloads & RSS_WANTED) ||
	    !dev->hash_key_size || dev->hash_key_size > NIC_RSS_KEY_MAX)
		return;
	reta_read(p, dev->reta_size);
	if (p->info.n_reta && !rte_eth_dev_rss_hash_conf_get(p->id, &conf))
		p->info.rss_key_len = dev->hash_key_size;
}

// A NIC takes a moment to find its link; what it is joined to may take longer, and that is no
// reason to stop.
static bool link_wait(const struct dpdk_port *p)
{
	struct rte_eth_link link = {0};
	unsigned most_ms = p->device.kind == DPDK_PCI ? LINK_WAIT_MS : 0;
	for (unsigned ms = 0;; ms += 50) {
		rte_eth_link_get_nowait(p->id, &link);
		if (link.link_status || ms >= most_ms)
			return link.link_status;
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

static void text_write(const struct dpdk_port *p, bool has_link, char *text)
{
	const uint8_t *m = p->info.mac;
	snprintf(text, NIC_DPDK_TEXT_LEN,
		 "%s: %u queue%s, MTU %u, %02x:%02x:%02x:%02x:%02x:%02x%s%s%s%s%s", p->info.name,
		 p->info.n_queues, p->info.n_queues == 1 ? "" : "s", p->info.mtu, m[0], m[1], m[2],
		 m[3], m[4], m[5], p->info.offloads & NIC_TX_TCP_SUM ? ", checksums" : "",
		 p->info.offloads & NIC_TSO ? ", TSO" : "", p->info.rss_key_len ? ", RSS" : "",
		 p->queues[0].fd >= 0 ? ", interrupts" : "", has_link ? "" : "; its link is down");
}

static int port_set_up(struct dpdk_port *p, bool mtu_is_asked, char *text)
{
	struct rte_eth_dev_info dev;
	int rc = rte_eth_dev_info_get(p->id, &dev);
	if (!rc)
		rc = mtu_limit(p, &dev, mtu_is_asked, text);
	if (rc)
		return rc;
	if ((rc = port_configure(p, &dev, text)) || (rc = queues_set_up(p, &dev)))
		return rc;
	if ((rc = mtu_set(p, text)) || (rc = rte_eth_dev_start(p->id)))
		return rc;
	mac_choose(p);
	rss_read(p, &dev);
	for (uint16_t q = 0; q < p->info.n_queues; q++)
		queue_init(p, q);
	p->n_open = p->info.n_queues;
	is_open[p->id] = true;
	text_write(p, link_wait(p), text);
	return 0;
}

int dpdk_port_open(const struct nic_dpdk_settings *set, const struct dpdk_device *d,
		   struct dpdk_port **out, char *text)
{
	struct dpdk_port *p;
	size_t len = sizeof(*p) + set->n_queues * sizeof(p->queues[0]);
	if (posix_memalign((void **)&p, 64, len))
		return -ENOMEM;
	memset(p, 0, len);
	p->device = *d;
	p->room = d->room;
	p->info.mtu = (uint16_t)d->mtu;
	p->info.n_queues = (uint16_t)set->n_queues;
	snprintf(p->info.name, sizeof(p->info.name), "%s%s%s", d->name, d->iface[0] ? " " : "",
		 d->iface);
	int rc = port_find(p, text);
	if (rc) {
		free(p);
		return rc;
	}
	rc = port_set_up(p, set->mtu != 0, text);
	if (rc)
		dpdk_port_close(p);
	else
		*out = p;
	return rc;
}

// Rings hand buffers on to their neighbours: a pool that still has some outside waits here until
// they are back. One too many stays for good.
static void pool_leave(struct rte_mempool *pool)
{
	static struct rte_mempool *left[2 * NIC_DPDK_QUEUES_MAX];
	const unsigned n = sizeof(left) / sizeof(*left);
	for (unsigned i = 0; i < n; i++) {
		if (!left[i] && pool) {
			left[i] = pool;
			pool = NULL;
		}
		if (left[i] && rte_mempool_full(left[i])) {
			rte_mempool_free(left[i]);
			left[i] = NULL;
		}
	}
}

struct leaving {
	uint16_t id;
	struct rte_device *device; // to be removed: closed only, it could not be opened again
	sem_t is_gone;
};

static void device_leave(void *arg)
{
	struct leaving *l = arg;
	rte_eth_dev_stop(l->id);
	if (l->device)
		rte_dev_remove(l->device);
	sem_post(&l->is_gone);
}

// When its peer hangs up, net_memif frees what the connection had in DPDK's thread of interrupts,
// and has no lock against who closes the device at that moment. Alarms run in that thread too.
static void device_close(const struct dpdk_port *p, struct rte_device *device)
{
	struct leaving l = {.id = p->id, .device = p->was_there ? NULL : device};
	sem_init(&l.is_gone, 0, 0);
	if (p->device.kind != DPDK_MEMIF || rte_eal_alarm_set(1, device_leave, &l))
		device_leave(&l);
	while (sem_wait(&l.is_gone) && errno == EINTR)
		;
	sem_destroy(&l.is_gone);
}

void dpdk_port_close(struct dpdk_port *p)
{
	struct rte_eth_dev_info dev = {0};
	rte_eth_dev_info_get(p->id, &dev);
	is_open[p->id] = false;
	device_close(p, dev.device);
	for (uint16_t q = 0; q < p->info.n_queues; q++)
		if (p->pools[q])
			pool_leave(p->pools[q]);
	free(p);
}
