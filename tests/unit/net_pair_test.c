// SPDX-License-Identifier: BSD-3-Clause
// Two stacks of ours that find each other by ARP or ND and talk TCP: over both families, tags,
// offloads, several cores; and what a peer learns of one that died.
#include <errno.h>

#include "dataplane/contract/flows.h"
#include "dataplane/net/stack_priv.h"
#include "tests/unit/net_world.h"
#include "tests/unit/random.h"

#define UP_LEN   400000
#define DOWN_LEN 150000

// One end of a connection: what it has written and read of a pattern.
struct end {
	struct flow *flow;
	struct stack *stack;
	size_t written, to_write, read, to_read;
	bool is_opened, is_ended;
};

static struct world world;

static uint8_t pattern(size_t at, bool is_up)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + is_up);
}

static void end_write(struct end *e, bool is_up)
{
	uint8_t bytes[8192];
	while (e->is_opened && e->written < e->to_write) {
		size_t n = e->to_write - e->written;
		n = n < sizeof(bytes) ? n : sizeof(bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = pattern(e->written + i, is_up);
		struct iovec iov = {bytes, n};
		ssize_t done = tcp_write(flow_tcp(e->flow), &iov, 1, world.now_ns);
		if (done == -EAGAIN)
			break;
		assert_true(done > 0);
		e->written += (size_t)done;
	}
	if (e->is_opened && e->written == e->to_write)
		tcp_shutdown(flow_tcp(e->flow), world.now_ns);
	flow_touch(e->flow);
}

static void end_read(struct end *e, bool is_up)
{
	uint8_t bytes[8192];
	ssize_t n;
	while (!e->is_ended &&
	       (n = tcp_read(flow_tcp(e->flow), bytes, sizeof(bytes), world.now_ns)) != -EAGAIN) {
		assert_true(n >= 0);
		e->is_ended = n == 0;
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], pattern(e->read + (size_t)i, is_up));
		e->read += (size_t)n;
	}
	flow_touch(e->flow);
}

static void end_news(struct end *e, bool is_client)
{
	unsigned events;
	struct flow *f;
	while ((f = stack_next_news(e->stack, &events))) {
		struct end *of = flow_owner(f);
		if (events & TCP_OPENED)
			of->is_opened = true;
		assert_false(events & TCP_FAILED);
		if (events & TCP_READABLE)
			end_read(of, !is_client);
		if (events & (TCP_WRITABLE | TCP_OPENED))
			end_write(of, is_client);
	}
}

static void server_accept(struct end *servers, unsigned *n, size_t to_write)
{
	struct end *e = &servers[*n];
	struct stack *s = world.server.stacks[0];
	struct flow *f = stack_accept(s, SERVER_PORT, e);
	if (!f)
		return;
	*e = (struct end){.flow = f, .stack = s, .is_opened = true, .to_write = to_write};
	++*n;
	end_write(e, false);
}

static void client_connect(struct end *e, unsigned core)
{
	*e = (struct end){.stack = world.client.stacks[core], .to_write = UP_LEN};
	assert_int_equal(stack_connect(e->stack, &world.server_address, SERVER_PORT, e,
				       world.now_ns, &e->flow),
			 0);
}

#define ENDS_MAX 8

// Send a pattern each way over `n` connections, of the client's cores in turn, and end them.
static void talk(unsigned n)
{
	static struct end clients[ENDS_MAX], servers[ENDS_MAX];
	unsigned n_servers = 0, n_ended = 0;
	uint64_t end_ns = world.now_ns + 60 * SECOND;
	stack_listen(world.server.stacks[0], SERVER_PORT, NULL, 0, 16);
	for (unsigned i = 0; i < n; i++)
		client_connect(&clients[i], i % world.client.n_cores);
	while (n_ended < 2 * n) {
		if (!world_step(&world, end_ns))
			fail_msg("not done after a minute");
		for (unsigned i = 0; i < world.client.n_cores; i++)
			end_news(&(struct end){.stack = world.client.stacks[i]}, true);
		if (n_servers < n)
			server_accept(servers, &n_servers, DOWN_LEN);
		end_news(&(struct end){.stack = world.server.stacks[0]}, false);
		n_ended = 0;
		for (unsigned i = 0; i < n; i++)
			n_ended += clients[i].is_ended + (i < n_servers && servers[i].is_ended);
	}
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(clients[i].read, DOWN_LEN);
		assert_int_equal(servers[i].read, UP_LEN);
		flow_close(clients[i].flow, world.now_ns);
		flow_close(servers[i].flow, world.now_ns);
	}
	end_ns = world.now_ns + 10 * SECOND;
	while (world_step(&world, end_ns))
		;
}

