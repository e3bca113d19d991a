#include "rules/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "rules/findings.h"

struct reader {
	yaml_parser_t parser;
	struct arena *mem;
	struct findings *f;
	const char *file;
	int first_line;
	int nodes;
	bool broken;
};

static struct place
place_of(const struct reader *r, yaml_mark_t mark)
{
	return (struct place){ r->file, r->first_line + (int)mark.line, (int)mark.column + 1 };
}

static void
refuse(struct reader *r, const char *code, struct place at, const char *what)
{
	if (!r->broken)
		finding_add(r->f, code, at, "%s", what);
	r->broken = true;
}

/* libyaml's own words, placed where the trouble began: for an unclosed quote at its opening. */
static void
syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	bool quoted = p->context != NULL && strstr(p->context, "quoted scalar") != NULL;
	yaml_mark_t mark = quoted ? p->context_mark : p->problem_mark;

	if (r->broken)
		return;
	r->broken = true;
	if (quoted)
		finding_add(r->f, "E001", place_of(r, mark),
		    "this quote is never closed; close it at the end of the text");
	else
		finding_add(r->f, "E001", place_of(r, mark), "not YAML: %s%s%s",
		    p->problem != NULL ? p->problem : "unreadable",
		    p->context != NULL ? ", " : "", p->context != NULL ? p->context : "");
}

static bool
next_event(struct reader *r, yaml_event_t *ret)
{
	if (r->broken)
		return false;
	if (!yaml_parser_parse(&r->parser, ret)) {
		syntax_error(r);
		return false;
	}
	return true;
}

static void
event_done(yaml_event_t *e)
{
	yaml_event_delete(e);
}

static struct node *node_read(struct reader *r, yaml_event_t *e, int depth);

static bool
has_anchor_or_tag(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL;
	default:
		return false;
	}
}

static struct node *
text_node(struct reader *r, const yaml_event_t *e)
{
	struct node *n = ARENA_NEW(r->mem, struct node);
	const char *s = (const char *)e->data.scalar.value;

	n->kind = NODE_TEXT;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_copyn(r->mem, s, e->data.scalar.length);
	n->place = place_of(r, e->start_mark);
	if (strlen(s) != e->data.scalar.length)
		refuse(r, "E001", n->place, "a NUL character; remove it");
	return n;
}

static void
pair_add(struct reader *r, struct node *n, struct pair p)
{
	if ((n->n & (n->n - 1)) == 0) { /* full at each power of two */
		struct pair *more = arena_alloc(r->mem, n->n == 0 ? 1 : n->n * 2, sizeof *more);

		if (n->n > 0)
			memcpy(more, n->pairs, n->n * sizeof *more);
		n->pairs = more;
	}
	n->pairs[n->n++] = p;
}

static void
key_check(struct reader *r, const struct node *map, const struct pair *p)
{
	const struct pair *first = node_find(map, p->key);

	if (strcmp(p->key, "<<") == 0)
		refuse(r, "E001", p->key_place, "merge keys (<<) are not read; write the keys out");
	else if (first != NULL) /* one more mistake, not the end of the file */
		finding_add(r->f, "E005", p->key_place, "'%s' stands here again; it is already in line %d: keep one of the two",
		    p->key, first->key_place.line);
}

