// SPDX-License-Identifier: BSD-3-Clause
// node_serve() for each connection -> node_answer() -> stream_play(), snapshot_play(), info_say(),
// cluster_say()
#include "tests/e2e/player.h"

#include <poll.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/e2e/harness.h"
#include "tests/e2e/shadow.h"

#define BUS 10000 // of a node's cluster bus, from its port on

struct played {
	struct player *player;
	const struct recorded_node *recorded;
	int port;
	unsigned number;
	int lag_ms;
	_Atomic bool begun;     // its snapshot has been taken
	_Atomic bool looked_at; // and its map was asked for since
	_Atomic size_t sent;    // the farthest
	struct played *feed;    // the same one, as its shadow sees it; NULL: it has none
	struct shadow shadow;
	bool is_feed;
};

struct player {
	struct player *next;
	const struct recording *recording;
	double pace;
	pthread_mutex_t lock;       // of the beginning
	_Atomic long long start_ms; // 0: the clock stands
	_Atomic unsigned n_refused, n_given;
	struct played nodes[RECORDED_NODES_MAX], feeds[RECORDED_NODES_MAX];
	char url[RECORDED_NODES_MAX * 64];
};

// ---- The clock

// @param flag  of the node: what has happened to it now
static void clock_begin(struct player *p, _Atomic bool *flag)
{
	bool all = true;

	pthread_mutex_lock(&p->lock);
	*flag = true;
	for (unsigned i = 0; i < p->recording->n_nodes; i++)
		all &= p->nodes[i].begun && p->nodes[i].looked_at;
	if (all && !p->start_ms)
		p->start_ms = now_ms();
	pthread_mutex_unlock(&p->lock);
}

// @return the time of the recording that it is now, less than 0: it has not begun
static double clock_now(const struct player *p)
{
	if (!p->start_ms)
		return -1;
	double ms = (double)(now_ms() - p->start_ms);
	return p->pace > 0 ? ms * p->pace : p->recording->end_ms + ms;
}

// How far the node has come at a time, in its bytes.
static size_t node_at(const struct played *n, double ms)
{
	const struct recorded_node *r = n->recorded;
	unsigned low = 0, high = r->n_chunks;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		if (r->chunks[mid].ms <= ms)
			low = mid + 1;
		else
			high = mid;
	}
	size_t at = low ? r->chunks[low - 1].end : 0;
	return at > r->stream_at ? at : r->stream_at;
}

// The time that an answer tells of. See player.h.
static double answer_time(const struct player *p)
{
	double slack_ms = PLAYER_SLACK_MS * (p->pace > 0 ? p->pace : 1), ms = clock_now(p);

	nap_ms(2 * PLAYER_SLACK_MS);
	return ms < 0 ? ms : ms + slack_ms;
}

// ---- The stream

// Wait, and read what the replica says meanwhile: that it has taken what it was sent.
//
// @return false: it has gone
static bool replica_wait(struct played *n, int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[4096];

	if (poll(&p, 1, ms) <= 0)
		return true;
	if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
		return false;
	if (!n->begun)
		clock_begin(n->player, &n->begun);
	return true;
}

// How far it may be sent now.
static size_t stream_due(const struct played *n)
{
	const struct player *p = n->player;

	if (!p->start_ms || now_ms() < p->start_ms + n->lag_ms)
		return n->recorded->stream_at;
	double ms = clock_now(p) - n->lag_ms * (p->pace > 0 ? p->pace : 1);
	return node_at(n, ms);
}

static void stream_play(struct played *n, int fd, size_t at)
{
	const struct recorded_node *r = n->recorded;

	while (replica_wait(n, fd, at == r->len ? 1000 : 1)) {
		size_t due = stream_due(n);
		if (due <= at)
			continue;
		if (fake_write(fd, r->bytes + at, due - at))
			return;
		at = due;
		if (at > n->sent)
			n->sent = at;
	}
}

