// SPDX-License-Identifier: BSD-3-Clause
// The RDB reader on arbitrary bytes. Two bytes choose settings and slices; the rest is the file.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rdb_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len < 2)
		return 0;
	struct rdb_settings set = rdb_run_settings(p[0]);

	rdb_run_check((struct span){(const char *)p + 2, len - 2}, &set,
		      p[1] == 0 ? 1 : p[1] * 7u);
	return 0;
}
