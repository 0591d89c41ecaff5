// SPDX-License-Identifier: BSD-3-Clause
// A rate that is not to be exceeded: work is paid for when it is done, and the next may begin once
// the account is out of debt. So an amount need not be known beforehand.
#pragma once

#include <stdint.h>

struct pace {
	double per_ms;  // 0: no limit
	double balance; // below 0: in debt
	uint64_t at_ms; // balance as of then
};

// @param per_s   0: no limit
// @param now_ms  any clock that never goes back
void pace_init(struct pace *p, uint64_t per_s, uint64_t now_ms);

// Pay for what was done.
void pace_pay(struct pace *p, uint64_t n);

// @return how long to wait until the next may begin, in ms; 0: now
unsigned pace_wait_ms(struct pace *p, uint64_t now_ms);
