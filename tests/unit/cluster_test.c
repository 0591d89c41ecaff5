// SPDX-License-Identifier: BSD-3-Clause
// Replies are as Redis 7.0.15 gave them, shortened, and in the forms that other releases document.
#include <errno.h>

#include "parsers/cluster.h"
#include "tests/unit/test.h"

#define A "7f3f1eca8e8fba43ee3e479e9872d7abe1d07846"
#define B "7c3f6565bf1916000a3fc4f6d539e83d38f47d2b"
#define C "e3a5c625c33f246890400f2d049741e4a21c9d4d"
#define R "a644a1ada8447cf1543c3efce68790a0ced2f60f"

static const struct cluster_asked asked = {"10.0.0.9", false};

static int map_setup(void **state)
{
	struct cluster_map *map = calloc(1, sizeof(*map));
	cluster_map_reset(map);
	*state = map;
	return 0;
}

static int map_teardown(void **state)
{
	free(*state);
	return 0;
}

static const struct cluster_node *node_of(const struct cluster_map *map, const char *id)
{
	uint16_t i = cluster_node_find(map, span_of(id));
	if (i == CLUSTER_NONE)
		fail_msg("no node %s", id);
	return &map->nodes[i];
}

static const char *owner_id(const struct cluster_map *map, uint16_t slot)
{
	return map->owner[slot] == CLUSTER_NONE ? "" : map->nodes[map->owner[slot]].id;
}

static void nodes_take(struct cluster_map *map, const char *text)
{
	assert_int_equal(cluster_nodes_read(map, span_of(text), &asked), 0);
}

typedef int reader(struct cluster_map *map, const struct resp_value *v, unsigned n,
		   const struct cluster_asked *asked);

// A reply in RESP, with a blank for each CR LF.
static int reply_take(struct cluster_map *map, reader *read, const char *line,
		      const struct cluster_asked *how)
{
	struct resp_replies *replies = resp_replies_new();
	const struct resp_value *v;
	unsigned n;
	for (; *line; line++) {
		bool blank = *line == ' ';
		resp_replies_feed(replies, blank ? "\r\n" : line, blank ? 2 : 1);
	}
	resp_replies_feed(replies, "\r\n", 2);
	assert_int_equal(resp_replies_next(replies, &v, &n), RESP_OK);
	int rc = read(map, v, n, how);
	resp_replies_free(replies);
	return rc;
}

// ---- CLUSTER NODES --------------------------------------------------------------------------

static const char nodes_7_0[] =
	C " 127.0.0.1:17103@27103 master,fail - 1795343402084 1795343401073 3 connected "
	  "10923-16383\n" R " 127.0.0.1:17104@27104 slave " A " 0 1795343408156 1 connected\n" B
	  " 127.0.0.1:17102@27102,host-2.example master - 0 1795343408156 2 connected 5461-5469 "
	  "6001-10922\n" A
	  " 127.0.0.1:17101@27101 myself,master - 0 1795343407000 1 connected 0-5460 5470-6000 "
	  "[42->-" B "] [43-<-" C "]\n";

static void nodes_tell_owners_masters_flags_and_moves(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, nodes_7_0);
	assert_int_equal(map->n_nodes, 4);
	assert_int_equal(map->n_owned, SLOT_COUNT);
	const struct cluster_node *a = node_of(map, A), *b = node_of(map, B), *r = node_of(map, R);
	assert_string_equal(a->host, "127.0.0.1");
	assert_int_equal(a->port, 17101);
	assert_int_equal(a->flags, CLUSTER_MYSELF | CLUSTER_MASTER);
	assert_int_equal(node_of(map, C)->flags, CLUSTER_MASTER | CLUSTER_FAIL);
	assert_int_equal(r->flags, CLUSTER_REPLICA);
	assert_int_equal(r->master, a - map->nodes);
	assert_int_equal(a->master, a - map->nodes);
	assert_int_equal(a->n_slots, 5461 + 531);
	assert_string_equal(owner_id(map, 5460), A);
	assert_string_equal(owner_id(map, 5465), B);
	assert_string_equal(owner_id(map, 6000), A);
	assert_string_equal(owner_id(map, 16383), C);
	assert_int_equal(map->n_moving, 2);
	assert_int_equal(map->migrating[42], b - map->nodes);
	assert_int_equal(map->importing[43], node_of(map, C) - map->nodes);
	assert_int_equal(map->importing[42], CLUSTER_NONE);
	assert_true(cluster_node_serves(a));
	assert_false(cluster_node_serves(r));
	assert_false(cluster_node_serves(node_of(map, C)));
}

