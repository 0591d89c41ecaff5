// SPDX-License-Identifier: BSD-3-Clause
// What a stream's peer says beyond its address: how the rate is found, and which link it serves.
// Over our own TCP, on a nic of plain arrays.
#include "dataplane/net/stream_tcp.h"
#include "dataplane/tcp/tcp_priv.h"
#include "tests/unit/net_rig.h"

static uint64_t now_ns;

static struct clock_reading clock_read(void)
{
	return (struct clock_reading){.mono_ns = now_ns};
}

static const struct clock_ops clock_stopped = {clock_read};

struct house {
	struct fake_nic nic;
	struct trace_zone traces;
	struct stack *stack;
	struct stream_loop *loop;
};

static struct house *house_new(enum tcp_congestion of_host)
{
	struct house *h = aligned_alloc(64, sizeof(*h));
	struct stack_settings set = rig_settings(false);
	assert_non_null(h);
	memset(h, 0, sizeof(*h));
	now_ns = SECOND;
	fake_nic_init(&h->nic);
	set.tcp.congestion = of_host;
	set.traces = &h->traces;
	set.n_traces = TRACE_FLOWS_MAX;
	h->stack = rig_stack(&h->nic, &set);
	assert_int_equal(stream_tcp_new(h->stack, &h->nic.nic, IDLE_SPIN, &clock_stopped, &h->loop),
			 0);
	return h;
}

static void house_free(struct house *h)
{
	h->loop->ops->loop_free(h->loop);
	stack_free(h->stack, now_ns);
	free(h);
}

// The connection behind a stream, as it fails because nobody has its address.
static const struct tcp *connection(struct house *h)
{
	unsigned events;
	now_ns += 60 * SECOND;
	for (unsigned i = 0; i < 100; i++) {
		stack_turn(h->stack, now_ns += SECOND);
		struct flow *f = stack_next_news(h->stack, &events);
		if (f)
			return flow_tcp(f);
	}
	fail_msg("nothing has become of the connection");
	return NULL;
}

static void expect_congestion(enum tcp_congestion of_host, enum stream_congestion said,
			      const struct congestion_ops *ops)
{
	struct house *h = house_new(of_host);
	struct stream_peer peer = {
		.host = "10.0.0.7", .port = 6379, .net = STREAM_OWN, .congestion = said};
	struct stream *s;
	assert_int_equal(stream_connect(h->loop, &peer, &s), 0);
	assert_ptr_equal(connection(h)->congestion.ops, ops);
	stream_close(s);
	house_free(h);
}

static void connection_finds_its_rate_as_its_peer_says_else_as_the_host(void **state)
{
	expect_congestion(TCP_CUBIC, STREAM_CONGESTION_HOST, &congestion_cubic);
	expect_congestion(TCP_CUBIC, STREAM_BBR, &congestion_bbr);
	expect_congestion(TCP_CUBIC, STREAM_CUBIC, &congestion_cubic);
	expect_congestion(TCP_BBR, STREAM_CONGESTION_HOST, &congestion_bbr);
	expect_congestion(TCP_BBR, STREAM_CUBIC, &congestion_cubic);
}

static void trace_names_the_link_of_the_connection(void **state)
{
	struct house *h = house_new(TCP_CUBIC);
	struct trace_view *view = malloc(sizeof(*view));
	struct stream *streams[3];
	uint32_t seen = 0;
	for (uint32_t i = 0; i < 3; i++) {
		struct stream_peer peer = {
			.host = "10.0.0.7", .port = 6379, .net = STREAM_OWN, .link = i};
		assert_int_equal(stream_connect(h->loop, &peer, &streams[i]), 0);
	}
	for (uint32_t i = 0; i < TRACE_FLOWS_MAX; i++)
		if (!trace_read(&h->traces, i, view))
			seen |= 1u << view->flow.link;
	assert_int_equal(seen, 1u << TRACE_NO_LINK | 1u << 1 | 1u << 2);
	for (uint32_t i = 0; i < 3; i++)
		stream_close(streams[i]);
	free(view);
	house_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_finds_its_rate_as_its_peer_says_else_as_the_host),
		cmocka_unit_test(trace_names_the_link_of_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
