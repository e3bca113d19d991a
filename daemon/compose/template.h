/*
 * template.h - Mustache, all core modules of the official suite (interpolation, sections, inverted,
 * partials, delimiters, comments), compiled once into a program.
 *
 * Logic-less.  Errors carry line and column.  The caller chooses how a slot is escaped; {{{x}}} and
 * {{&x}} are refused where raw is not allowed (every text of a rule base).
 */
#ifndef NUDGED_COMPOSE_TEMPLATE_H
#define NUDGED_COMPOSE_TEMPLATE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct text;
struct template;

struct template_error {
	int line, column; /* 1-based, column in code points */
	char what[200];   /* "section 'team' is never closed; expected {{/team}}" */
};
/* NULL and *err when broken. */
struct template *template_compile(struct arena *mem, const char *source, size_t len,
    struct template_error *err);
/* Called for each name of an opening or slot tag, for the check of unknown names. */
void template_names(const struct template *t,
    void (*fn)(void *arg, const char *name, bool section, int line, int column), void *arg);

/* Find a partial's source by name; NULL: none, renders as nothing. */
typedef const char *template_partial_fn(void *arg, const char *name);
/* Render with JSON data, HTML escaping: `nudge render` and the official suite. */
int template_render_json(const struct template *t, json_t *data, template_partial_fn *partial,
    void *arg, struct text *ret);
#endif
