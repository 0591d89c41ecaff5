// SPDX-License-Identifier: BSD-3-Clause
// trace_read() -> flow_copy(), records_copy() -> lines_time() ; trace_text() -> number_find() ->
// number_text()
#include "dataplane/contract/trace.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_TRIES 8

// ---- Writing ----------------------------------------------------------------------------------

static void life_change(struct trace_ring *r)
{
	uint32_t life = atomic_load_explicit(&r->life, memory_order_relaxed);
	if (life % 2) { // the change is over
		atomic_store_explicit(&r->life, life + 1, memory_order_release);
		return;
	}
	atomic_store_explicit(&r->life, life + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

struct trace_ring *trace_open(struct trace_zone *z, uint32_t index, const struct trace_flow *flow)
{
	assert(index < TRACE_FLOWS_MAX && flow->family);
	struct trace_ring *r = &z->rings[index];
	if (atomic_load_explicit(&r->life, memory_order_relaxed) % 2)
		life_change(r); // its writer died in the middle of it
	life_change(r);
	r->index = index;
	r->flow = *flow;
	// Far from any time: so the first record is an anchor.
	r->last_us = UINT64_MAX / 2;
	atomic_store_explicit(&r->first, atomic_load_explicit(&r->head, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&r->is_open, 1, memory_order_relaxed);
	life_change(r);
	return r;
}

void trace_set_link(struct trace_ring *r, uint32_t link)
{
	if (!r)
		return;
	life_change(r);
	r->flow.link = link;
	life_change(r);
}

void trace_close(struct trace_ring *r)
{
	if (r)
		atomic_store_explicit(&r->is_open, 0, memory_order_relaxed);
}

static void alarm_ring(struct trace_ring *r)
{
	struct trace_zone *z =
		(struct trace_zone *)((char *)(r - r->index) - offsetof(struct trace_zone, rings));
	_Atomic uint32_t *alarms = &z->alarms[r->index];
	uint32_t n = atomic_load_explicit(alarms, memory_order_relaxed);
	atomic_store_explicit(alarms, n + 1, memory_order_release);
}

void trace_failed(struct trace_ring *r, uint64_t now_ns, int error, uint64_t unacked)
{
	trace_put(r, now_ns, TRACE_FAILED, trace_clip32(unacked), 0, (uint32_t)error, 0);
	if (r && (error == ETIMEDOUT || error == ECONNRESET))
		alarm_ring(r);
}

void trace_rto(struct trace_ring *r, uint64_t now_ns, unsigned n, uint64_t rto_ns, uint32_t una)
{
	trace_put(r, now_ns, TRACE_RTO, trace_clip32(rto_ns / 1000), una, trace_clip16(n), 0);
	if (r && n == TRACE_RTO_ALARM)
		alarm_ring(r);
}

// ---- Reading ----------------------------------------------------------------------------------

// The atomics of a mapping that is only read.
#define LOAD(p, order) atomic_load_explicit((__typeof__(*(p)) *)(uintptr_t)(p), order)

// What a ring says of its flow. @return the life that it was copied in, odd: it is changing
static uint32_t flow_copy(const struct trace_ring *r, struct trace_view *out, uint64_t *first)
{
	uint32_t life = LOAD(&r->life, memory_order_acquire);
	out->flow = r->flow;
	out->is_open = LOAD(&r->is_open, memory_order_relaxed);
	*first = LOAD(&r->first, memory_order_relaxed);
	return life;
}

static void line_take(struct trace_line *line, uint64_t head, uint64_t tail)
{
	line->time_us = head & 0xfffff; // the distance, for now
	line->kind = (enum trace_kind)(head >> 20 & 63);
	line->e = head >> 26 & 63;
	line->c = (uint16_t)(head >> 32);
	line->d = (uint16_t)(head >> 48);
	line->a = (uint32_t)tail;
	line->b = (uint32_t)(tail >> 32);
}

// @return how many lie in `out`; they are records *from and following
static unsigned records_copy(const struct trace_ring *r, uint64_t first, uint64_t *from,
			     struct trace_line *out)
{
	uint64_t end = LOAD(&r->head, memory_order_acquire);
	uint64_t begin = end - first < TRACE_RECORDS ? first : end - TRACE_RECORDS;
	for (uint64_t i = begin; i < end; i++) {
		const struct trace_record *record = &r->records[i % TRACE_RECORDS];
		line_take(&out[i - begin], LOAD(&record->head, memory_order_relaxed),
			  LOAD(&record->tail, memory_order_relaxed));
	}
	// Whatever of a newer record was seen above, the head before it is seen now: the slots up
	// to the one that is being written are not to be trusted.
	atomic_thread_fence(memory_order_acquire);
	uint64_t now = LOAD(&r->head, memory_order_relaxed);
	uint64_t good = now < TRACE_RECORDS ? 0 : now - TRACE_RECORDS + 1;
	if (good >= end)
		good = end;
	*from = good > begin ? good : begin;
	memmove(out, out + (*from - begin), (end - *from) * sizeof(*out));
	return (unsigned)(end - *from);
}

// From distances to times, by the anchors, which are taken out.
//
// @return lines left
static unsigned lines_time(struct trace_line *lines, unsigned n)
{
	unsigned kept = 0;
	uint64_t time_us = 0;
	bool known = false; // what lies before the first anchor has no time
	for (unsigned i = 0; i < n; i++) {
		if (lines[i].kind == TRACE_TIME) {
			time_us = (uint64_t)lines[i].b << 32 | lines[i].a;
			known = true;
		} else if (known) {
			time_us += lines[i].time_us;
			lines[kept] = lines[i];
			lines[kept++].time_us = time_us;
		}
	}
	return kept;
}

int trace_read(const struct trace_zone *z, uint32_t index, struct trace_view *out)
{
	const struct trace_ring *r = &z->rings[index];
	for (int tries = 0; tries < READ_TRIES; tries++) {
		uint64_t first, from;
		uint32_t life = flow_copy(r, out, &first);
		unsigned n = records_copy(r, first, &from, out->lines);
		if (life % 2 || life != LOAD(&r->life, memory_order_relaxed))
			continue;
		if (!life)
			return -ENOENT;
		out->written = from + n - first;
		out->n = lines_time(out->lines, n);
		return 0;
	}
	return -EAGAIN;
}

// ---- Words ------------------------------------------------------------------------------------

static const struct {
	const char *word, *format;
} kinds[] = {
#define X(name, word, format) {word, format},
	TRACE_KINDS(X)
#undef X
};

static const char *const drops[] = {
#define X(name, text) text,
	TRACE_DROPS(X)
#undef X
};

// In the order of RFC 9293, 3.3.2, CLOSED first; enum tcp_state has the same.
static const char *const states[] = {
	"CLOSED",     "SYN-SENT",   "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",      "LAST-ACK",    "TIME-WAIT",
};

static const char *const ends[] = {"shutdown", "close", "abort"};

#define WORD_OF(words, i) ((i) < sizeof(words) / sizeof((words)[0]) ? (words)[i] : "?")

const char *trace_word(enum trace_kind kind)
{
	return kind < TRACE_KIND_COUNT ? kinds[kind].word : "?";
}

// "{field:name:form}" taken apart.
struct number {
	char field;
	char name[16], form[8];
};

// The first number of a format. @return where it begins, with the rest in *end; NULL: none
static const char *number_find(const char *format, struct number *n, const char **end)
{
	const char *at = strchr(format, '{');
	*n = (struct number){0};
	if (!at || sscanf(at, "{%c:%15[^:}]:%7[^}]", &n->field, n->name, n->form) < 2)
		return NULL;
	*end = strchr(at, '}') + 1;
	return at;
}

static uint32_t number_value(const struct trace_line *l, char field)
{
	switch (field) {
	case 'a':
		return l->a;
	case 'b':
		return l->b;
	case 'c':
		return l->c;
	case 'd':
		return l->d;
	default:
		return l->e;
	}
}

// As tcpdump has them.
static int flags_text(uint32_t flags, char *out, size_t len)
{
	char text[8];
	unsigned n = 0;
	for (unsigned i = 0; i < 6; i++)
		if (flags >> i & 1)
			text[n++] = "FSRP.U"[i];
	text[n] = 0;
	return snprintf(out, len, "[%s]", text);
}

static int time_text(uint32_t us, char *out, size_t len)
{
	if (us % 1000)
		return snprintf(out, len, "%.3f ms", us / 1e3);
	return snprintf(out, len, "%u ms", us / 1000);
}

static int number_text(const char *form, uint32_t v, char *out, size_t len)
{
	if (!strcmp(form, "flags"))
		return flags_text(v, out, len);
	if (!strcmp(form, "us"))
		return time_text(v, out, len);
	if (!strcmp(form, "state"))
		return snprintf(out, len, "%s", WORD_OF(states, v));
	if (!strcmp(form, "drop"))
		return snprintf(out, len, "%s", WORD_OF(drops, v));
	if (!strcmp(form, "end"))
		return snprintf(out, len, "%s", WORD_OF(ends, v));
	if (!strcmp(form, "errno"))
		return snprintf(out, len, "%s", strerror((int)v));
	return snprintf(out, len, "%u", v);
}

void trace_text(const struct trace_line *line, char *out)
{
	const char *format = line->kind < TRACE_KIND_COUNT ? kinds[line->kind].format : "";
	size_t len = (size_t)snprintf(out, TRACE_TEXT_LEN, "%s%s", trace_word(line->kind),
				      *format ? " " : "");
	struct number number;
	const char *end, *at;
	while ((at = number_find(format, &number, &end)) && len < TRACE_TEXT_LEN) {
		len += (size_t)snprintf(out + len, TRACE_TEXT_LEN - len, "%.*s", (int)(at - format),
					format);
		if (len < TRACE_TEXT_LEN)
			len += (size_t)number_text(number.form, number_value(line, number.field),
						   out + len, TRACE_TEXT_LEN - len);
		format = end;
	}
	if (len < TRACE_TEXT_LEN)
		snprintf(out + len, TRACE_TEXT_LEN - len, "%s", format);
}

bool trace_number(const struct trace_line *line, unsigned *at, char *name, unsigned name_len,
		  uint32_t *value)
{
	if (line->kind >= TRACE_KIND_COUNT)
		return false;
	struct number number;
	const char *format = kinds[line->kind].format, *end;
	if (!number_find(format + *at, &number, &end))
		return false;
	*at = (unsigned)(end - format);
	snprintf(name, name_len, "%s", number.name);
	*value = number_value(line, number.field);
	return true;
}

void trace_address(const struct trace_flow *f, bool remote, char *out)
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool is_ip6 = f->family == 6;
	inet_ntop(is_ip6 ? AF_INET6 : AF_INET, remote ? f->remote : f->local, host, sizeof(host));
	snprintf(out, 64, is_ip6 ? "[%s]:%u" : "%s:%u", host,
		 remote ? f->remote_port : f->local_port);
}
