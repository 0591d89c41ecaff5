// SPDX-License-Identifier: BSD-3-Clause
// One's complement addition is associative over words of any width (RFC 1071, 2(A)), so 32-bit
// words are added up in 64 bits, where nothing is carried round, and folded once at the end.
#include "dataplane/net/checksum.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "dataplane/net/address.h"

#define WIDE_LEN 128 // bytes from which wide registers pay

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static sum_t halves(uint64_t v)
{
	return (uint32_t)v + (v >> 32);
}

#ifdef __x86_64__
#include <immintrin.h>

// Multiples of 64 bytes; the rest is the caller's.
__attribute__((target("avx2"))) static sum_t sum_wide(const uint8_t *p, size_t len)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	for (; len >= 64; p += 64, len -= 64) {
		__m256i x = _mm256_loadu_si256((const __m256i *)p);
		__m256i y = _mm256_loadu_si256((const __m256i *)(p + 32));
		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	uint64_t lanes[4];
	_mm256_storeu_si256((__m256i *)lanes, a);
	return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

static bool has_wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static sum_t sum_wide(const uint8_t *p, size_t len)
{
	return 0;
}

static bool has_wide(void)
{
	return false;
}
#endif

// The last 1 to 7 bytes, as if 0 followed.
static sum_t sum_tail(const uint8_t *p, size_t len)
{
	uint64_t v = 0;
	memcpy(&v, p, len);
	return halves(v);
}

sum_t sum_bytes(sum_t sum, const void *from, size_t len)
{
	const uint8_t *p = from;
	sum_t other = 0;
	if (len >= WIDE_LEN && has_wide()) {
		sum += sum_wide(p, len);
		p += len & ~(size_t)63;
		len &= 63;
	}
	for (; len >= 16; p += 16, len -= 16) {
		sum += halves(load64(p));
		other += halves(load64(p + 8));
	}
	sum += other;
	if (len >= 8) {
		sum += halves(load64(p));
		p += 8;
		len -= 8;
	}
	return len ? sum + sum_tail(p, len) : sum;
}

sum_t sum_bytes_at(sum_t sum, size_t at, const void *p, size_t len)
{
	if (at % 2 == 0)
		return sum_bytes(sum, p, len);
	return sum + __builtin_bswap16(sum_fold(sum_bytes(0, p, len)));
}

sum_t sum_addresses(uint8_t family, const uint8_t *source, const uint8_t *target)
{
	unsigned len = address_len(family);
	return sum_bytes(sum_bytes(0, source, len), target, len);
}

sum_t sum_pseudo_rest(sum_t addresses, uint8_t protocol, uint32_t len)
{
	return addresses + htobe32(len) + htobe16(protocol);
}

sum_t sum_pseudo(uint8_t family, const uint8_t *source, const uint8_t *target, uint8_t protocol,
		 uint32_t len)
{
	return sum_pseudo_rest(sum_addresses(family, source, target), protocol, len);
}
