/*
 * chat_parts.h - what one letter says, ready for any chat format, and JSON written piece by piece.
 *
 * Texts are plain but for those named marked (chat_marks.h).  Everything is owned by the parts.
 */
#ifndef NUDGED_COMPOSE_CHAT_PARTS_H
#define NUDGED_COMPOSE_CHAT_PARTS_H
#include "base/text.h"
#include "compose/chat_format.h"
#include "compose/chat_marks.h"
#include "compose/compose.h"

enum { CHAT_BUTTONS = 8 };
struct chat_parts {
	const struct letter *letter;
	const struct chat_row *row;
	struct text title;              /* at most row->title_max */
	struct text body;               /* marked; shortened when it has to be */
	struct text hook, small;        /* the slogan; who, why you, why now, what is stored */
	struct text page, stop;         /* addresses */
	const char *page_label, *stop_label, *more_label;
	int n_buttons;
	struct text labels[CHAT_BUTTONS], addresses[CHAT_BUTTONS];
};

/* The writers, by shape: append the whole request body. */
typedef void chat_writer(const struct chat_parts *p, struct text *ret);
chat_writer blocks_write, card_write, cards_v2_write;                              /* chat_card.c */
chat_writer post_write, content_write, event_write, form_write, notice_write, own_write; /* chat_text.c */

/*
 * Everything below the body as marked text: the answers that are no real buttons, hook, small
 * print, and its two links.
 */
void chat_foot(const struct chat_parts *p, struct text *ret);
void chat_answers(const struct chat_parts *p, int from, struct text *ret);

/* ---- JSON: a comma is put where one is due; key NULL in an array ---- */
void json_open(struct text *t, const char *key, char bracket);
void json_close(struct text *t, char bracket);
void json_word(struct text *t, const char *key, const char *word); /* true, 1, null */
void json_put(struct text *t, const char *key, const char *s, size_t len);
void json_puts(struct text *t, const char *key, const char *s);
void json_text(struct text *t, const char *key, const struct text *s);
#endif