static const struct stack_counters *client(unsigned core)
{
	return stack_counters(world.client.stacks[core]);
}

static void expect_no_drops(const struct stack_counters *c)
{
	assert_int_equal(c->bad_ip + c->bad_ip_sum + c->bad_tcp + c->bad_tcp_sum, 0);
	assert_int_equal(c->bad_ether + c->bad_vlan + c->bad_nd + c->bad_arp + c->bad_icmp, 0);
	assert_int_equal(c->tx_too_long + c->no_neighbour + c->pending_dropped, 0);
}

static void stacks_talk_over_families_tags_and_offloads(void **state)
{
	static const uint32_t offloads[] = {
		0,
		NIC_TX_IP_SUM | NIC_TX_TCP_SUM,
		NIC_TX_TCP_SUM,
		NIC_TX_IP_SUM | NIC_TX_TCP_SUM | NIC_TSO,
		NIC_TX_IP_SUM | NIC_TX_TCP_SUM | NIC_TSO | NIC_TX_VLAN | NIC_RX_VLAN,
	};
	static const enum nic_sum sums[] = {NIC_SUM_UNKNOWN, NIC_SUM_GOOD, NIC_SUM_NONE};
	for (unsigned i = 0; i < 2 * 2 * 5 * 3; i++) {
		struct world_settings set = {
			.is_six = i % 2,
			.vlan = i / 2 % 2 ? 100 : 0,
			.offloads = offloads[i / 4 % 5],
			.sums = sums[i / 20],
			.n_cores = 1,
		};
		world_new(&world, &set);
		talk(1);
		expect_no_drops(client(0));
		assert_int_equal(client(0)->no_connection, 0);
		expect_no_drops(stack_counters(world.server.stacks[0]));
		world_free(&world);
	}
}

static void stacks_talk_over_a_lossy_wire(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		world_new(&world,
			  &(struct world_settings){.is_six = i, .n_cores = 1, .loss = 0.02});
		talk(3);
		assert_true(wire_drops(world.up) > 0 && wire_drops(world.down) > 0);
		world_free(&world);
	}
}

static void cores_have_their_flows_answers_come_to_them(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		world_new(&world, &(struct world_settings){.is_six = i, .n_cores = 2});
		talk(6);
		// Only what all cores learn from is copied: nothing of TCP.
		for (unsigned core = 0; core < 2; core++) {
			expect_no_drops(client(core));
			assert_true(client(core)->forwarded_in < 20);
		}
		world_free(&world);
	}
}

static void frames_that_come_to_the_wrong_queue_find_their_core(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world_settings set = {.is_six = i, .n_cores = 2, .spread = SPREAD_WRONG};
		world_new(&world, &set);
		talk(6);
		for (unsigned core = 0; core < 2; core++) {
			expect_no_drops(client(core));
			assert_true(client(core)->forwarded_in > 100);
			assert_int_equal(client(core)->forwarded_out,
					 client(1 - core)->forwarded_in);
		}
		world_free(&world);
	}
}

static void steps(uint64_t ns)
{
	for (uint64_t end_ns = world.now_ns + ns; world_step(&world, end_ns);)
		;
}

#define DIALLED 8

// The server dials the client, both of whose cores listen.
static void dial_all(struct flow **dialled)
{
	for (unsigned i = 0; i < DIALLED; i++)
		assert_int_equal(stack_connect(world.server.stacks[0], &world.client_address, 6379,
					       NULL, world.now_ns, &dialled[i]),
				 0);
	steps(SECOND);
}

