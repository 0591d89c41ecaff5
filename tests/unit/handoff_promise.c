// SPDX-License-Identifier: BSD-3-Clause
// What handoff.h promises at every step: the target has the copy of each key's holder, as far as
// the holder's stream was read, and who is said to have no copy has none.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/handoff_model.h"

void sent_apply(const struct model *m, struct state *target, unsigned shard,
		const struct sent *sent)
{
	struct span argv[WORDS];
	int argc = sent->parts ? 0 : words_of(m->shards[shard].stream[sent->command], argv);
	for (unsigned k = 0; k < KEYS; k++)
		if (sent->clears[k])
			target->of[sent->slot][k][0] = 0;
	if (!sent->parts)
		state_run(target, argv, argc);
}

void seen_run(struct shard *s, const struct span *argv, int argc)
{
	if (!is_control(argv)) {
		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (s->trimmed[slot] && is_of_slot(argv, argc, slot)) {
				memset(s->seen.of[slot], 0, sizeof(s->seen.of[slot]));
				s->trimmed[slot] = false;
			}
		state_run(&s->seen, argv, argc);
		return;
	}
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		char words[32];
		snprintf(words, sizeof(words), ":%u-%u", slot * 100, slot * 100);
		bool trims = argc == 5 && span_eq(argv[0], SPAN_LIT("TRIMSLOTS")) &&
			     span_digits(argv[3]) == slot * 100;
		char *text = strndup(argv[argc - 1].p, argv[argc - 1].len);
		trims |= strstr(text, "import:failed") && strstr(text, words);
		free(text);
		if (trims)
			s->trimmed[slot] = true;
	}
}

void key_trace(const struct model *m, unsigned slot)
{
	const struct handoff *h = m->h;
	trace(m, slot, "    home %u flux %u dirty %u litter %" PRIx64, h->home[slot * 100],
	      h->flux[slot * 100], h->dirty[slot * 100], h->litter[slot * 100]);
	for (uint32_t i = h->first_key[slot * 100]; i; i = h->keys[i - 1].next) {
		const struct handoff_key *k = &h->keys[i - 1];
		char text[200] = "";
		for (unsigned p = 0; p < k->n_parties; p++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 " [%u era %u%s%s]", k->parties[p].member, k->parties[p].era,
				 k->parties[p].gone ? " gone" : "",
				 k->parties[p].unseen ? " unseen" : "");
		trace(m, slot,
		      "      key %.*s gen %u holder %u%s after %" PRIu64 " before %" PRIu64 "%s",
		      (int)k->name_len, k->name, k->gen, k->holder, k->spoilt ? " spoilt" : "",
		      k->after_ns, k->before_ns == UINT64_MAX ? 0 : k->before_ns, text);
	}
}

// While a task brings a slot, or after it was trimmed, its member's copies are another matter.
static bool is_apart(const struct model *m, unsigned member, unsigned slot)
{
	const struct handoff *h = m->h;
	bool apart = m->shards[member].trimmed[slot] || h->members[member].resync ||
		     h->members[member].loading || m->shards[member].sync.due;
	for (unsigned i = 0; i < HANDOFF_TASKS; i++) {
		const struct handoff_task *t = &h->tasks[i];
		apart |= t->state == TASK_ACTIVE && !t->by_keys && t->member == member &&
			 t->slots[slot * 100 / 64] >> (slot * 100 % 64) & 1;
	}
	return apart;
}

static const struct handoff_key *entry_of(const struct handoff *h, unsigned slot, unsigned key)
{
	char name[32];
	key_name(name, slot, key);
	for (uint32_t i = h->first_key[slot * 100]; i; i = h->keys[i - 1].next) {
		const struct handoff_key *k = &h->keys[i - 1];
		if (span_eq(span_of(name), (struct span){k->name, k->name_len}))
			return k;
	}
	return NULL;
}

static bool key_holds(const struct model *m, const struct state *target, unsigned slot,
		      unsigned key)
{
	const struct handoff_key *k = entry_of(m->h, slot, key);
	unsigned holder = k ? k->holder : m->h->home[slot * 100];
	const char *is = target->of[slot][key], *copy = m->shards[holder].seen.of[slot][key];
	bool known = !is_apart(m, holder, slot) && !m->h->dirty[slot * 100] && !(k && k->spoilt);
	if (known && strcmp(is, copy) != 0) {
		printf("slot %u key %u: the target has %s, its holder %u %s\n", slot, key, is,
		       holder, copy);
		return false;
	}
	for (unsigned i = 0; k && i < k->n_parties; i++) {
		unsigned member = k->parties[i].member;
		if (!k->parties[i].gone || is_apart(m, member, slot) ||
		    !m->shards[member].seen.of[slot][key][0])
			continue;
		printf("slot %u key %u: shard %u has a copy\n", slot, key, member);
		return false;
	}
	return true;
}

bool promise_holds(const struct model *m)
{
	struct state target = m->target;
	bool holds = true;
	for (unsigned i = 0; i < m->n_shards; i++)
		for (unsigned k = 0; k < m->shards[i].n_sent; k++)
			sent_apply(m, &target, i, &m->shards[i].sent[k]);
	for (unsigned slot = 0; slot < SLOTS; slot++)
		for (unsigned key = 0; holds && key < KEYS; key++)
			holds = key_holds(m, &target, slot, key);
	return holds;
}