static void nodes_of_3_0_have_no_bus_port(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, A " 10.0.0.1:6379 myself,master - 0 0 1 connected 7\r\n");
	assert_string_equal(node_of(map, A)->host, "10.0.0.1");
	assert_int_equal(node_of(map, A)->port, 6379);
	assert_string_equal(owner_id(map, 7), A);
	assert_int_equal(map->n_owned, 1);
}

static void nodes_hold_ipv6_and_named_fields(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, A " 2001:db8::1:6379@16379,a.example,shard-id=" R ",az=b master - 0 0 1 "
			  "connected 1 2 5-6\n" B " fe80::2:6380@16380,,tls-port=0,shard-id=" C
			  " slave,nofailover " A " 0 0 1 connected\n");
	assert_string_equal(node_of(map, A)->host, "2001:db8::1");
	assert_int_equal(node_of(map, A)->port, 6379);
	assert_string_equal(node_of(map, A)->shard, R);
	assert_string_equal(node_of(map, B)->host, "fe80::2");
	assert_string_equal(node_of(map, B)->shard, C);
	assert_int_equal(node_of(map, A)->n_slots, 4);
}

static void nodes_without_an_address_are_the_asked_one_or_lost(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, A " :6379@16379 myself,master - 0 0 0 connected 0-16383\n" B
			  " :0@0 master,noaddr - 1 0 2 disconnected\n" C
			  " 10.0.0.3:6379@16379 handshake - 0 0 0 connected\n" R
			  " 10.0.0.4:6379@16379 slave,fail? - 0 0 0 connected\n");
	assert_string_equal(node_of(map, A)->host, "10.0.0.9");
	assert_string_equal(node_of(map, B)->host, "");
	assert_int_equal(node_of(map, B)->flags, CLUSTER_MASTER | CLUSTER_NOADDR);
	assert_int_equal(node_of(map, C)->flags, CLUSTER_HANDSHAKE);
	assert_int_equal(node_of(map, C)->master, CLUSTER_NONE);
	assert_int_equal(node_of(map, R)->flags, CLUSTER_REPLICA | CLUSTER_PFAIL);
}

static void nodes_that_are_none_are_refused(void **state)
{
	struct cluster_map *map = *state;
	static const char *const bad[] = {
		"",
		"\n\n",
		"OK",
		A,
		A " 10.0.0.1 master - 0 0 1 connected",
		A " 10.0.0.1:x master - 0 0 1 connected",
		A " 10.0.0.1:65536 master - 0 0 1 connected",
		A " 10.0.0.1:1 master - 0 0 1 connected 16384",
		A " 10.0.0.1:1 master - 0 0 1 connected 7-6",
		A " 10.0.0.1:1 master - 0 0 1 connected 1-2-3",
		A " 10.0.0.1:1 master - 0 0 1 connected [1]",
		A " 10.0.0.1:1 master - 0 0 1 connected [1->-",
		A " 10.0.0.1:1 master - 0 0 1 connected [16384->-" B "]",
		A "a 10.0.0.1:1 master - 0 0 1 connected",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cluster_map_reset(map);
		assert_int_equal(cluster_nodes_read(map, span_of(bad[i]), &asked), -EINVAL);
	}
}

static void more_nodes_than_fit_are_refused(void **state)
{
	struct cluster_map *map = *state;
	char line[160];
	for (unsigned i = 0; i <= CLUSTER_NODES_MAX; i++) {
		snprintf(line, sizeof(line), "%040x 10.0.0.1:%u@1 master - 0 0 1 connected\n", i,
			 i);
		assert_int_equal(cluster_nodes_read(map, span_of(line), &asked),
				 i < CLUSTER_NODES_MAX ? 0 : -ENOBUFS);
	}
	assert_int_equal(cluster_node_at(map, "10.0.0.2", 1), CLUSTER_NONE);
}

