// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071), in pieces: sums are added up in any order and folded at the
// end.
//
//   sum_pseudo() + sum_bytes() ... -> sum_field()
#pragma once

#include <stddef.h>
#include <stdint.h>

// A sum of 16-bit words in the byte order of the memory, not yet folded. Some thousands of them may
// be added before it overflows.
typedef uint64_t sum_t;

// Add bytes that begin at an even place of what is summed.
sum_t sum_bytes(sum_t sum, const void *p, size_t len);

// The same, and copy them, in one pass.
sum_t sum_copy(sum_t sum, void *to, const void *from, size_t len);

// What they choose from, by the processor and the length. Those for AVX2 leave out what is behind
// the last multiple of 32 bytes.
sum_t sum_plain(const uint8_t *p, size_t len);
#ifdef __x86_64__
sum_t sum_avx2(const uint8_t *p, size_t len);
sum_t sum_avx512(const uint8_t *p, size_t len);
sum_t sum_copy_avx2(uint8_t *to, const uint8_t *p, size_t len);
sum_t sum_copy_avx512(uint8_t *to, const uint8_t *p, size_t len);
#endif

// Add bytes that begin at place `at` of what is summed: after an odd number of bytes the words are
// turned.
sum_t sum_bytes_at(sum_t sum, size_t at, const void *p, size_t len);

// The pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1). len 0: without the length, for devices that
// cut.
//
// @param source, target  4 or 16 bytes, by family
sum_t sum_pseudo(uint8_t family, const uint8_t *source, const uint8_t *target, uint8_t protocol,
		 uint32_t len);

// The same with a sum of the addresses that is kept.
sum_t sum_addresses(uint8_t family, const uint8_t *source, const uint8_t *target);
sum_t sum_pseudo_rest(sum_t addresses, uint8_t protocol, uint32_t len);

// Folded to 16 bits, to be stored as it is. A device that fills the field in begins with this.
static inline uint16_t sum_fold(sum_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	return (uint16_t)((sum >> 16) + (uint16_t)sum);
}

// What the field has to be, to be stored as it is.
static inline uint16_t sum_field(sum_t sum)
{
	return (uint16_t)~sum_fold(sum);
}

// Whether a sum over everything, the field included, says that nothing was changed.
static inline int sum_is_good(sum_t sum)
{
	return sum_fold(sum) == 0xffff;
}