// What the master has by now, which comes as late as its stream.
static int snapshot_again(struct played *n, int fd)
{
	size_t len, at = node_at(n, clock_now(n->player));
	char *head;

	if (shadow_snapshot(&n->shadow, &head, &len, &at)) {
		n->player->n_refused++;
		fake_say(fd, "-ERR the shadow has no snapshot to give\r\n");
		return -1;
	}
	n->player->n_given++;
	nap_ms(n->lag_ms);
	int rc = fake_write(fd, head, len);
	free(head);
	if (at > n->sent)
		n->sent = at;
	if (!rc)
		stream_play(n, fd, at);
	return -1;
}

static int snapshot_play(struct played *n, int fd)
{
	const struct recorded_node *r = n->recorded;

	if (n->is_feed) {
		if (!fake_write(fd, n->shadow.head, n->shadow.head_len))
			stream_play(n, fd, r->stream_at);
		return -1;
	}
	if (n->player->start_ms && n->feed)
		return snapshot_again(n, fd);
	if (n->player->start_ms) {
		n->player->n_refused++;
		fake_say(fd, "-ERR a recording has one snapshot of each node\r\n");
		return -1;
	}
	if (fake_write(fd, r->bytes, r->stream_at))
		return -1;
	stream_play(n, fd, r->stream_at);
	return -1;
}

static int psync_answer(struct played *n, int fd, const struct fake_command *c)
{
	const struct recorded_node *r = n->recorded;
	char line[64], *end = NULL;
	unsigned long long offset = c->argc > 2 ? strtoull(c->argv[2], &end, 10) : 0;

	if (!end || *end)
		return fake_say(fd, "-ERR value is not an integer or out of range\r\n");
	if (strcmp(c->argv[1], r->replid) != 0 || offset <= r->offset ||
	    offset > r->offset + (r->len - r->stream_at) + 1)
		return snapshot_play(n, fd);
	snprintf(line, sizeof(line), "+CONTINUE %s\r\n", r->replid);
	if (!fake_say(fd, line))
		stream_play(n, fd, r->stream_at + (offset - 1 - r->offset));
	return -1;
}

// ---- INFO

static int text_say(int fd, const char *said, size_t len)
{
	char head[32];

	snprintf(head, sizeof(head), "$%zu\r\n", len);
	return fake_say(fd, head) || fake_write(fd, said, len) || fake_say(fd, "\r\n") ? -1 : 0;
}

static int info_say(const struct played *n, int fd)
{
	const struct recording *r = n->player->recording;
	const char *version = strchr(r->server, '-') + 1;
	bool valkey = !strncmp(r->server, "valkey", 6);
	double ms = answer_time(n->player);
	size_t at = node_at(n, ms) - n->recorded->stream_at;
	char said[1024];

	int len = snprintf(said, sizeof(said),
			   "# Server\r\nredis_version:%s\r\n%s%s%sredis_mode:cluster\r\n"
			   "# Persistence\r\nloading:0\r\n"
			   "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
			   "master_replid:%s\r\nmaster_repl_offset:%llu\r\n"
			   "# Cluster\r\ncluster_enabled:1\r\n# Keyspace\r\n",
			   valkey ? "7.2.4" : version,
			   valkey ? "server_name:valkey\r\nvalkey_version:" : "",
			   valkey ? version : "", valkey ? "\r\n" : "", n->recorded->replid,
			   (unsigned long long)(n->recorded->offset + at));
	return text_say(fd, said, (size_t)len);
}

// ---- CLUSTER

struct view {
	uint8_t owner[SLOT_COUNT];
	uint8_t other[SLOT_COUNT]; // where the owner sends it
	unsigned epoch;
};

static struct view *view_of(const struct played *n, double ms)
{
	const struct recording *r = n->player->recording;
	struct view *v = malloc(sizeof(*v));