// ---- CLUSTER SLOTS --------------------------------------------------------------------------

static void slots_tell_owners_and_addresses_of_clients(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, nodes_7_0);
	// an endpoint by name, one that is not known, one that is the asked host, one with notes
	assert_int_equal(reply_take(map, cluster_slots_read,
				    "*3 *4 :0 :5460 *4 $1 ? :17101 $40 " A " *2 $2 ip $9 127.0.0.1"
				    " *4 $-1 :17104 $40 " R " *0"
				    " *3 :5461 :10922 *4 $14 host-2.example :17102 $40 " B " *0"
				    " *3 :10923 :16383 *4 $0  :17103 $40 " C " *0",
				    &asked),
			 0);
	assert_string_equal(node_of(map, A)->host, "127.0.0.1");
	assert_string_equal(node_of(map, B)->host, "host-2.example");
	assert_string_equal(node_of(map, C)->host, "10.0.0.9");
	assert_string_equal(node_of(map, R)->host, "10.0.0.9");
	assert_int_equal(node_of(map, R)->port, 17104);
	assert_int_equal(node_of(map, R)->master, node_of(map, A) - map->nodes);
	assert_string_equal(owner_id(map, 5465), B);
	assert_string_equal(owner_id(map, 5470), B);
	assert_int_equal(node_of(map, A)->flags, CLUSTER_MYSELF | CLUSTER_MASTER);
	assert_int_equal(node_of(map, C)->flags, CLUSTER_MASTER | CLUSTER_FAIL);
}

static void slots_of_3_0_have_no_ids(void **state)
{
	struct cluster_map *map = *state;
	const char *reply = "*2 *4 :0 :1 *2 $8 10.0.0.1 :6379 *2 $8 10.0.0.2 :6379"
			    " *3 :2 :3 *2 $8 10.0.0.1 :6379";
	assert_int_equal(reply_take(map, cluster_slots_read, reply, &asked), 0);
	assert_int_equal(map->n_nodes, 2);
	assert_int_equal(map->owner[3], 0);
	assert_int_equal(map->nodes[1].master, 0);
	assert_int_equal(map->nodes[1].flags, CLUSTER_REPLICA);
	nodes_take(map, A " 10.0.0.3:6379 myself,master - 0 0 1 connected 3\n");
	assert_string_equal(owner_id(map, 3), A);
	assert_int_equal(map->nodes[0].n_slots, 3);
}

