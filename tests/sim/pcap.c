// SPDX-License-Identifier: BSD-3-Clause
// The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html
#include "tests/sim/pcap.h"

#include <stdio.h>
#include <stdlib.h>

#define MAGIC_NS      0xa1b23c4d
#define VERSION       (2 | 4 << 16)
#define SNAP_LEN      262144
#define LINK_ETHERNET 1
#define NS_PER_S      1000000000u

struct pcap {
	FILE *file;
};

struct pcap *pcap_new(const char *path)
{
	const uint32_t head[] = {MAGIC_NS, VERSION, 0, 0, SNAP_LEN, LINK_ETHERNET};
	struct pcap *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->file = fopen(path, "wb");
	if (!p->file) {
		free(p);
		return NULL;
	}
	fwrite(head, sizeof(head), 1, p->file);
	return p;
}

void pcap_put(struct pcap *p, const uint8_t *frame, uint32_t len, uint64_t now_ns)
{
	const uint32_t head[] = {(uint32_t)(now_ns / NS_PER_S), (uint32_t)(now_ns % NS_PER_S), len,
				 len};

	fwrite(head, sizeof(head), 1, p->file);
	fwrite(frame, len, 1, p->file);
}

void pcap_free(struct pcap *p)
{
	if (!p)
		return;
	fclose(p->file);
	free(p);
}
