// SPDX-License-Identifier: BSD-3-Clause
// config_parse() -> document_read() -> event_take() -> node_open() | node_scalar() | node_close()
#include "parsers/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct reader {
	yaml_parser_t yaml;
	struct config_node *root;
	struct config_node *open[CONFIG_DEPTH_MAX]; // the path to where we are
	struct config_node *last[CONFIG_DEPTH_MAX]; // the newest entry of each
	unsigned depth, n_nodes;
	char *key; // read, its value not yet
	unsigned key_line;
	bool end;
	char *why;
	size_t why_len;
};

static int refuse(struct reader *r, unsigned line, const char *text)
{
	snprintf(r->why, r->why_len, "line %u: %s", line, text);
	return -EINVAL;
}

static unsigned line_of(const yaml_event_t *e)
{
	return (unsigned)e->start_mark.line + 1;
}

static bool key_wanted(const struct reader *r)
{
	return r->depth && r->open[r->depth - 1]->kind == CONFIG_MAPPING && !r->key;
}

// Hang a new node where we are.
static struct config_node *node_add(struct reader *r, enum config_kind kind, unsigned line)
{
	struct config_node *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->kind = kind;
	n->line = r->key ? r->key_line : line;
	n->key = r->key;
	r->key = NULL;
	if (!r->depth) {
		r->root = n;
		return n;
	}
	struct config_node **last = &r->last[r->depth - 1];
	if (*last)
		(*last)->next = n;
	else
		r->open[r->depth - 1]->child = n;
	*last = n;
	return n;
}

static int node_open(struct reader *r, enum config_kind kind, unsigned line)
{
	if (key_wanted(r))
		return refuse(r, line, "a key must be plain text");
	if (!r->depth && kind != CONFIG_MAPPING)
		return refuse(r, line, "the file must begin with 'name: value'");
	if (r->depth == CONFIG_DEPTH_MAX)
		return refuse(r, line, "nested too deep");
	if (++r->n_nodes > CONFIG_NODES_MAX)
		return refuse(r, line, "too many entries");
	struct config_node *n = node_add(r, kind, line);
	if (!n)
		return -ENOMEM;
	r->open[r->depth] = n;
	r->last[r->depth++] = NULL;
	return 0;
}

static int scalar_key(struct reader *r, const char *text, unsigned line)
{
	if (config_find(r->open[r->depth - 1], text)) {
		char words[128];
		snprintf(words, sizeof(words), "'%.64s' stands here a second time", text);
		return refuse(r, line, words);
	}
	r->key = strdup(text);
	r->key_line = line;
	return r->key ? 0 : -ENOMEM;
}

static int node_scalar(struct reader *r, const yaml_event_t *e)
{
	unsigned line = line_of(e);
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	if (len > CONFIG_TEXT_MAX || memchr(text, 0, len))
		return refuse(r, line, "a value is too long or has a zero byte in it");
	if (!r->depth)
		return refuse(r, line, "the file must begin with 'name: value'");
	if (key_wanted(r))
		return scalar_key(r, text, line);
	if (++r->n_nodes > CONFIG_NODES_MAX)
		return refuse(r, line, "too many entries");
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	bool null = plain && (!strcmp(text, "~") || !strcmp(text, "null"));
	struct config_node *n = node_add(r, CONFIG_SCALAR, line);
	if (!n)
		return -ENOMEM;
	n->text = strdup(null ? "" : text);
	return n->text ? 0 : -ENOMEM;
}

static int event_take(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_MAPPING_START_EVENT:
		return node_open(r, CONFIG_MAPPING, line_of(e));
	case YAML_SEQUENCE_START_EVENT:
		return node_open(r, CONFIG_SEQUENCE, line_of(e));
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		return 0;
	case YAML_SCALAR_EVENT:
		return node_scalar(r, e);
	case YAML_ALIAS_EVENT:
		return refuse(r, line_of(e), "anchors and aliases are not taken");
	case YAML_DOCUMENT_START_EVENT:
		return r->root ? refuse(r, line_of(e), "a second document is not taken") : 0;
	case YAML_STREAM_END_EVENT:
		r->end = true;
		return 0;
	default:
		return 0;
	}
}

static int document_read(struct reader *r)
{
	while (!r->end) {
		yaml_event_t e;
		if (!yaml_parser_parse(&r->yaml, &e)) {
			if (r->yaml.error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			const char *problem = r->yaml.problem;
			return refuse(r, (unsigned)r->yaml.problem_mark.line + 1,
				      problem ? problem : "this is not YAML");
		}
		int rc = event_take(r, &e);
		yaml_event_delete(&e);
		if (rc)
			return rc;
	}
	if (r->root)
		return 0;
	r->root = calloc(1, sizeof(*r->root)); // an empty file is an empty mapping
	if (!r->root)
		return -ENOMEM;
	r->root->kind = CONFIG_MAPPING;
	r->root->line = 1;
	return 0;
}

int config_parse(const char *text, size_t len, struct config_node **root, char *why, size_t why_len)
{
	struct reader r = {.why = why, .why_len = why_len};
	*root = NULL;
	if (why_len)
		why[0] = 0;
	if (len > CONFIG_BYTES_MAX)
		return refuse(&r, 1, "the file is larger than 1 MB");
	if (!yaml_parser_initialize(&r.yaml))
		return -ENOMEM;
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
	int rc = document_read(&r);
	yaml_parser_delete(&r.yaml);
	free(r.key);
	if (rc)
		config_free(r.root);
	else
		*root = r.root;
	return rc;
}

const struct config_node *config_find(const struct config_node *mapping, const char *key)
{
	for (const struct config_node *n = mapping ? mapping->child : NULL; n; n = n->next)
		if (n->key && !strcmp(n->key, key))
			return n;
	return NULL;
}

static void text_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

// Depth is bounded by CONFIG_DEPTH_MAX, so is the recursion; entries beside it are a loop.
void config_free(struct config_node *root)
{
	while (root) {
		struct config_node *next = root->next;
		config_free(root->child);
		text_free(root->key);
		text_free(root->text);
		free(root);
		root = next;
	}
}