	if (!v)
		return NULL;
	v->epoch = r->n_nodes;
	memset(v->owner, RECORDED_NOBODY, sizeof(v->owner));
	memset(v->other, RECORDED_NOBODY, sizeof(v->other));
	for (uint8_t i = 0; i < r->n_nodes; i++)
		for (unsigned slot = r->nodes[i].first; slot <= r->nodes[i].last; slot++)
			v->owner[slot] = i;
	for (unsigned i = 0; i < r->n_changes && r->changes[i].ms <= ms; i++) {
		const struct recorded_change *c = &r->changes[i];
		if (c->node != n->number)
			continue;
		v->epoch += c->other == RECORDED_NOBODY;
		for (unsigned slot = c->first; slot <= c->last; slot++) {
			v->owner[slot] = c->owner;
			v->other[slot] = c->other;
		}
	}
	return v;
}

// The slots of a node as CLUSTER NODES tells them, and those on the move when it tells of itself.
static void slots_print(FILE *out, const struct played *n, const struct view *v, unsigned node)
{
	const struct recorded_node *nodes = n->player->recording->nodes;

	for (unsigned first = 0, last; first < SLOT_COUNT; first = last + 1) {
		for (last = first; last + 1 < SLOT_COUNT && v->owner[last + 1] == v->owner[first];)
			last++;
		if (v->owner[first] == node && first == last)
			fprintf(out, " %u", first);
		else if (v->owner[first] == node)
			fprintf(out, " %u-%u", first, last);
	}
	for (unsigned slot = 0; node == n->number && slot < SLOT_COUNT; slot++) {
		if (v->other[slot] == RECORDED_NOBODY)
			continue;
		bool gives = v->owner[slot] == node;
		fprintf(out, " [%u-%c-%s]", slot, gives ? '>' : '<',
			nodes[gives ? v->other[slot] : v->owner[slot]].id);
	}
}

static int nodes_say(const struct played *n, int fd, const struct view *v)
{
	const struct player *p = n->player;
	char *said = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&said, &len);

	if (!out)
		return -1;
	for (unsigned i = 0; i < p->recording->n_nodes; i++) {
		int port = p->nodes[i].port;
		fprintf(out, "%s %s:%d@%d %smaster - 0 0 %u connected", p->recording->nodes[i].id,
			here(), port, port + BUS, i == n->number ? "myself," : "", i + 1);
		slots_print(out, n, v, i);
		fputc('\n', out);
	}
	fclose(out);
	int rc = text_say(fd, said, len);
	free(said);
	return rc;
}

static int slots_say(const struct played *n, int fd, const struct view *v)
{
	const struct player *p = n->player;
	char *said = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&said, &len);
	unsigned ranges = 0;

	if (!out)
		return -1;
	for (unsigned first = 0, last; first < SLOT_COUNT; first = last + 1, ranges++) {
		for (last = first; last + 1 < SLOT_COUNT && v->owner[last + 1] == v->owner[first];)
			last++;
		const struct played *owner = &p->nodes[v->owner[first]];
		fprintf(out, "*3\r\n:%u\r\n:%u\r\n*3\r\n$%zu\r\n%s\r\n:%d\r\n$%d\r\n%s\r\n", first,
			last, strlen(here()), here(), owner->port, CLUSTER_ID_LEN,
			owner->recorded->id);
	}
	fclose(out);
	char head[32];
	snprintf(head, sizeof(head), "*%u\r\n", ranges);
	int rc = fake_say(fd, head) || fake_write(fd, said, len) ? -1 : 0;
	free(said);
	return rc;
}

static int cluster_say(struct played *n, int fd, const char *what)
{
	bool begun = n->begun; // before the question, as far as the replica knows
	struct view *v = view_of(n, answer_time(n->player));
	char said[200];
	int rc = -1;

	if (v && !strcasecmp(what, "nodes")) {
		rc = nodes_say(n, fd, v);
	} else if (v && !strcasecmp(what, "slots")) {
		rc = slots_say(n, fd, v);
		if (begun) // the last question
			clock_begin(n->player, &n->looked_at);
	} else if (v && !strcasecmp(what, "myid")) {
		rc = text_say(fd, n->recorded->id, CLUSTER_ID_LEN);
	} else if (v && !strcasecmp(what, "info")) {
		int len = snprintf(said, sizeof(said),
				   "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
				   "cluster_known_nodes:%u\r\ncluster_current_epoch:%u\r\n",
				   n->player->recording->n_nodes, v->epoch);
		rc = text_say(fd, said, (size_t)len);
	} else {
		rc = fake_say(fd, "-ERR unknown subcommand\r\n");
	}
	free(v);
	return rc;
}