static void slots_that_are_none_are_refused(void **state)
{
	struct cluster_map *map = *state;
	static const char *const bad[] = {
		"+OK",
		":1",
		"*1 :1",
		"*1 *2 :0 :16384",
		"*1 *2 :-1 :5",
		"*1 *2 :6 :5",
		"*1 *3 :0 :1 *1 $1 h",
		"*1 *3 :0 :1 *2 :1 :1",
		"*1 *3 :0 :1 *2 $1 h :65536",
		"*1 *3 :0 :1 *3 $1 h :1 $0 ",
		"*1 *3 :0 :1 *3 $1 h :1 $41 x" A,
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(reply_take(map, cluster_slots_read, bad[i], &asked), -EINVAL);
	assert_int_equal(reply_take(map, cluster_slots_read, "*0", &asked), 0);
	assert_int_equal(map->n_owned, 0);
}

// ---- CLUSTER SHARDS -------------------------------------------------------------------------

static const char shards_7_0[] =
	"*2 *4 $5 slots *2 :10923 :16383 $5 nodes *1"
	" *16 $2 id $40 " C " $4 port :17103 $8 tls-port :27103 $2 ip $9 127.0.0.1 $8 endpoint $0 "
	" $4 role $6 master $18 replication-offset :0 $6 health $6 online"
	" *4 $5 slots *4 :0 :5460 :5470 :6000 $5 nodes *2"
	" *14 $2 id $40 " A " $8 tls-port :27101 $2 ip $9 127.0.0.1 $8 endpoint $9 a.example"
	" $4 role $6 master $18 replication-offset :154 $6 health $6 online"
	" *14 $2 id $40 " R " $4 port :17104 $2 ip $9 127.0.0.1 $8 endpoint $1 ?"
	" $4 role $7 replica $18 replication-offset :154 $6 health $7 loading";

static void shards_tell_owners_ports_and_health(void **state)
{
	struct cluster_map *map = *state;
	assert_int_equal(reply_take(map, cluster_shards_read, shards_7_0, &asked), 0);
	assert_int_equal(map->n_owned, 5461 + 5461 + 531);
	assert_string_equal(owner_id(map, 6000), A);
	assert_string_equal(owner_id(map, 5465), "");
	assert_string_equal(node_of(map, C)->host, "10.0.0.9");
	assert_int_equal(node_of(map, C)->port, 17103);
	assert_string_equal(node_of(map, A)->host, "a.example");
	assert_int_equal(node_of(map, A)->port, 0);
	assert_false(cluster_node_serves(node_of(map, A)));
	assert_string_equal(node_of(map, R)->host, "127.0.0.1");
	assert_int_equal(node_of(map, R)->flags, CLUSTER_REPLICA | CLUSTER_LOADING);
	assert_int_equal(node_of(map, R)->master, node_of(map, A) - map->nodes);
}

static void shards_asked_over_tls_tell_ports_of_tls(void **state)
{
	struct cluster_map *map = *state;
	const struct cluster_asked tls = {"10.0.0.9", true};
	assert_int_equal(reply_take(map, cluster_shards_read, shards_7_0, &tls), 0);
	assert_int_equal(node_of(map, A)->port, 27101);
	assert_int_equal(node_of(map, C)->port, 27103);
	assert_int_equal(node_of(map, R)->port, 0);
}

static void shards_name_themselves_and_know_their_present_master(void **state)
{
	struct cluster_map *map = *state;
	const char *reply = "*1 *6 $2 id $40 " R " $5 slots *2 :0 :9 $5 nodes *2"
			    " *8 $2 id $40 " A " $4 port :1 $4 role $6 master $6 health $4 fail"
			    " *8 $2 id $40 " B " $4 port :2 $4 role $6 master $6 health $6 online";
	assert_int_equal(reply_take(map, cluster_shards_read, reply, &asked), 0);
	assert_string_equal(owner_id(map, 9), B);
	assert_string_equal(node_of(map, A)->shard, R);
	assert_int_equal(node_of(map, A)->flags, CLUSTER_MASTER | CLUSTER_FAIL);
}

static void shards_that_are_none_are_refused(void **state)
{
	struct cluster_map *map = *state;
	static const char *const bad[] = {
		"$2 no",
		"*1 *1 $5 slots",
		"*1 *2 $5 slots :1",
		"*1 *4 $5 slots *2 :0 :16384 $5 nodes *1 *2 $2 id $40 " A,
		"*1 *4 $5 slots *0 $5 nodes *1 *2 $4 port :1",
		"*1 *4 $5 slots *0 $5 nodes *1 :7",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(reply_take(map, cluster_shards_read, bad[i], &asked), -EINVAL);
}

// ---- Redirects and tags ---------------------------------------------------------------------

static void errors_of_a_cluster_are_told_apart(void **state)
{
	static const struct {
		const char *error;
		enum cluster_answer answer;
		unsigned slot;
		const char *host;
		unsigned port;
	} rows[] = {
		{"-MOVED 3999 127.0.0.1:6381", CLUSTER_MOVED, 3999, "127.0.0.1", 6381},
		{"MOVED 0 host-2.example:1", CLUSTER_MOVED, 0, "host-2.example", 1},
		{"-MOVED 12182 :17103", CLUSTER_MOVED, 12182, "10.0.0.9", 17103},
		{"-MOVED 12182 ?:17103", CLUSTER_MOVED, 12182, "", 17103},
		{"-ASK 16383 2001:db8::1:65535", CLUSTER_ASK, 16383, "2001:db8::1", 65535},
		{"-TRYAGAIN Multiple keys request during rehashing of slot", CLUSTER_TRYAGAIN},
		{"-CLUSTERDOWN The cluster is down", CLUSTER_DOWN},
		{"-CLUSTERDOWN Hash slot not served", CLUSTER_DOWN},
		{"-CROSSSLOT Keys in request don't hash to the same slot", CLUSTER_CROSSSLOT},
		{"-ERR This instance has cluster support disabled", CLUSTER_UNSUPPORTED},
		{"-MOVED", CLUSTER_OTHER},
		{"-MOVED 16384 a:1", CLUSTER_OTHER},
		{"-MOVED 1 a", CLUSTER_OTHER},
		{"-MOVED 1 a:65536", CLUSTER_OTHER},
		{"-MOVEDX 1 a:1", CLUSTER_OTHER},
		{"-ERR unknown command", CLUSTER_OTHER},
		{"-", CLUSTER_OTHER},
		{"", CLUSTER_OTHER},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cluster_redirect r = {0};
		assert_int_equal(cluster_error_read(span_of(rows[i].error), &asked, &r),
				 rows[i].answer);
		if (!rows[i].host)
			continue;
		assert_int_equal(r.slot, rows[i].slot);
		assert_int_equal(r.port, rows[i].port);
		assert_string_equal(r.host, rows[i].host);
	}
}

static void a_redirect_moves_one_slot(void **state)
{
	struct cluster_map *map = *state;
	nodes_take(map, nodes_7_0);
	uint16_t b = cluster_node_at(map, "127.0.0.1", 17102);
	assert_string_equal(map->nodes[b].id, B);
	cluster_owner_set(map, 0, b);
	assert_string_equal(owner_id(map, 0), B);
	assert_string_equal(owner_id(map, 1), A);
	assert_int_equal(map->n_owned, SLOT_COUNT);
	uint16_t new = cluster_node_at(map, "10.0.0.7", 1);
	assert_int_equal(new, 4);
	assert_int_equal(cluster_node_at(map, "10.0.0.7", 1), new);
	cluster_owner_set(map, 1, new);
	assert_int_equal(map->nodes[new].n_slots, 1);
	cluster_owner_set(map, 1, CLUSTER_NONE);
	assert_int_equal(map->n_owned, SLOT_COUNT - 1);
	assert_int_equal(map->nodes[new].n_slots, 0);
}

static void tags_lie_in_their_slots_and_stay_for_ever(void **state)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		const char *tag = cluster_tag((uint16_t)slot);
		char key[16];
		assert_in_range(strlen(tag), 1, CLUSTER_TAG_LEN);
		assert_int_equal(strspn(tag, "0123456789abcdefghijklmnopqrstuvwxyz"
					     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
				 strlen(tag));
		snprintf(key, sizeof(key), "{%s}:x", tag);
		assert_int_equal(key_slot(span_of(key)), slot);
		for (; *tag; tag++)
			sum = sum * 31 + (uint64_t)*tag;
	}
	assert_string_equal(cluster_tag(crc16("A", 1) % SLOT_COUNT), "A");
	assert_true(sum == 0x53e075433f4206a8ull);
}

#define T(f) cmocka_unit_test_setup_teardown(f, map_setup, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nodes_tell_owners_masters_flags_and_moves),
		T(nodes_of_3_0_have_no_bus_port),
		T(nodes_hold_ipv6_and_named_fields),
		T(nodes_without_an_address_are_the_asked_one_or_lost),
		T(nodes_that_are_none_are_refused),
		T(more_nodes_than_fit_are_refused),
		T(slots_tell_owners_and_addresses_of_clients),
		T(slots_of_3_0_have_no_ids),
		T(slots_that_are_none_are_refused),
		T(shards_tell_owners_ports_and_health),
		T(shards_asked_over_tls_tell_ports_of_tls),
		T(shards_name_themselves_and_know_their_present_master),
		T(shards_that_are_none_are_refused),
		T(errors_of_a_cluster_are_told_apart),
		T(a_redirect_moves_one_slot),
		T(tags_lie_in_their_slots_and_stay_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
