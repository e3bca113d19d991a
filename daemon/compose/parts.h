/* parts.h - what the files of compose/ share. */
#ifndef NUDGED_COMPOSE_PARTS_H
#define NUDGED_COMPOSE_PARTS_H
#include "compose/compose.h"
#include "compose/program.h"

enum { WORDS_MAX = 200 };
struct word {
	const char *key, *text;
};
struct word_list {
	size_t n;
	struct word v[WORDS_MAX];
};
/* A message in one language, for every output. */
struct compiled {
	bool there, figures;
	struct program subject;            /* plain */
	struct program plain, html;
	struct program chat;               /* marked (chat_marks.h); what stands before <!-- more --> */
	struct program chat_small;         /* small print without its links, for under a chat message */
	struct program paper, card;        /* below the heading; card: what stands before more */
	struct program paper_small;
	struct program plain_quoted;
	struct program html_quoted;        /* html is a page of its own, here the logo is a part beside */
	int n_buttons;
	int buttons[8];                    /* answers that have a link, in order: for chat */
	struct program labels[8];
};
struct compose {
	const struct rulebase *rb;
	struct house_style style;
	struct arena *mem;
	struct compiled **texts;           /* by campaign; message * languages + language */
	struct slice *logo_part;           /* by campaign: the MIME part, whole */
	const char **logo_data;            /* by campaign: the same as a data: address; NULL: none */
	struct word_list *words;           /* by language */
	struct slice base_url;             /* style.base_url */
	const char *domain;                /* of style.from */
};

static inline struct compiled *
compiled_of(const struct compose *c, const struct campaign *k, int message, int language)
{
	return &c->texts[k->index][(size_t)message * c->rb->house.n_languages + (size_t)language];
}
void add_link(const struct running *r, const char *kind, int answer, struct text *ret);
/* text_check.c and markdown.c: compile one message in one language; findings on the way. */
void text_compile(struct compose *c, const struct campaign *k, const struct message *m,
    int language, struct findings *f, struct compiled *ret);
/* frame.c: what stands around every text */
struct small_print {
	struct compose *c;
	const struct campaign *campaign;
	const struct message *message;
	int language;
};
void small_print_plain(struct program *p, const struct small_print *s);
void small_print_chat(struct program *p, const struct small_print *s);
void small_print_paper(struct program *p, const struct small_print *s);
/* A page up to the text (logo: an address, or NULL), and from the text on with the small print. */
void frame_open(struct program *p, const struct small_print *s, const char *logo);
void frame_close(struct program *p, const struct small_print *s);
/* words.c */
void words_load(struct compose *c, struct findings *f);
/* "{organisation} writes ..." as literals and slots. */
void program_words(struct program *p, struct compose *c, int language, const char *key,
    enum escape escape);
/* invite.c: the calendar object alone, CRLF. */
enum invite_form { INVITE_REQUEST, INVITE_CANCEL, INVITE_STORED, INVITE_PUBLISH };
void invite_write(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum invite_form form, struct text *ret);
/* What the event is called, also when its text left the rule base. */
void invite_title(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret);
#endif