// ---- A connection

static int role_say(const struct played *n, int fd)
{
	char said[80];

	snprintf(said, sizeof(said), "*3\r\n$6\r\nmaster\r\n:%llu\r\n*0\r\n",
		 (unsigned long long)n->recorded->offset);
	return fake_say(fd, said);
}

// @return -1: it is over
static int node_answer(struct played *n, int fd, const struct fake_command *c)
{
	const char *verb = c->argv[0];

	if (!strcasecmp(verb, "ping"))
		return fake_say(fd, "+PONG\r\n");
	if (!strcasecmp(verb, "replconf"))
		return c->argc > 1 && !strcasecmp(c->argv[1], "ack") ? 0 : fake_say(fd, "+OK\r\n");
	if (!strcasecmp(verb, "auth") || !strcasecmp(verb, "client"))
		return fake_say(fd, "+OK\r\n");
	if (!strcasecmp(verb, "psync"))
		return psync_answer(n, fd, c);
	if (!strcasecmp(verb, "info"))
		return info_say(n, fd);
	if (!strcasecmp(verb, "role"))
		return role_say(n, fd);
	if (!strcasecmp(verb, "cluster") && c->argc > 1)
		return cluster_say(n, fd, c->argv[1]);
	return fake_say(fd, "-ERR unknown command\r\n");
}

static void node_serve(struct fake *f, int fd)
{
	struct played *n = (struct played *)f->arg;
	struct fake_command c;

	while (!fake_read_command(fd, &c)) {
		int rc = node_answer(n, fd, &c);
		fake_command_clear(&c);
		if (rc)
			return;
	}
}

// ---- All of them

// A real server that gets all of a node's stream as it is recorded, at the same pace.
static void shadow_add(struct world *w, struct played *n, struct played *feed)
{
	*feed = *n;
	feed->lag_ms = 0;
	feed->begun = feed->looked_at = feed->is_feed = true;
	shadow_prepare(w, &feed->shadow, n->player->recording, n->recorded);
	feed->port = fake_start(w, node_serve, feed)->port;
	shadow_start(w, &feed->shadow, feed->port);
	n->shadow = feed->shadow;
	n->feed = feed;
}

struct player *player_start(struct world *w, const struct play *play)
{
	static struct player *all; // so that the leak checker still finds them
	struct player *p = calloc(1, sizeof(*p));
	int len = 0;

	assert_non_null(p);
	p->next = all;
	all = p;
	p->recording = play->recording;
	p->pace = play->pace;
	pthread_mutex_init(&p->lock, NULL);
	for (unsigned i = 0; i < p->recording->n_nodes; i++) {
		struct played *n = &p->nodes[i];
		n->player = p;
		n->recorded = &p->recording->nodes[i];
		n->number = i;
		n->lag_ms = play->lag_ms[i];
		if (play->again)
			shadow_add(w, n, &p->feeds[i]);
	}
	for (unsigned i = 0; i < p->recording->n_nodes; i++) {
		p->nodes[i].port = fake_start(w, node_serve, &p->nodes[i])->port;
		len += snprintf(p->url + len, sizeof(p->url) - (size_t)len, "%s%s:%d",
				i ? "," : "redis+cluster://", here(), p->nodes[i].port);
	}
	return p;
}

const char *player_url(const struct player *p)
{
	return p->url;
}

bool player_is_over(const struct player *p)
{
	for (unsigned i = 0; i < p->recording->n_nodes; i++)
		if (p->nodes[i].sent < p->nodes[i].recorded->len)
			return false;
	return true;
}

unsigned player_refused(const struct player *p)
{
	return p->n_refused;
}

unsigned player_given(const struct player *p)
{
	return p->n_given;
}
