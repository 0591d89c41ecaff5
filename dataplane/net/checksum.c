// SPDX-License-Identifier: BSD-3-Clause
// One's complement addition is associative over words of any width (RFC 1071, 2(A)), so 32-bit
// words are added up in 64 bits, where nothing is carried round, and folded once at the end.
#include "dataplane/net/checksum.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

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

// Of each lane of 64 bits `all` is the sum modulo 2^64 and `high` that of the upper halves, which
// does not overflow: so the sum of the lower ones is all - high * 2^32, and no half is masked.
//
// @param copies  known where it is inlined: they are copied to `to` as well
__attribute__((target("avx512bw"), always_inline)) static inline sum_t
pass_avx512(bool copies, uint8_t *to, const uint8_t *p, size_t len)
{
	__m512i all = _mm512_setzero_si512(), high = all;
	for (; len >= 64; p += 64, len -= 64) {
		__m512i v = _mm512_loadu_si512(p);
		__asm__("" : "+v"(v)); // else gcc loads it three times
		all = _mm512_add_epi64(all, v);
		high = _mm512_add_epi64(high, _mm512_srli_epi64(v, 32));
		if (copies) {
			_mm512_storeu_si512(to, v);
			to += 64;
		}
	}
	__mmask64 mask = (1ull << len) - 1;
	__m512i rest = _mm512_maskz_loadu_epi8(mask, p);
	if (copies)
		_mm512_mask_storeu_epi8(to, mask, rest);
	all = _mm512_add_epi64(all, rest);
	high = _mm512_add_epi64(high, _mm512_srli_epi64(rest, 32));
	all = _mm512_sub_epi64(all, _mm512_slli_epi64(high, 32));
	return (sum_t)_mm512_reduce_add_epi64(_mm512_add_epi64(all, high));
}

// Multiples of 32 bytes; the rest is the caller's.
__attribute__((target("avx2"), always_inline)) static inline sum_t
pass_avx2(bool copies, uint8_t *to, const uint8_t *p, size_t len)
{
	__m256i all = _mm256_setzero_si256(), high = all;
	for (; len >= 32; p += 32, len -= 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)p);
		__asm__("" : "+x"(v));
		all = _mm256_add_epi64(all, v);
		high = _mm256_add_epi64(high, _mm256_srli_epi64(v, 32));
		if (copies) {
			_mm256_storeu_si256((__m256i *)to, v);
			to += 32;
		}
	}
	all = _mm256_sub_epi64(all, _mm256_slli_epi64(high, 32));
	uint64_t lanes[4];
	_mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(all, high));
	return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

__attribute__((target("avx512bw"))) sum_t sum_avx512(const uint8_t *p, size_t len)
{
	return pass_avx512(false, NULL, p, len);
}

__attribute__((target("avx2"))) sum_t sum_avx2(const uint8_t *p, size_t len)
{
	return pass_avx2(false, NULL, p, len);
}

__attribute__((target("avx512bw"))) sum_t sum_copy_avx512(uint8_t *to, const uint8_t *p, size_t len)
{
	return pass_avx512(true, to, p, len);
}

__attribute__((target("avx2"))) sum_t sum_copy_avx2(uint8_t *to, const uint8_t *p, size_t len)
{
	return pass_avx2(true, to, p, len);
}
#endif

// The last 0 to 7 bytes, as if 0 followed. Not gathered into one word: a load that takes several
// stores in has to wait for all of them.
static sum_t sum_tail(const uint8_t *p, size_t len)
{
	sum_t sum = 0;
	if (len & 4) {
		uint32_t v;
		memcpy(&v, p, sizeof(v));
		sum += v;
		p += sizeof(v);
	}
	if (len & 2) {
		uint16_t v;
		memcpy(&v, p, sizeof(v));
		sum += v;
		p += sizeof(v);
	}
	return len & 1 ? sum + htole16(*p) : sum;
}

sum_t sum_plain(const uint8_t *p, size_t len)
{
	sum_t sum = 0, other = 0;
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
	return sum + sum_tail(p, len);
}

sum_t sum_bytes(sum_t sum, const void *from, size_t len)
{
	const uint8_t *p = from;
#ifdef __x86_64__
	if (len >= WIDE_LEN && __builtin_cpu_supports("avx512bw"))
		return sum + sum_avx512(p, len);
	if (len >= WIDE_LEN && __builtin_cpu_supports("avx2")) {
		sum += sum_avx2(p, len);
		p += len & ~(size_t)31;
		len &= 31;
	}
#endif
	return sum + sum_plain(p, len);
}

sum_t sum_copy(sum_t sum, void *to, const void *from, size_t len)
{
	const uint8_t *p = from;
	uint8_t *q = to;
#ifdef __x86_64__
	if (len >= WIDE_LEN && __builtin_cpu_supports("avx512bw"))
		return sum + sum_copy_avx512(q, p, len);
	if (len >= WIDE_LEN && __builtin_cpu_supports("avx2")) {
		size_t wide = len & ~(size_t)31;
		sum += sum_copy_avx2(q, p, wide);
		p += wide;
		q += wide;
		len -= wide;
	}
#endif
	memcpy(q, p, len);
	return sum + sum_plain(p, len);
}

sum_t sum_bytes_at(sum_t sum, size_t at, const void *p, size_t len)
{
	if (at % 2 == 0)
		return sum_bytes(sum, p, len);
	return sum + __builtin_bswap16(sum_fold(sum_bytes(0, p, len)));
}

sum_t sum_addresses(uint8_t family, const uint8_t *source, const uint8_t *target)
{
	if (family == 4)
		return sum_tail(source, 4) + sum_tail(target, 4);
	return sum_plain(source, 16) + sum_plain(target, 16);
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
