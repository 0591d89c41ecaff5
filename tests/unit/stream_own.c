// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/stream_own.h"

#include "dataplane/net/host.h"
#include "dataplane/net/stream_tcp.h"
#include "tests/unit/tap_rig.h"

#define OWN_MAX   4 // loops at a time
#define FRAME_MAX 1600

// ---- A nic over a TAP device, which does nothing for anybody

struct tap_nic {
	struct nic base;
	struct nic_info info;
	int fd;
	uint8_t frames[NIC_BURST][FRAME_MAX];
};

static int tap_receive(struct nic *base, struct nic_frame *frames, int max)
{
	struct tap_nic *n = (struct tap_nic *)base;
	int count = 0;
	for (; count < max && count < NIC_BURST; count++) {
		ssize_t len = read(n->fd, n->frames[count], FRAME_MAX);
		if (len <= 0)
			break;
		frames[count] = (struct nic_frame){
			.p = n->frames[count], .len = (uint32_t)len, .n_merged = 1};
	}
	return count;
}

static int tap_send(struct nic *base, const struct nic_packet *p)
{
	struct iovec iov[3] = {{(void *)p->head, p->head_len}, p->body[0], p->body[1]};
	return writev(((struct tap_nic *)base)->fd, iov, 1 + p->n_body) < 0 ? -ENOBUFS : 0;
}

static void tap_flush(struct nic *base)
{
}

static int tap_arm(struct nic *base, bool on)
{
	return ((struct tap_nic *)base)->fd;
}

static const struct nic_ops tap_ops = {
	.name = "tap",
	.receive = tap_receive,
	.send = tap_send,
	.flush = tap_flush,
	.arm = tap_arm,
};

// ---- Loops

static struct own {
	struct stream_loop *loop; // NULL: free
	struct tap_nic nic;
	struct stack *stack;
} owns[OWN_MAX];

static struct stream_ops own_ops;

static const char *namespace_enter(void)
{
	const char *why = tap_namespace();
	if (why)
		return why;
	tap_up("lo", "127.0.0.1", 0);
	tap_up("lo:1", STREAM_OWN_HOST, 0);
	for (unsigned i = 0; i < OWN_MAX; i++) {
		char name[16], address[24];
		snprintf(name, sizeof(name), "own%u", i);
		snprintf(address, sizeof(address), "10.99.%u.1", i);
		tap_make(name, false);
		tap_up(name, address, 0);
	}
	return NULL;
}

static int device_open(struct own *o, unsigned i)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	snprintf(r.ifr_name, sizeof(r.ifr_name), "own%u", i);
	o->nic = (struct tap_nic){
		.base = {.ops = &tap_ops, .info = &o->nic.info},
		.info = {.name = "tap",
			 .mac = {2, 0, 0, 0, 0, (uint8_t)i},
			 .mtu = 1500,
			 .n_queues = 1},
		.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK),
	};
	return o->nic.fd < 0 || ioctl(o->nic.fd, TUNSETIFF, &r) ? -errno : 0;
}

static int own_loop_new(struct stream_loop **out)
{
	static bool tried;
	static const char *why;
	static const uint8_t secret[16] = {1};
	static uint64_t seed;
	unsigned i = 0;
	if (!tried)
		why = namespace_enter();
	tried = true;
	if (why) {
		print_message("%s\n", why);
		return -EPERM;
	}
	while (owns[i].loop)
		assert_true(++i < OWN_MAX);
	struct own *o = &owns[i];
	assert_int_equal(device_open(o, i), 0);
	struct network network = {.congestion = NETWORK_CUBIC};
	struct stack_settings set = {
		.tcp = host_net_tcp(&network, &o->nic.info),
		.n_addresses = 1,
		.addresses = {{.address = {4, {10, 99, (uint8_t)i, 2}}, .len = 24}},
		.n_routes = 1,
		.routes = {{.to = {.address = {.family = 4}},
			    .gateway = {4, {10, 99, (uint8_t)i, 1}}}},
		.connections_max = 1024,
		.n_cores = 1,
	};
	assert_int_equal(stack_new(&o->nic.base, &set, secret, getpid() + ++seed,
				   clock_kernel.read().mono_ns, &o->stack),
			 0);
	assert_int_equal(
		stream_tcp_new(o->stack, &o->nic.base, IDLE_ADAPTIVE, &clock_kernel, &o->loop), 0);
	o->loop->ops = &own_ops;
	*out = o->loop;
	return 0;
}

static void own_loop_free(struct stream_loop *l)
{
	for (unsigned i = 0; i < OWN_MAX; i++) {
		struct own *o = &owns[i];
		if (o->loop != l)
			continue;
		stream_tcp.loop_free(l);
		stack_free(o->stack, clock_kernel.read().mono_ns);
		close(o->nic.fd);
		o->loop = NULL;
	}
}

const struct stream_ops *stream_own(void)
{
	own_ops = stream_tcp;
	own_ops.name = "own";
	own_ops.loop_new = own_loop_new;
	own_ops.loop_free = own_loop_free;
	return &own_ops;
}
