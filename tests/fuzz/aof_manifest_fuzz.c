// SPDX-License-Identifier: BSD-3-Clause
// A manifest of arbitrary bytes: refused with a sentence, or parts in order with names that lead
// nowhere but beside it.
#include <stdlib.h>

#include "parsers/aof_manifest.h"
#include "tests/fuzz/fuzz.h"

#define CHECK(x)                 \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static void parts_check(const struct aof_manifest *m)
{
	uint64_t seq = 0;
	CHECK(m->n_parts > 0 && m->n_parts <= AOF_PARTS_MAX);
	for (size_t i = 0; i < m->n_parts; i++) {
		const struct aof_part *part = &m->parts[i];
		size_t len = strnlen(part->name, sizeof(part->name));
		CHECK(len > 0 && len <= AOF_NAME_LEN && !memchr(part->name, '/', len));
		CHECK(strcmp(part->name, ".") && strcmp(part->name, ".."));
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(part->name, m->parts[j].name));
		CHECK(part->type == AOF_PART_INCR || (i == 0 && part->type == AOF_PART_BASE));
		CHECK(part->type == AOF_PART_BASE || part->seq > seq);
		seq = part->type == AOF_PART_BASE ? 0 : part->seq;
		CHECK(part->start_offset >= -1 && part->end_offset >= -1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct aof_manifest m;
	int rc = aof_manifest_read(&m, (struct span){(const char *)p, len});
	CHECK((rc == 0) == (m.error[0] == 0));
	if (rc)
		return 0;
	parts_check(&m);
	aof_manifest_fini(&m);
	return 0;
}
