/*
 * chat_marks.h - the text of a chat message before it is in any dialect, and into one.
 *
 * A chat program (markdown.c) writes plain text in which a control character marks where emphasis
 * and links begin and end.  No value and no literal can hold one: both lose their controls on the
 * way in (add_marked), so a mark was set by the compiler and a person's data is text, whatever it
 * looks like.  Escaping happens once, here, for all of the text.
 *
 *   text    = *( character / LF / strong / emphasis / link )
 *   link    = MARK_LINK address MARK_LABEL *( character / strong / emphasis ) MARK_LINK_END
 *
 * Pairs may be broken by an author's section that begins inside one and ends outside; then an open
 * one ends with the text, and an end without a beginning is nothing.
 */
#ifndef NUDGED_COMPOSE_CHAT_MARKS_H
#define NUDGED_COMPOSE_CHAT_MARKS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "compose/chat_format.h"

enum mark { MARK_STRONG = 1, MARK_STRONG_END, MARK_EMPHASIS, MARK_EMPHASIS_END, MARK_LINK,
	MARK_LABEL, MARK_LINK_END };

/* Text without marks in it; LF stays. */
void add_marked(struct text *t, const char *s, size_t len);
void add_marked_link(struct text *t, struct slice address, struct slice label);

size_t chat_count(enum chat_unit unit, const char *s, size_t len);
/* The whole of it in a dialect. */
void marked_render(struct slice marked, enum chat_dialect dialect, struct text *ret);
/*
 * How many bytes of it, rendered, are at most max units: all, or up to the end of a sentence, else
 * of a word, else of a character; never inside a pair or a link.  0 when nothing fits.
 */
size_t marked_cut(struct slice marked, enum chat_dialect dialect, enum chat_unit unit, size_t max);

/* One stretch of text with one style; address is empty for what is no link. */
struct run {
	struct slice text, address;
	bool strong, emphasis;
};
void marked_runs(struct slice marked, void (*fn)(void *arg, const struct run *run), void *arg);

/* The first max code points at most, without splitting a letter from its accents. */
struct slice points_cut(struct slice s, size_t max);
#endif
