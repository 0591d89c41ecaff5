// SPDX-License-Identifier: BSD-3-Clause
// tcp_script [--every-kind] SCRIPT...: run each twice, with sequence numbers far from their end and
// just before it. --every-kind: and the trace must have told of each kind of thing that it knows.
#include <string.h>

#include "dataplane/contract/trace.h"
#include "tests/tcp/script.h"

// TRACE_TIME is not for the reader.
static unsigned kinds_missing(uint64_t kinds)
{
	unsigned n = 0;
	for (unsigned k = TRACE_TIME + 1; k < TRACE_KIND_COUNT; k++) {
		if (kinds >> k & 1)
			continue;
		printf("FAILED   no script makes the trace tell of '%s'\n", trace_word(k));
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	bool every_kind = argc > 1 && !strcmp(argv[1], "--every-kind");
	unsigned failed = 0;
	uint64_t kinds = 0;
	for (int i = 1 + every_kind; i < argc; i++) {
		bool good = script_run(argv[i], 0x10000000, 0x20000000, &kinds) &&
			    script_run(argv[i], 0xfffffc00, 0xfffffa00, &kinds);
		printf("%-8s %s\n", good ? "ok" : "FAILED", argv[i]);
		failed += !good;
	}
	if (every_kind)
		failed += kinds_missing(kinds);
	return failed ? 1 : 0;
}