static void byte_send(struct flow *f)
{
	char byte = 'a';
	struct iovec iov = {&byte, 1};
	assert_int_equal(tcp_write(flow_tcp(f), &iov, 1, world.now_ns), 1);
	flow_touch(f);
}

// All come to the queue of one core, which keeps half of them. When it has forgotten whom it gave
// the others, it finds them all the same.
static void accepted_flows_spread_over_the_cores_that_listen(void **state)
{
	for (unsigned forgets = 0; forgets < 2; forgets++) {
		struct flow *dialled[DIALLED], *accepted[DIALLED + 1];
		unsigned n = 0;
		world_new(&world, &(struct world_settings){.n_cores = 2, .spread = SPREAD_NONE});
		for (unsigned core = 0; core < 2; core++)
			assert_int_equal(stack_listen(world.client.stacks[core], 6379, NULL, 0, 16),
					 0);
		dial_all(dialled);
		for (unsigned core = 0; core < 2; core++) {
			struct stack *s = world.client.stacks[core];
			while ((accepted[n] = stack_accept(s, 6379, NULL)))
				n++;
			assert_int_equal(n, core ? DIALLED : DIALLED / 2);
		}
		struct stack *first = world.client.stacks[0];
		if (forgets)
			memset(first->handed, 0, sizeof(first->handed));
		for (unsigned i = 0; i < DIALLED; i++)
			byte_send(dialled[i]);
		steps(SECOND);
		for (unsigned i = 0; i < DIALLED; i++)
			assert_int_equal(tcp_readable(flow_tcp(accepted[i])), 1);
		assert_int_equal(client(0)->rst_out + client(1)->rst_out, 0);
		world_free(&world);
	}
}

// Those that have ended count no more: the core that has none left gets the next ones.
static void flows_that_ended_make_room_on_their_core(void **state)
{
	struct flow *dialled[DIALLED], *f;
	unsigned n = 0;
	world_new(&world, &(struct world_settings){.n_cores = 2, .spread = SPREAD_NONE});
	for (unsigned core = 0; core < 2; core++)
		stack_listen(world.client.stacks[core], 6379, NULL, 0, 16);
	dial_all(dialled);
	while ((f = stack_accept(world.client.stacks[0], 6379, NULL)))
		flow_close(f, world.now_ns);
	while (stack_accept(world.client.stacks[1], 6379, NULL))
		n++;
	assert_int_equal(n, DIALLED / 2);
	dial_all(dialled);
	for (n = 0; stack_accept(world.client.stacks[0], 6379, NULL);)
		n++;
	assert_int_equal(n, DIALLED / 2 + DIALLED / 4);
	for (n = 0; stack_accept(world.client.stacks[1], 6379, NULL);)
		n++;
	assert_int_equal(n, DIALLED / 4);
	world_free(&world);
}

// A segment of no flow, to a port that both cores listen to, is refused once.
static void stray_that_all_were_asked_for_is_refused_once(void **state)
{
	struct flow *f;
	world_new(&world, &(struct world_settings){.n_cores = 2, .spread = SPREAD_NONE});
	for (unsigned core = 0; core < 2; core++)
		stack_listen(world.client.stacks[core], 6379, NULL, 0, 16);
	assert_int_equal(stack_connect(world.server.stacks[0], &world.client_address, 6379, NULL,
				       world.now_ns, &f),
			 0);
	steps(SECOND);
	world.client.is_dead = true;
	host_stop(&world, &world.client);
	world.client.is_dead = false;
	host_start(&world, &world.client);
	for (unsigned core = 0; core < 2; core++)
		stack_listen(world.client.stacks[core], 6379, NULL, 0, 16);
	byte_send(f);
	steps(SECOND);
	assert_int_equal(tcp_error(flow_tcp(f)), ECONNRESET);
	assert_int_equal(client(0)->rst_out, 0);
	assert_int_equal(client(1)->rst_out, 1);
	world_free(&world);
}

