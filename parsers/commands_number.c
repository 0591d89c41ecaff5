// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/commands_number.h"

bool number_parse(struct span s, int64_t *number)
{
	bool negative = s.len > 0 && s.p[0] == '-';
	size_t i = negative;
	if (i == s.len || (s.p[i] == '0' && s.len > 1))
		return false;
	int64_t n = 0;
	for (; i < s.len; i++) {
		int digit = s.p[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		// Downwards, since the lowest int64 has no positive twin.
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n))
			return false;
	}
	if (!negative && n == INT64_MIN)
		return false;
	*number = negative ? n : -n;
	return true;
}

struct span number_print(int64_t number, char *digits)
{
	char *end = digits + NUMBER_LEN_MAX, *p = end;
	uint64_t n = number < 0 ? -(uint64_t)number : (uint64_t)number;
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	if (number < 0)
		*--p = '-';
	return (struct span){p, (size_t)(end - p)};
}