static struct node *
collection_read(struct reader *r, const yaml_event_t *start, int depth)
{
	struct node *n = ARENA_NEW(r->mem, struct node);
	bool map = start->type == YAML_MAPPING_START_EVENT;

	n->kind = map ? NODE_MAP : NODE_LIST;
	n->place = place_of(r, start->start_mark);
	while (!r->broken) {
		struct pair p = { 0 };
		SCOPED(event_done) yaml_event_t e = { 0 };

		if (!next_event(r, &e) || e.type == YAML_MAPPING_END_EVENT ||
		    e.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (map) {
			SCOPED(event_done) yaml_event_t value = { 0 };

			p.key_place = place_of(r, e.start_mark);
			if (e.type != YAML_SCALAR_EVENT || has_anchor_or_tag(&e)) {
				refuse(r, "E001", p.key_place, "a key is a plain word followed by a colon");
				break;
			}
			p.key = text_node(r, &e)->text;
			key_check(r, n, &p);
			if (!next_event(r, &value))
				break;
			p.value = node_read(r, &value, depth + 1);
		} else
			p.value = node_read(r, &e, depth + 1);
		if (p.value != NULL)
			pair_add(r, n, p);
	}
	return n;
}

static struct node *
node_read(struct reader *r, yaml_event_t *e, int depth)
{
	struct place at = place_of(r, e->start_mark);

	if (++r->nodes > YAML_NODES)
		refuse(r, "E011", at, "more than 10,000 values in one file; take out what is not for this file");
	else if (depth > YAML_DEPTH)
		refuse(r, "E011", at, "nested deeper than 32 levels; no rule needs more than 6");
	else if (e->type == YAML_ALIAS_EVENT)
		refuse(r, "E001", at, "aliases (*name) are not read; write the value out");
	else if (has_anchor_or_tag(e))
		refuse(r, "E001", at, "anchors (&name) and tags (!name) are not read; remove it");
	else if (e->type == YAML_SCALAR_EVENT)
		return text_node(r, e);
	else if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT)
		return collection_read(r, e, depth);
	else
		refuse(r, "E001", at, "unexpected end");
	return NULL;
}

static struct node *
document_read(struct reader *r)
{
	struct node *root = NULL;
	bool started = false;

	for (;;) {
		SCOPED(event_done) yaml_event_t e = { 0 };

		if (!next_event(r, &e) || e.type == YAML_STREAM_END_EVENT)
			break;
		if (e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (e.type == YAML_DOCUMENT_START_EVENT) {
			if (started)
				refuse(r, "E001", place_of(r, e.start_mark),
				    "a second document begins here; one file holds one");
			started = true;
			continue;
		}
		root = node_read(r, &e, 1);
	}
	if (root == NULL && !r->broken) {
		root = ARENA_NEW(r->mem, struct node);
		root->kind = NODE_MAP;
		root->place = (struct place){ r->file, r->first_line, 1 };
	}
	return r->broken ? NULL : root;
}

/* Where byte `at` stands: libyaml would count in its own way, and only after decoding. */
static struct place
place_of_byte(const char *file, int first_line, const char *bytes, size_t at)
{
	struct place p = { file, first_line, 1 };
	size_t line = 0;

	for (size_t i = 0; i < at; i++)
		if (bytes[i] == '\n') {
			p.line++;
			line = i + 1;
		}
	p.column = (int)utf8_count(bytes + line, at - line) + 1;
	return p;
}

struct node *
yaml_read(struct arena *mem, const char *file, int first_line, const char *bytes, size_t len,
    struct findings *f)
{
	struct reader r = { .mem = mem, .f = f, .file = file, .first_line = first_line };
	struct place start = { file, first_line, 1 };
	size_t bad;

	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	if (len > YAML_BYTES) {
		finding_add(f, "E011", start, "larger than 1 MiB; take out what is not for this file");
		return NULL;
	}
	if (!utf8_valid(bytes, len, &bad)) {
		finding_add(f, "E001", place_of_byte(file, first_line, bytes, bad),
		    "not UTF-8: byte 0x%02x; save the file as UTF-8", (unsigned char)bytes[bad]);
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser))
		return NULL;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, len);
	struct node *root = document_read(&r);

	yaml_parser_delete(&r.parser);
	return root;
}

struct pair *
node_find(const struct node *map, const char *key)
{
	for (size_t i = 0; map != NULL && map->kind == NODE_MAP && i < map->n; i++)
		if (strcmp(map->pairs[i].key, key) == 0)
			return &map->pairs[i];
	return NULL;
}