// The server dials the client, whose listener is on one core; the SYN comes to either.
static void accepted_flows_belong_to_the_core_that_listens(void **state)
{
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		struct world_settings set = {.n_cores = 2,
					     .spread = wrong ? SPREAD_WRONG : SPREAD_RIGHT};
		struct flow *dialled[8], *accepted;
		unsigned n = 0;
		world_new(&world, &set);
		assert_int_equal(stack_listen(world.client.stacks[1], 6379, NULL, 0, 16), 0);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(stack_connect(world.server.stacks[0],
						       &world.client_address, 6379, NULL,
						       world.now_ns, &dialled[i]),
					 0);
		while (n < 8) {
			assert_true(world_step(&world, 10 * SECOND));
			assert_null(stack_accept(world.client.stacks[0], 6379, NULL));
			while ((accepted = stack_accept(world.client.stacks[1], 6379, NULL))) {
				char byte = 'a';
				struct iovec iov = {&byte, 1};
				assert_int_equal(
					tcp_write(flow_tcp(accepted), &iov, 1, world.now_ns), 1);
				flow_touch(accepted);
				n++;
			}
		}
		for (uint64_t end_ns = world.now_ns + SECOND; world_step(&world, end_ns);)
			;
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(tcp_readable(flow_tcp(dialled[i])), 1);
		assert_true(client(0)->forwarded_out > 0);
		assert_int_equal(client(0)->rst_out + client(1)->rst_out, 0);
		world_free(&world);
	}
}

// A dataplane that dies says nothing. Its next life pokes what it finds noted, and the peers know.
static void peer_of_a_dead_stack_learns_of_it_by_a_poke(void **state)
{
	for (unsigned is_six = 0; is_six < 2; is_six++) {
		static struct flow_rows rows, former;
		struct flow *mine, *peers;
		unsigned events = 0, poked = 0;
		memset(&rows, 0, sizeof(rows));
		world_new(&world, &(struct world_settings){.is_six = is_six, .n_cores = 1});
		host_stop(&world, &world.client);
		world.client.set.n_rows = flow_rows_of(&rows, 0, 1, &world.client.set.rows);
		host_start(&world, &world.client);
		stack_listen(world.server.stacks[0], SERVER_PORT, NULL, 0, 16);
		assert_int_equal(stack_connect(world.client.stacks[0], &world.server_address,
					       SERVER_PORT, NULL, world.now_ns, &mine),
				 0);
		steps(3 * SECOND);
		peers = stack_accept(world.server.stacks[0], SERVER_PORT, NULL);
		assert_non_null(peers);
		steps(SECOND);

		former = rows;
		memset(&rows, 0, sizeof(rows));
		world.client.is_dead = true;
		host_stop(&world, &world.client);
		world.client.is_dead = false;
		host_start(&world, &world.client);
		steps(2 * SECOND);
		assert_int_equal(tcp_state(flow_tcp(peers)), TCP_ESTABLISHED);
		for (unsigned i = 0; i < FLOW_ROWS_MAX; i++)
			poked += !stack_poke(world.client.stacks[0], &former.rows[i], world.now_ns);
		assert_int_equal(poked, 1);
		steps(10 * MS);
		assert_ptr_equal(stack_next_news(world.server.stacks[0], &events), peers);
		assert_true(events & TCP_FAILED);
		assert_int_equal(tcp_error(flow_tcp(peers)), ECONNRESET);
		assert_int_equal(stack_counters(world.client.stacks[0])->rst_out, 1);
		world_free(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_talk_over_families_tags_and_offloads),
		cmocka_unit_test(stacks_talk_over_a_lossy_wire),
		cmocka_unit_test(cores_have_their_flows_answers_come_to_them),
		cmocka_unit_test(frames_that_come_to_the_wrong_queue_find_their_core),
		cmocka_unit_test(accepted_flows_spread_over_the_cores_that_listen),
		cmocka_unit_test(flows_that_ended_make_room_on_their_core),
		cmocka_unit_test(stray_that_all_were_asked_for_is_refused_once),
		cmocka_unit_test(accepted_flows_belong_to_the_core_that_listens),
		cmocka_unit_test(peer_of_a_dead_stack_learns_of_it_by_a_poke),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
