// SPDX-License-Identifier: BSD-3-Clause
// The configuration file, a subset of YAML 1.1: mappings, sequences and scalars in one document,
// no anchors, no tags. It becomes a tree whose nodes know their line; what the keys mean is the
// business of the reader.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_BYTES_MAX (1u << 20)
#define CONFIG_NODES_MAX 10000
#define CONFIG_DEPTH_MAX 8
#define CONFIG_TEXT_MAX  4096 // bytes of one scalar

enum config_kind { CONFIG_SCALAR, CONFIG_MAPPING, CONFIG_SEQUENCE };

// A node: an entry of a mapping (with key) or of a sequence (without).
struct config_node {
	enum config_kind kind;
	unsigned line;             // from 1; of the key, where there is one
	char *key;                 // NULL outside a mapping
	char *text;                // of a scalar, else NULL; "" for an empty one
	struct config_node *child; // first entry of a mapping or sequence
	struct config_node *next;  // next entry beside this one
};

// Read a file's bytes.
//
// @param root  out: the root, a mapping; to free by config_free(); NULL on error
// @param why   out, on error: a sentence with the line
// @return 0, -EINVAL not such a file, or -ENOMEM
int config_parse(const char *text, size_t len, struct config_node **root, char *why,
		 size_t why_len);

// The entry of a mapping, or NULL.
const struct config_node *config_find(const struct config_node *mapping, const char *key);

// Free a tree; every text in it is wiped first. root may be NULL.
void config_free(struct config_node *root);
