// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>

#include "tests/tcp/scene.h"

// ---- What went wrong --------------------------------------------------------------------------

static void trace_print(const struct scene *c)
{
	static struct trace_view v;
	char text[TRACE_TEXT_LEN];
	if (trace_read(c->traces, 0, &v))
		return;
	for (unsigned i = v.n > 25 ? v.n - 25 : 0; i < v.n; i++) {
		trace_text(&v.lines[i], text);
		fprintf(stderr, "  %10.6f %s\n",
			(double)(v.lines[i].time_us - c->begin_ns / 1000) / 1e6, text);
	}
}

void wrong(struct scene *c, const char *format, ...)
{
	va_list args;
	if (c->failed)
		return;
	c->failed = true;
	fprintf(stderr, "%s:%u: ", c->path, c->line->number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n  line: %s\n  now %.6f, iss %u, irs %u; what happened:\n", c->line->text,
		(double)c->now_ns / 1e9, c->iss, c->irs);
	trace_print(c);
}

static const char *flags_text(uint8_t flags)
{
	static char text[12];
	unsigned n = 0;
	for (unsigned i = 0; i < 8; i++)
		if (flags >> i & 1)
			text[n++] = "FSRP.UEW"[i];
	text[n] = 0;
	return n ? text : "-";
}

void segment_text(const struct scene *c, const struct seen *o, char *out, size_t len)
{
	const struct tcp_options *p = &o->s.options;
	uint32_t seq = o->s.seq.v - c->iss;
	int n = snprintf(out, len, "%.6f > %s %u:%u", (double)o->at_ns / 1e9,
			 flags_text(o->s.flags), seq, seq + o->s.len);
	if (o->s.flags & TCP_ACK)
		n += snprintf(out + n, len - (size_t)n, " ack %u", o->s.ack.v - c->irs);
	n += snprintf(out + n, len - (size_t)n, " win %u <", o->s.window);
	if (p->has & TCP_HAS_MSS)
		n += snprintf(out + n, len - (size_t)n, " mss %u", p->mss);
	if (p->has & TCP_HAS_SCALE)
		n += snprintf(out + n, len - (size_t)n, " wscale %u", p->scale);
	if (p->has & TCP_HAS_SACK_OK)
		n += snprintf(out + n, len - (size_t)n, " sackOK");
	if (p->has & TCP_HAS_TIME)
		n += snprintf(out + n, len - (size_t)n, " TS val %u ecr %u", p->ts_val - c->ts_zero,
			      p->ts_ecr);
	for (unsigned i = 0; i < p->n_sack; i++)
		n += snprintf(out + n, len - (size_t)n, " sack %u:%u", p->sack[i].from.v - c->irs,
			      p->sack[i].to.v - c->irs);
	snprintf(out + n, len - (size_t)n, " >");
}
