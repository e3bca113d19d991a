/*
 * compose.h - from a rule base's texts to the bytes one person gets through one channel.
 *
 * compose_new() compiles every message once per language and channel: Markdown (cmark) with the
 * slots set aside becomes a program of literals, slots and conditions, already in the channel's
 * own syntax; for e-mail the whole MIME skeleton is compiled with it (headers, boundaries,
 * quoted-printable literals).  compose_*() is then a copy loop that escapes each slot for where it
 * stands.  A person's data is never parsed as Markdown, template or HTML.
 *
 * No I/O, no clock.  A struct compose is immutable and lives as long as its rule base.
 */
#ifndef NUDGED_COMPOSE_COMPOSE_H
#define NUDGED_COMPOSE_COMPOSE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/when.h"
#include "compose/chat_format.h"
#include "compose/token.h"
#include "rules/rulebase.h"

struct compose;
struct findings;
struct person;
struct text;
struct zone;

/* What the configuration adds; strings outlive the compose. */
struct house_style {
	const char *base_url;     /* https://nudge.zorg.example, no slash at the end */
	const char *from;         /* address of the sender; its domain is used for Message-IDs */
	const char *organisation; /* in the small print */
	const char *words_dir;    /* config/words: texts of the small print and buttons per language */
	struct words columns;     /* roster columns that may be slots; empty: any is accepted */
};

/* NULL when f gained errors (E006, E007, E008 are found here).  f may not be NULL. */
struct compose *compose_new(const struct rulebase *rb, const struct house_style *style,
    struct findings *f);
void compose_free(struct compose **c);

/* When an invitation's event is. */
struct event_when {
	struct instant starts, ends;
};

/* Everything that differs from one delivery to the next. */
struct letter {
	const struct campaign *campaign;
	const struct message *message;
	int language;              /* index in house.languages */
	enum channel channel;
	const struct messenger *messenger;
	const char *messenger_name;    /* resolved: the manager's or ambassador's own name */
	const char *messenger_address; /* Reply-To; NULL: none */
	const struct person *to;
	const char *team;              /* its name, for who hands paper out; NULL: not known */
	const struct zone *zone;
	int64_t delivery;          /* id in the outbox */
	int64_t enrolment;
	const char *occurrence;    /* its key: "2026-11-24/3" */
	int64_t number, times;     /* the number-th of times (0: open end) */
	struct instant sent;       /* Date: header, DTSTAMP: the decision's time, so bytes repeat */
	struct instant expires;    /* of the answer links */
	int done_percent;          /* campaign.done_percent; -1 hidden */
	int64_t team_done;         /* team.done; -1 hidden */
	/* ---- of an invitation ---- */
	int sequence;              /* SEQUENCE: 0 the first, more with each update and withdrawal */
	bool cancel;               /* METHOD:CANCEL: only to, zone, event and language are needed */
	struct instant decided;    /* the event's day counts from here; 0: from sent */
	const struct event_when *event; /* when it is; NULL: as the message says */
};

/* Does the message use a live figure, so that it is not eligible while that is hidden? */
bool compose_uses_figures(const struct compose *c, const struct message *m);

/* Append to ret.  Never fail on a person's data: what cannot be shown is dropped. */
void compose_subject(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret); /* the heading, as plain text */
void compose_plain(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret);
void compose_html(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret); /* a page that stands alone: for print and previews */
void compose_email(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret); /* RFC 5322 with CRLF; calendar channel: the iMIP mail */
void compose_invite(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret); /* .ics with METHOD:REQUEST, or CANCEL */
/* The same as a calendar server keeps it: no METHOD (RFC 4791 4.1), and it writes no mails for us. */
void compose_stored(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret);
/* The invitation's UID: the same for its updates and its withdrawal. */
void compose_uid(const struct compose *c, const struct token_key *k, const struct letter *l,
    struct text *ret);
struct event_when compose_event(const struct letter *l);
/* A person's own feed: open, one event a letter, close.  Times in UTC. */
void compose_feed_open(const struct compose *c, struct text *ret);
void compose_feed_event(const struct compose *c, const struct token_key *k,
    const struct letter *l, struct text *ret);
void compose_feed_close(struct text *ret);
/* The request body of a chat format: JSON, for Zulip a form. */
void compose_chat(const struct compose *c, const struct token_key *k, const struct letter *l,
    enum chat_format format, struct text *ret);
/*
 * On paper: a letter (A4) at the first contact of a run, a reminder card (A6, what stands before
 * <!-- more -->) at the later ones.  A document holds sheets of one kind, each on a page of its own,
 * in one language or several; it loads nothing and runs nothing.  compose_html() of the print
 * channel is a document of one sheet.
 *
 * In this order: open, the logo of each campaign in it (once), perhaps a cover, sheets, close.
 */
enum paper { PAPER_LETTER, PAPER_CARD, PAPERS };
extern const char *const paper_names[PAPERS];
enum paper compose_paper(const struct letter *l);
void compose_print_open(const struct compose *c, enum paper paper, struct text *ret);
void compose_print_logo(const struct compose *c, const struct campaign *k, struct text *ret);
/* What a document holds: seen on the screen, never printed.  name "": people without a team. */
struct cover_team {
	const char *name;
	size_t sheets;
};
struct cover {
	enum paper paper;
	struct day day;
	int64_t number;            /* of the day's documents of this paper; else not positive */
	size_t sheets, n_teams;
	const struct cover_team *teams;
};
void compose_print_cover(const struct compose *c, const struct cover *cover, struct text *ret);
void compose_print_sheet(const struct compose *c, const struct token_key *k,
    const struct letter *l, enum paper paper, struct text *ret);
void compose_print_close(struct text *ret);
/* The sentence `key` of config/words in a language, else in the first; the key itself when absent. */
const char *compose_words(const struct compose *c, int language, const char *key);
#endif
