/*
 * program.h - a compiled text: literals, slots and conditions, run for one person as a copy loop.
 *
 * Every slot carries how it is escaped where it stands, so a value can never be read as markup.
 * A program for e-mail holds quoted-printable literals that begin and end at a line's start, so
 * that slots can be encoded between them without looking back.
 */
#ifndef NUDGED_COMPOSE_PROGRAM_H
#define NUDGED_COMPOSE_PROGRAM_H
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "compose/compose.h"

enum slot_kind {
	SLOT_COLUMN,     /* roster column `name` */
	SLOT_TEAM_NAME, SLOT_ANSWER, SLOT_TITLE, SLOT_HOOK, SLOT_MESSENGER, SLOT_DONE_PERCENT,
	SLOT_TEAM_DONE, SLOT_NUMBER, SLOT_STOP_LINK, SLOT_PAGE_LINK, SLOT_ORGANISATION
};
enum escape { ESCAPE_NONE, ESCAPE_HTML, ESCAPE_MARKED /* chat_marks.h */ };
enum op_kind { OP_LITERAL, OP_SLOT, OP_IF, OP_IF_NOT };
struct op {
	enum op_kind kind;
	enum escape escape;
	enum slot_kind slot;
	const char *name;  /* of a column */
	int answer;        /* 0 the page; n: the n-th answer */
	struct slice text; /* of a literal */
	size_t end;        /* of a condition: the op after its last */
};
struct program {
	size_t n, room;
	struct op *ops;
	struct text pending; /* while it is built */
	bool quoted;         /* quoted-printable */
};

/* ---- building; literals gather until a slot comes ---- */
void program_literal(struct program *p, const char *s, size_t len);
void program_puts(struct program *p, const char *s);
void program_op(struct program *p, struct arena *mem, struct op op);
/* Close the condition at index `at`. */
void program_close(struct program *p, struct arena *mem, size_t at);
void program_end(struct program *p, struct arena *mem);
/* The same program with its literals quoted-printable (CRLF line ends). */
struct program program_quoted(const struct program *p, struct arena *mem);

/* ---- running ---- */
struct running {
	const struct compose *compose;
	const struct token_key *key;
	const struct letter *letter;
	struct token_sheet *links; /* of the letter; all its parts share them */
};
static inline struct running
running_start(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct token_sheet *links)
{
	token_sheet_start(links, k, l->delivery, l->expires);
	return (struct running){ c, k, l, links };
}
void program_run(const struct program *p, const struct running *r, struct text *ret);
/* The value of a slot, unescaped, appended. */
void slot_value(const struct op *op, const struct running *r, struct text *ret);

/* ---- encodings ---- */
void add_html(struct text *t, const char *s, size_t len);
void add_chat(struct text *t, const char *s, size_t len);
void add_json(struct text *t, const char *s, size_t len); /* without the quotes */
/* Quoted-printable of text whose line ends are LF or CRLF; ends at a line's start. */
void add_quoted(struct text *t, const char *s, size_t len);
void add_base64(struct text *t, const void *p, size_t len); /* lines of 76, CRLF */
#endif
