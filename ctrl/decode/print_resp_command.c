// SPDX-License-Identifier: BSD-3-Clause
// --format=resp of files that hold commands: these very commands. Their SELECTs are left out, since
// every command may need another database than what was written last.
#include "ctrl/decode/print_resp.h"

static void word(struct printer *p, const struct aof_event *ev)
{
	if (!ev->word_at) {
		output_char(p->out, '$');
		output_u64(p->out, ev->word_len);
		OUTPUT_LIT(p->out, "\r\n");
	}
	output_add(p->out, ev->word);
	if (ev->word_at + ev->word.len == ev->word_len)
		OUTPUT_LIT(p->out, "\r\n");
}

void resp_command(struct printer *p, const struct aof_event *ev)
{
	switch (ev->kind) {
	case AOF_COMMAND:
		if (ev->argc == 2 && span_caseeq(ev->argv[0], "SELECT"))
			return;
		resp_select(p, ev->db);
		resp_words(p, ev->argv, ev->argc);
		if (span_caseeq(ev->argv[0], "MULTI"))
			p->resp.in_multi = true;
		else if (span_caseeq(ev->argv[0], "EXEC"))
			p->resp.in_multi = false;
		return;
	case AOF_BIG_BEGIN:
		resp_select(p, ev->db);
		resp_head(p->out, ev->argc);
		return;
	case AOF_BIG_WORD:
		word(p, ev);
		return;
	default:
		return;
	}
}
