/*
 * chat_format.h - the chat systems, one row each: what a text may be and how it is sent.
 *
 * A table and not nine writers: compose/ reads the limits and the markup, deliver/web/webhook.c how it
 * is posted and what an answer means.  Figures are from the systems' own documents (doc/chat.md
 * names each).
 */
#ifndef NUDGED_COMPOSE_CHAT_FORMAT_H
#define NUDGED_COMPOSE_CHAT_FORMAT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

enum chat_format { CHAT_SLACK, CHAT_MATTERMOST, CHAT_ROCKETCHAT, CHAT_TEAMS, CHAT_DISCORD,
	CHAT_GOOGLE, CHAT_MATRIX, CHAT_ZULIP, CHAT_NTFY, CHAT_GENERIC, CHAT_FORMATS };
extern const char *const chat_format_names[CHAT_FORMATS];

/* In what a system counts the length of a text. */
enum chat_unit { UNIT_BYTES, UNIT_POINTS, UNIT_UTF16 };

/*
 * What a text is written in.  RUNS is no markup at all: pieces of plain text that carry their style
 * in fields beside them.  The four Markdown dialects differ in how a character is kept from being
 * markup, since each system understands only some of the ways.
 */
enum chat_dialect {
	DIALECT_PLAIN,     /* no markup; a link is "label: address" */
	DIALECT_RUNS,      /* Slack's rich_text, the Adaptive Card's TextRun */
	DIALECT_HTML,      /* Matrix, Google Chat's cards */
	DIALECT_BACKSLASH, /* Discord: a backslash before any punctuation */
	DIALECT_CODED,     /* Mattermost: so too, but its server looks for @ after unescaping: `@` */
	DIALECT_ENTITY,    /* Zulip knows no backslash, but &#42; */
	DIALECT_TWINS,     /* Rocket.Chat knows neither: full-width characters */
	DIALECTS
};

/* Who writes the body: the shape of its JSON or form. */
enum chat_shape { SHAPE_BLOCKS, SHAPE_POST, SHAPE_CARD, SHAPE_CONTENT, SHAPE_CARDS_V2, SHAPE_EVENT,
	SHAPE_FORM, SHAPE_NOTICE, SHAPE_OWN, SHAPES };

/* What the secret of a hook is for. */
enum chat_auth { AUTH_URL, /* none: the address is the secret */ AUTH_BEARER, AUTH_BASIC,
	AUTH_SIGNED /* Standard Webhooks */ };

struct chat_row {
	const char *name;
	enum chat_shape shape;
	enum chat_dialect dialect;
	enum chat_unit unit;    /* of text_max */
	size_t text_max;        /* the text as a reader gets it, markup and small print included */
	size_t payload_max;     /* the whole request body in bytes; 0: no limit of its own */
	size_t title_max, label_max; /* code points */
	int buttons_max;        /* real buttons; answers beyond become links.  0: links only */
	int per_minute;         /* requests to one hook; 0: the system names no figure */
	const char *method, *content_type;
	const char *path;       /* put behind an address that is only a host; {to}, {key} are filled in */
	const char *query;      /* put behind a URL that lacks it */
	enum chat_auth auth;
	bool shown;             /* 2xx: people see it; false: accepted, and may yet be dropped */
	bool keyed;             /* repeats of the same key are harmless */
	bool to_person;         /* can address one person */
	const char *ok_field, *ok_value; /* JSON member that a good answer has with this value, or NULL */
	const char *wait_field; /* JSON member of a 429 that says how long */
	int64_t wait_unit_us;   /* of that member */
	const char *code_field; /* JSON member that names the error; "a.b" is b in a */
	const char *receipt_field; /* JSON member that names the message there */
	bool shared;            /* one address for many people: 403 and 404 may mean the one, not it */
};
extern const struct chat_row chat_rows[CHAT_FORMATS];

/*
 * Standard Webhooks: "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body".  A secret with
 * the prefix whsec_ is base64, any other is taken as it stands.  false: whsec_ without base64.
 */
bool chat_sign(const char *secret, const char *id, int64_t timestamp, const struct text *body,
    struct text *ret);
/* The value of an Authorization field: "Basic" and "name:password" in base64 (RFC 7617). */
void chat_basic(const struct text *user, struct text *ret);
#endif
