// SPDX-License-Identifier: BSD-3-Clause
// wire_put() -> path_at() -> loses() -> wire_queue_pass() -> polices() -> arrival() -> enter()
// The frames under way form one list by time of arrival. Frames mostly come in order, so a new one
// finds its place at or near the end. Each has memory of its own, so that a sanitizer sees whoever
// reads beyond it.
#include "drivers/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/wire_queue.h"

#define MEMORY_DEFAULT (256u << 20)
#define HOLD_DEFAULT   50000000u // ns
#define ETHER_LEN      14
#define ETHER_TYPE_TAG 0x8100

struct held { // waits until so many others have passed it
	struct wire_frame *frame;
	unsigned to_pass;
};

struct wire {
	struct wire_settings set;
	uint64_t random;
	struct wire_queue_state queue;
	bool is_bad;            // Gilbert-Elliott: in the state of loss
	uint64_t last_ns;       // arrival of the newest frame that kept its order
	uint64_t police_tokens; // bits * 1e9
	uint64_t police_at_ns;  // when they were counted
	struct wire_frame *first, *last;
	uint64_t held_bytes; // memory of the frames in the list and held back
	struct held held[WIRE_HELD_MAX];
	unsigned n_held;
	struct wire_counters counters;
	struct wire_entry *log; // a ring of log_max
	uint64_t n_logged;
};

static bool is_probability(double p)
{
	return p >= 0 && p <= 1;
}

static bool settings_fit(const struct wire_settings *set)
{
	const double p[] = {set->loss,           set->burst_enter,     set->burst_leave,
			    set->burst_loss_bad, set->burst_loss_good, set->reorder,
			    set->duplicate,      set->corrupt};

	for (unsigned i = 0; i < sizeof(p) / sizeof(p[0]); i++)
		if (!is_probability(p[i]))
			return false;
	if (set->n_steps > WIRE_STEPS_MAX || set->n_downs > WIRE_DOWNS_MAX ||
	    set->n_lose > WIRE_LOSE_MAX)
		return false;
	for (unsigned i = 1; i < set->n_steps; i++)
		if (set->steps[i].at_ns < set->steps[i - 1].at_ns)
			return false;
	return true;
}

