// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/pace.h"

#define BURST_MS 50 // of saved up time

void pace_init(struct pace *p, uint64_t per_s, uint64_t now_ms)
{
	*p = (struct pace){.per_ms = (double)per_s / 1000.0, .at_ms = now_ms};
}

void pace_pay(struct pace *p, uint64_t n)
{
	if (p->per_ms > 0)
		p->balance -= (double)n;
}

unsigned pace_wait_ms(struct pace *p, uint64_t now_ms)
{
	if (p->per_ms <= 0)
		return 0;
	p->balance += (double)(now_ms - p->at_ms) * p->per_ms;
	p->at_ms = now_ms;
	if (p->balance > p->per_ms * BURST_MS)
		p->balance = p->per_ms * BURST_MS;
	if (p->balance >= 0)
		return 0;
	double ms = -p->balance / p->per_ms + 1;
	return ms > 1000 ? 1000 : (unsigned)ms;
}
