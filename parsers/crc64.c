// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/crc64.h"

#include <isa-l/crc64.h>

#define POLY_REFLECTED 0x95ac9329ac4bc9b5

uint64_t crc64(uint64_t crc, const void *p, size_t len)
{
	// ISA-L inverts the sum before and after; Redis does neither.
	return ~crc64_jones_refl(~crc, p, len);
}

uint64_t crc64_undo(uint64_t crc, const void *p, size_t len)
{
	const uint8_t *at = (const uint8_t *)p + len;

	while (at > (const uint8_t *)p) {
		// A step forwards shifts right, and adds the polynomial when a 1 fell out; the
		// polynomial's top bit tells afterwards whether it did.
		for (int i = 0; i < 8; i++)
			crc = crc >> 63 ? (crc ^ POLY_REFLECTED) << 1 | 1 : crc << 1;
		crc ^= *--at;
	}
	return crc;
}
