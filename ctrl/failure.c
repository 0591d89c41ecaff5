// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *f, enum error_id id, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	f->id = id;
	vsnprintf(f->sentence, sizeof(f->sentence), format, args);
	va_end(args);
	return -1;
}

void failure_prefix(struct failure *f, const char *words)
{
	char both[SENTENCE_LEN + 128];
	snprintf(both, sizeof(both), "%.120s: %s", words, f->sentence);
	memcpy(f->sentence, both, sizeof(f->sentence));
	f->sentence[sizeof(f->sentence) - 1] = 0;
}