int wire_new(const struct wire_settings *set, uint64_t seed, struct wire **out)
{
	if (!settings_fit(set))
		return -EINVAL;
	struct wire *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->set = *set;
	if (!w->set.memory_max)
		w->set.memory_max = MEMORY_DEFAULT;
	if (!w->set.reorder_hold_ns)
		w->set.reorder_hold_ns = HOLD_DEFAULT;
	w->random = seed;
	w->queue.random = ~seed;
	w->police_tokens = set->police_burst * 8 * 1000000000;
	w->log = calloc(set->log_max ? set->log_max : 1, sizeof(*w->log));
	if (!w->log) {
		free(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	for (struct wire_frame *f = w->first, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	for (unsigned i = 0; i < w->n_held; i++)
		free(w->held[i].frame);
	free(w->log);
	free(w);
}

void wire_frame_free(struct wire_frame *f)
{
	free(f);
}

// The generator splitmix64.
static uint64_t draw(struct wire *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

// Nothing is drawn for what is off, so a stage more does not change what the others do.
static bool draw_chance(struct wire *w, double p)
{
	return p > 0 && (double)(draw(w) >> 11) * 0x1p-53 < p;
}

static void note(struct wire *w, enum wire_fate fate, uint32_t len, uint64_t now_ns)
{
	w->counters.fates[fate]++;
	if (w->set.log_max)
		w->log[w->n_logged++ % w->set.log_max] =
			(struct wire_entry){w->counters.put, now_ns, len, fate};
}

static const struct wire_path *path_at(const struct wire *w, uint64_t now_ns)
{
	return wire_path_at(&w->set, now_ns, NULL);
}

static bool is_down(const struct wire *w, uint64_t now_ns)
{
	for (unsigned i = 0; i < w->set.n_downs; i++)
		if (now_ns >= w->set.downs[i].from_ns && now_ns < w->set.downs[i].to_ns)
			return true;
	return false;
}

static uint32_t packet_len(const struct wire_frame *f)
{
	uint32_t header = ETHER_LEN;

	if (f->len >= ETHER_LEN && (f->bytes[12] << 8 | f->bytes[13]) == ETHER_TYPE_TAG)
		header += 4;
	return f->len > header ? f->len - header : 0;
}

static bool loses_in_burst(struct wire *w)
{
	const struct wire_settings *set = &w->set;

	if (!set->burst_enter)
		return false;
	if (draw_chance(w, w->is_bad ? set->burst_leave : set->burst_enter))
		w->is_bad = !w->is_bad;
	return draw_chance(w, w->is_bad ? set->burst_loss_bad : set->burst_loss_good);
}

static bool is_listed(const struct wire *w)
{
	for (unsigned i = 0; i < w->set.n_lose; i++)
		if (w->set.lose[i] == w->counters.put)
			return true;
	return false;
}

// @return the fate, WIRE_N_FATES for none
static enum wire_fate loses(struct wire *w)
{
	if (is_listed(w))
		return WIRE_LISTED;
	if (w->set.lose_every && w->counters.put % w->set.lose_every == 0)
		return WIRE_PERIOD;
	if (draw_chance(w, w->set.loss))
		return WIRE_LOSS;
	return loses_in_burst(w) ? WIRE_BURST : WIRE_N_FATES;
}

// A bucket of tokens without a queue. In bits * 1e9, so that nothing is lost by rounding.
static bool polices(struct wire *w, uint32_t wire_len, uint64_t at_ns)
{
	uint64_t need = (uint64_t)wire_len * 8 * 1000000000;
	uint64_t full = w->set.police_burst * 8 * 1000000000;

	if (!w->set.police_rate)
		return false;
	uint64_t gone_ns = at_ns - w->police_at_ns;
	w->police_at_ns = at_ns;
	if (gone_ns > (full - w->police_tokens) / w->set.police_rate)
		w->police_tokens = full;
	else
		w->police_tokens += gone_ns * w->set.police_rate;
	if (w->police_tokens < need)
		return true;
	w->police_tokens -= need;
	return false;
}

// Put a frame in its place by time, behind those of the same time.
static void enter(struct wire *w, struct wire_frame *f)
{
	struct wire_frame *before = w->last;

	while (before && before->at_ns > f->at_ns)
		before = before->before;
	f->before = before;
	f->next = before ? before->next : w->first;
	*(f->next ? &f->next->before : &w->last) = f;
	*(before ? &before->next : &w->first) = f;
}

static uint64_t bunched(const struct wire *w, uint64_t at_ns)
{
	uint64_t t = w->set.bunch_ns;

	return t ? (at_ns + t - 1) / t * t : at_ns;
}

// A frame came through in its turn: those that are held back for it are let go behind it.
static void pass(struct wire *w, uint64_t at_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_held; i++) {
		struct held *h = &w->held[i];
		if (--h->to_pass && h->frame->at_ns > at_ns) {
			w->held[n++] = *h;
			continue;
		}
		if (h->frame->at_ns > at_ns)
			h->frame->at_ns = at_ns;
		enter(w, h->frame);
	}
	w->n_held = n;
}

static void hold(struct wire *w, struct wire_frame *f)
{
	w->held[w->n_held++] = (struct held){f, w->set.reorder_by};
	f->at_ns = bunched(w, f->at_ns + w->set.reorder_hold_ns);
}

// When a frame that left the server at `at_ns` arrives, if it is not reordered.
static uint64_t arrival(struct wire *w, uint64_t at_ns)
{
	uint64_t jitter_ns = w->set.jitter_ns ? draw(w) % (w->set.jitter_ns + 1) : 0;

	at_ns += path_at(w, at_ns)->delay_ns + jitter_ns;
	if (w->set.jitter_reorders)
		return at_ns;
	// A shorter way after a step does not let frames overtake those on the longer one.
	if (at_ns < w->last_ns)
		at_ns = w->last_ns;
	return w->last_ns = at_ns;
}

static struct wire_frame *copy_of(const struct wire_frame *f)
{
	struct wire_frame *copy = malloc(sizeof(*f) + f->len);

	if (copy)
		memcpy(copy, f, sizeof(*f) + f->len);
	return copy;
}

static void corrupt(struct wire *w, struct wire_frame *f, uint64_t now_ns)
{
	if (f->len <= ETHER_LEN)
		return;
	uint64_t bit = draw(w) % ((f->len - ETHER_LEN) * 8);
	f->bytes[ETHER_LEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
	note(w, WIRE_CORRUPTED, f->len, now_ns);
}

// The frame has left the server: what the rest of the path does to it.
static void travel(struct wire *w, struct wire_frame *f, bool is_spared, uint64_t at_ns,
		   uint64_t now_ns)
{
	bool reorders = draw_chance(w, w->set.reorder);
	bool by_positions = reorders && w->set.reorder_by;

	if (by_positions && w->n_held == WIRE_HELD_MAX)
		reorders = by_positions = false;

	f->at_ns = at_ns;
	w->held_bytes += sizeof(*f) + f->len;
	if (reorders && !by_positions)
		f->at_ns += w->set.reorder_ns + path_at(w, at_ns)->delay_ns;
	else
		f->at_ns = arrival(w, at_ns);
	if (reorders)
		note(w, WIRE_REORDERED, f->len, now_ns);
	if (draw_chance(w, w->set.duplicate)) {
		struct wire_frame *twin = copy_of(f);
		if (twin) {
			note(w, WIRE_DUPLICATED, f->len, now_ns);
			w->held_bytes += sizeof(*f) + f->len;
			twin->at_ns = bunched(w, f->at_ns);
			enter(w, twin);
		}
	}
	if (!is_spared && draw_chance(w, w->set.corrupt))
		corrupt(w, f, now_ns);
	if (by_positions) {
		hold(w, f);
		return;
	}
	f->at_ns = bunched(w, f->at_ns);
	enter(w, f);
	pass(w, f->at_ns);
}

// @return the fate that ends it, or WIRE_N_FATES and what to go on with
static enum wire_fate admit(struct wire *w, const struct wire_frame *f, uint64_t now_ns,
			    bool *is_spared, uint64_t *left_ns)
{
	const struct wire_settings *set = &w->set;
	const struct wire_path *path = path_at(w, now_ns);
	uint32_t wire_len = (f->len < 60 ? 60 : f->len) + WIRE_OVERHEAD;

	*is_spared = false;
	if (is_down(w, now_ns))
		return WIRE_DOWN;
	if (path->mtu && packet_len(f) > path->mtu) {
		if (set->too_big)
			set->too_big(set->owner, f->bytes, f->len, path->mtu);
		return WIRE_TOO_BIG;
	}
	enum wire_fate fate = loses(w);
	if (fate != WIRE_N_FATES)
		return fate;
	if (set->match) {
		enum wire_verdict verdict = set->match(set->owner, f->bytes, f->len, now_ns);
		if (verdict == WIRE_DROP)
			return WIRE_MATCHED;
		*is_spared = verdict == WIRE_SPARE;
	}
	if (w->held_bytes + sizeof(*f) + f->len > set->memory_max)
		return WIRE_MEMORY;
	fate = wire_queue_pass(&w->queue, set, wire_len, now_ns, left_ns);
	if (fate != WIRE_N_FATES)
		return fate;
	return polices(w, wire_len, *left_ns) ? WIRE_POLICED : WIRE_N_FATES;
}

void wire_putv(struct wire *w, const struct iovec *pieces, int n, uint64_t now_ns)
{
	size_t len = 0, at = 0;
	bool is_spared;
	uint64_t left_ns;

	for (int i = 0; i < n; i++)
		len += pieces[i].iov_len;
	w->counters.put++;
	w->counters.put_bytes += len;
	struct wire_frame *f = malloc(sizeof(*f) + len);
	if (!f) {
		note(w, WIRE_MEMORY, (uint32_t)len, now_ns);
		return;
	}
	f->len = (uint32_t)len;
	for (int i = 0; i < n; at += pieces[i++].iov_len)
		if (pieces[i].iov_len)
			memcpy(f->bytes + at, pieces[i].iov_base, pieces[i].iov_len);
	if (w->set.tap)
		w->set.tap(w->set.owner, f->bytes, f->len, now_ns, false);

	enum wire_fate fate = admit(w, f, now_ns, &is_spared, &left_ns);
	if (w->queue.peak > w->counters.queue_peak)
		w->counters.queue_peak = w->queue.peak;
	if (fate == WIRE_N_FATES) {
		travel(w, f, is_spared, left_ns, now_ns);
		return;
	}
	note(w, fate, f->len, now_ns);
	free(f);
}

void wire_put(struct wire *w, const void *frame, uint32_t len, uint64_t now_ns)
{
	const struct iovec whole = {(void *)(uintptr_t)frame, len};

	wire_putv(w, &whole, 1, now_ns);
}

// The held frame that is let go first if nothing passes it.
static unsigned first_held(const struct wire *w)
{
	unsigned first = 0;

	for (unsigned i = 1; i < w->n_held; i++)
		if (w->held[i].frame->at_ns < w->held[first].frame->at_ns)
			first = i;
	return first;
}

uint64_t wire_deadline(const struct wire *w)
{
	uint64_t at_ns = w->first ? w->first->at_ns : WIRE_NO_DEADLINE;

	if (w->n_held) {
		uint64_t held_ns = w->held[first_held(w)].frame->at_ns;
		if (held_ns < at_ns)
			at_ns = held_ns;
	}
	return at_ns;
}

struct wire_frame *wire_take(struct wire *w, uint64_t now_ns)
{
	if (w->n_held) {
		unsigned i = first_held(w);
		if (w->held[i].frame->at_ns <= now_ns) {
			enter(w, w->held[i].frame);
			w->held[i] = w->held[--w->n_held];
		}
	}
	struct wire_frame *f = w->first;
	if (!f || f->at_ns > now_ns)
		return NULL;
	w->first = f->next;
	*(f->next ? &f->next->before : &w->last) = NULL;
	f->next = NULL;
	w->held_bytes -= sizeof(*f) + f->len;
	w->counters.taken++;
	w->counters.taken_bytes += f->len;
	if (w->set.tap)
		w->set.tap(w->set.owner, f->bytes, f->len, now_ns, true);
	return f;
}

uint64_t wire_backlog(const struct wire *w, uint64_t now_ns)
{
	return wire_queue_backlog(&w->queue, &w->set, now_ns);
}

const struct wire_counters *wire_counters(const struct wire *w)
{
	return &w->counters;
}

uint64_t wire_drops(const struct wire *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WIRE_N_DROPS; i++)
		n += w->counters.fates[i];
	return n;
}

const char *wire_fate_name(enum wire_fate fate)
{
	static const char *const names[] = {
#define X(NAME, name) [WIRE_##NAME] = #name,
		WIRE_FATES(X)
#undef X
	};

	return fate < WIRE_N_FATES ? names[fate] : "delivered";
}

unsigned wire_log(const struct wire *w, struct wire_entry *out, unsigned max)
{
	uint64_t n = w->n_logged < w->set.log_max ? w->n_logged : w->set.log_max;

	if (n > max)
		n = max;
	for (uint64_t i = 0; i < n; i++)
		out[i] = w->log[(w->n_logged - n + i) % w->set.log_max];
	return (unsigned)n;
}
