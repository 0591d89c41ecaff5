// SPDX-License-Identifier: BSD-3-Clause
// tcp_script SCRIPT...: run each twice, with sequence numbers far from their end and just before
// it.
#include <string.h>

#include "tests/tcp/script.h"

int main(int argc, char **argv)
{
	unsigned failed = 0;
	for (int i = 1; i < argc; i++) {
		bool good = script_run(argv[i], 0x10000000, 0x20000000) &&
			    script_run(argv[i], 0xfffffc00, 0xfffffa00);
		printf("%-8s %s\n", good ? "ok" : "FAILED", argv[i]);
		failed += !good;
	}
	return failed ? 1 : 0;
}
