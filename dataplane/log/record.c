// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/log/record.h"

#include <string.h>

#include "parsers/crc64.h"

#define RECORD_MAGIC  0x647263657279666cull // "lfyrecrd"
#define SEGMENT_MAGIC 0x746d67657379666cull // "lfysegmt"

void record_stamp_add(struct record_header *h, uint32_t at, uint64_t wall_ms)
{
	if (!h->n_stamps)
		h->wall_ms = wall_ms;
	// A clock that was set back does not take the bytes before with it.
	uint64_t ms = wall_ms > h->wall_ms ? wall_ms - h->wall_ms : 0;
	if (ms > UINT32_MAX)
		ms = UINT32_MAX;
	if (h->n_stamps && h->stamps[h->n_stamps - 1].ms == ms)
		return;
	if (h->n_stamps == RECORD_STAMPS_MAX) {
		for (unsigned i = 0; i < RECORD_STAMPS_MAX / 2; i++)
			h->stamps[i] = h->stamps[2 * i];
		h->n_stamps = RECORD_STAMPS_MAX / 2;
	}
	h->stamps[h->n_stamps++] = (struct record_stamp){at, (uint32_t)ms};
}

static uint64_t record_crc(const struct record_header *h)
{
	const size_t behind = offsetof(struct record_header, payload_crc);
	return crc64(h->magic, (const char *)h + behind, sizeof(*h) - behind);
}

void record_seal(struct record_header *h)
{
	char *payload = (char *)(h + 1);
	memset(payload + h->payload_len, 0,
	       record_padded(h->payload_len) - RECORD_HEADER_LEN - h->payload_len);
	memset(h->stamps + h->n_stamps, 0,
	       (RECORD_STAMPS_MAX - h->n_stamps) * sizeof(h->stamps[0]));
	h->magic = RECORD_MAGIC;
	h->zero = 0;
	h->payload_crc = crc64(0, payload, h->payload_len);
	h->header_crc = record_crc(h);
}

const char *record_fault_text(enum record_fault fault)
{
	static const char *const texts[] = {
#define X(name, text) text,
		RECORD_FAULTS(X)
#undef X
	};
	return texts[fault];
}

enum record_fault record_header_check(const struct record_header *h, uint64_t sequence,
				      uint32_t run, uint64_t first, uint64_t max_len)
{
	if (h->magic != RECORD_MAGIC)
		return RECORD_NONE;
	if (h->header_crc != record_crc(h))
		return RECORD_HEADER_SUM;
	if (h->sequence != sequence || h->run != run)
		return RECORD_NONE;
	if (h->first != first)
		return RECORD_PLACE;
	if (!h->payload_len || h->payload_len > RECORD_LEN_MAX - RECORD_HEADER_LEN ||
	    record_padded(h->payload_len) > max_len || h->n_stamps > RECORD_STAMPS_MAX)
		return RECORD_LEN;
	return RECORD_OK;
}

static uint64_t segment_crc(const struct segment_header *h)
{
	const size_t behind = offsetof(struct segment_header, sequence);
	return crc64(h->magic, (const char *)h + behind, sizeof(*h) - behind);
}

void segment_header_seal(struct segment_header *h)
{
	h->magic = SEGMENT_MAGIC;
	h->version = SEGMENT_VERSION;
	h->header_crc = segment_crc(h);
}

bool segment_header_check(const struct segment_header *h)
{
	return h->magic == SEGMENT_MAGIC && h->header_crc == segment_crc(h) &&
	       h->version == SEGMENT_VERSION && h->first <= INT64_MAX &&
	       memchr(h->replid, 0, sizeof(h->replid)) && memchr(h->owner, 0, sizeof(h->owner));
}
