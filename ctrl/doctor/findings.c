// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/findings.h"

#include <stdarg.h>
#include <stdio.h>

// A sentence may hold texts of a server: it stays one line.
static void line_clean(char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

void finding_put(struct findings *f, enum severity severity, const char *mend, const char *format,
		 ...)
{
	unsigned n = atomic_load_explicit(&f->n, memory_order_relaxed);
	va_list args;
	if (n == FINDINGS_MAX)
		return;
	struct finding *found = &f->list[n];
	found->severity = severity;
	found->check = f->check;
	va_start(args, format);
	vsnprintf(found->sentence, sizeof(found->sentence), format, args);
	va_end(args);
	snprintf(found->mend, sizeof(found->mend), "%s", mend ? mend : "");
	line_clean(found->sentence);
	line_clean(found->mend);
	atomic_store_explicit(&f->n, n + 1, memory_order_release);
}

unsigned findings_count(const struct findings *f, enum severity severity)
{
	unsigned n = atomic_load_explicit(&f->n, memory_order_acquire), count = 0;
	for (unsigned i = 0; i < n; i++)
		count += f->list[i].severity == severity ||
			 (f->list[i].severity == SEVERITY_DAMAGE && severity == SEVERITY_ERROR);
	return count;
}

const struct finding *findings_damage(const struct findings *f)
{
	unsigned n = atomic_load_explicit(&f->n, memory_order_acquire);
	for (unsigned i = 0; i < n; i++)
		if (f->list[i].severity == SEVERITY_DAMAGE)
			return &f->list[i];
	return NULL;
}

const char *severity_text(enum severity severity)
{
	static const char *const words[] = {"info", "warning", "error", "error"};
	return words[severity];
}

// What is not UTF-8 becomes '?'.
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	char clean[FINDING_LEN];
	size_t n = 0;
	if (j)
		return j;
	for (; text[n] && n < sizeof(clean) - 1; n++)
		clean[n] = (uint8_t)text[n] >= 0x80 ? '?' : text[n];
	clean[n] = 0;
	return json_string(clean);
}

json_t *finding_json(const struct finding *found)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "severity", severity_text(found->severity),
			 "check", found->check, "sentence", text_json(found->sentence), "mend",
			 found->mend[0] ? text_json(found->mend) : json_null());
}
