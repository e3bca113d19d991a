/*
 * yaml.h - one YAML document as a tree in which every key and value knows its place.
 *
 * A strict part of YAML 1.2: one document, no aliases, anchors, tags or merge keys, keys are plain
 * words and none twice; plain scalars are text and the schema decides what they mean (`no`, `0900`
 * and `1.10` stay what the author wrote).  Limits: 1 MiB, depth 32, 10,000 nodes.  Everything wrong
 * goes to the findings (E001, E003, E005, E011).
 */
#ifndef NUDGED_RULES_YAML_H
#define NUDGED_RULES_YAML_H
#include <stdbool.h>
#include <stddef.h>

#include "rules/rulebase.h"

enum { YAML_BYTES = 1 << 20, YAML_DEPTH = 32, YAML_NODES = 10000 };
enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };
struct node {
	enum node_kind kind;
	bool plain;        /* NODE_TEXT without quotes */
	const char *text;
	size_t n;          /* of a list or map */
	struct pair *pairs; /* of a map; a list has only values */
	struct place place;
};
struct pair {
	const char *key; /* NULL in a list */
	struct place key_place;
	struct node *value;
};

/*
 * file: as named in findings; first_line: the line at which `bytes` begin there (front matter).
 * NULL when it is broken; an empty document is an empty map.
 */
struct node *yaml_read(struct arena *mem, const char *file, int first_line, const char *bytes,
    size_t len, struct findings *f);
struct pair *node_find(const struct node *map, const char *key);
#endif
