// SPDX-License-Identifier: BSD-3-Clause
// The model of drivers/wire.h between two interfaces of the kernel, in real time.
//
//   run(): wait for a frame, a deadline of a wire, a signal -> read_all() -> write_all() -> report
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/wan/options.h"
#include "tools/wan/port.h"

#define NS_PER_S   1000000000ull
#define BURST      64           // frames read from one port before what is due is written
#define MEMORY_MAX (2ull << 30) // bytes of frames in each direction

enum { EXIT_FAILED = 1, EXIT_NO_PORT = 4 };

struct wan {
	struct options o;
	struct port ports[2];
	struct wire *wires[2]; // [0]: from a to b
	int signals;
	uint64_t start_ns, next_report_ns;
	struct wire_counters last[2]; // at the last report
	uint8_t frame[PORT_FRAME_MAX];
};

static uint64_t clock_ns(const struct wan *w)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec - w->start_ns;
}

// What happened between two states of a wire's counters.
static void report_way(const char *name, const struct wire_counters *from,
		       const struct wire_counters *to, double seconds)
{
	printf("  %s in %.1f out %.1f Mbit/s, %" PRIu64 " frames", name,
	       (double)(to->put_bytes - from->put_bytes) * 8e-6 / seconds,
	       (double)(to->taken_bytes - from->taken_bytes) * 8e-6 / seconds,
	       to->taken - from->taken);
	for (unsigned f = 0; f < WIRE_N_FATES; f++)
		if (to->fates[f] > from->fates[f])
			printf(", %s %" PRIu64, wire_fate_name((enum wire_fate)f),
			       to->fates[f] - from->fates[f]);
}

static void report(struct wan *w, uint64_t now_ns)
{
	static const char *const names[] = {"a>b", "b>a"};

	printf("%7.1f s", (double)now_ns / 1e9);
	for (unsigned i = 0; i < 2; i++) {
		report_way(names[i], &w->last[i], wire_counters(w->wires[i]), 1);
		w->last[i] = *wire_counters(w->wires[i]);
	}
	printf("\n");
	fflush(stdout);
}

static void report_all(struct wan *w, uint64_t now_ns)
{
	static const struct wire_counters none;
	static const char *const names[] = {"a>b", "b>a"};

	for (unsigned i = 0; i < 2; i++) {
		const struct wire_counters *c = wire_counters(w->wires[i]);
		printf("sum");
		report_way(names[i], &none, c, (double)now_ns / 1e9);
		printf(", most queued %" PRIu64 " bytes, refused by %s: too long %" PRIu64
		       ", no room %" PRIu64 "\n",
		       c->queue_peak, w->ports[!i].name, w->ports[!i].oversize, w->ports[!i].full);
	}
}

static int read_all(struct wan *w, unsigned i)
{
	for (unsigned n = 0; n < BURST; n++) {
		int len = port_read(&w->ports[i], w->frame);
		if (len <= 0)
			return len;
		wire_put(w->wires[i], w->frame, (uint32_t)len, clock_ns(w));
	}
	return 0;
}

static void write_all(struct wan *w, unsigned i)
{
	struct wire_frame *f;

	while ((f = wire_take(w->wires[i], clock_ns(w)))) {
		port_write(&w->ports[!i], f->bytes, f->len);
		wire_frame_free(f);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// @return false: a signal came
static bool wait_for_news(struct wan *w, uint64_t end_ns)
{
	uint64_t now_ns = clock_ns(w);
	uint64_t at_ns = earlier(wire_deadline(w->wires[0]), wire_deadline(w->wires[1]));
	struct pollfd fds[] = {
		{w->ports[0].fd, POLLIN, 0}, {w->ports[1].fd, POLLIN, 0}, {w->signals, POLLIN, 0}};

	at_ns = earlier(earlier(at_ns, end_ns), w->next_report_ns);
	uint64_t left_ns = at_ns > now_ns && !w->o.spins ? at_ns - now_ns : 0;
	const struct timespec left = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};
	return ppoll(fds, 3, &left, NULL) < 0 || !(fds[2].revents & POLLIN);
}

static int run(struct wan *w)
{
	uint64_t end_ns = w->o.for_ns ? w->o.for_ns : UINT64_MAX, now_ns;
	int rc = 0;

	w->next_report_ns = w->o.is_quiet ? UINT64_MAX : NS_PER_S;
	while (!rc && wait_for_news(w, end_ns) && (now_ns = clock_ns(w)) < end_ns) {
		for (unsigned i = 0; i < 2 && rc >= 0; i++)
			rc = read_all(w, i);
		write_all(w, 0);
		write_all(w, 1);
		if (now_ns < w->next_report_ns)
			continue;
		report(w, now_ns);
		w->next_report_ns += NS_PER_S;
	}
	if (rc)
		fprintf(stderr, "wan: a port has gone: %s\n", strerror(-rc));
	report_all(w, clock_ns(w));
	return rc ? EXIT_FAILED : 0;
}

static int open_port(struct wan *w, unsigned i)
{
	const char *text = w->o.ports[i];
	int rc = port_open(&w->ports[i], text);

	if (rc == -EINVAL)
		fprintf(stderr, "wan: %s: a port is tap:NAME or dev:NAME\n", text);
	else if (rc == -EPERM || rc == -EACCES)
		fprintf(stderr,
			"wan: %s: needs CAP_NET_ADMIN and CAP_NET_RAW; run as root or in a "
			"namespace (unshare -Urn)\n",
			text);
	else if (rc)
		fprintf(stderr, "wan: %s: %s\n", text, strerror(-rc));
	return rc == -EINVAL ? 2 : rc ? EXIT_NO_PORT : 0;
}

// Signals come as a descriptor, and timers to the microsecond.
static bool prepare(struct wan *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGINT, SIG_DFL); // who was started in the background inherits that it is ignored
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	prctl(PR_SET_TIMERSLACK, 1);
	w->start_ns = clock_ns(w);
	return w->signals >= 0;
}

static int open_all(struct wan *w)
{
	if (!prepare(w))
		return EXIT_FAILED;
	for (unsigned i = 0; i < 2; i++) {
		w->o.wire[i].memory_max = MEMORY_MAX;
		if (wire_new(&w->o.wire[i], w->o.seed * 2 + i, &w->wires[i])) {
			fprintf(stderr, "wan: no memory\n");
			return EXIT_FAILED;
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		int rc = open_port(w, i);
		if (rc)
			return rc;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct wan *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return EXIT_FAILED;
	w->ports[0].fd = w->ports[1].fd = w->signals = -1;
	rc = options_read(argc, argv, &w->o);
	if (rc < 0 && !(rc = open_all(w))) {
		printf("wan: %s and %s are joined\n", w->ports[0].name, w->ports[1].name);
		fflush(stdout);
		rc = run(w);
	}
	for (unsigned i = 0; i < 2; i++) {
		port_close(&w->ports[i]);
		wire_free(w->wires[i]);
	}
	if (w->signals >= 0)
		close(w->signals);
	free(w);
	return rc;
}
