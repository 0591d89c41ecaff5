// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/crc64.h"

#include <isa-l/crc64.h>

uint64_t crc64(uint64_t crc, const void *p, size_t len)
{
	// ISA-L inverts the sum before and after; Redis does neither.
	return ~crc64_jones_refl(~crc, p, len);
}
