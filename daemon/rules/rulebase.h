/*
 * rulebase.h - what the rule files say, as an immutable value.
 *
 * A rule base is loaded whole, checked whole and swapped whole.  Everything hangs in one arena and
 * nothing in it changes after the load; a `const struct rulebase *` may be kept until the owner
 * swaps to another one.  Every value remembers its place, so that later checks (plan/rhythm_check,
 * compose/text_check) can point at it.
 */
#ifndef NUDGED_RULES_RULEBASE_H
#define NUDGED_RULES_RULEBASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "rules/vocabulary.h"

struct arena;
struct findings;

/* A position in a rule file; line and column count from 1, column in code points. */
struct place {
	const char *file; /* relative to the rule base; NULL when not from a file */
	int line, column;
};

/* One text in several languages, in the order of house.languages; text[i] NULL when absent. */
enum { LANGUAGES_MAX = 16 };
struct wording {
	const char *text[LANGUAGES_MAX];
	struct place place;
};

struct words {
	size_t n;
	const char **v;
};

/* "2 weeks", "every month", "30 minutes": count 0 means absent. */
struct period {
	int64_t count;
	enum period_unit unit;
};

/* Minutes of the day, from <= t < to; from > to runs over midnight; from == to: absent. */
struct window {
	int from, to; /* 0..1440 */
	struct place place;
};

/* ---- audience: a tree of conditions about a person ---- */
enum cond_kind {
	COND_ALL,    /* all kids hold */
	COND_NOT,    /* no kid holds: not: { a, b } excludes who matches any of them */
	COND_ANY_OF, /* the field's value is one of `values` */
	COND_RANGE,  /* min <= the field <= max; a number, or a date written as one */
};
struct cond {
	enum cond_kind kind;
	const char *field; /* a roster column, or "done": campaign ids; "stage", "role", "team" ... */
	struct words values;
	bool has_min, has_max, is_date;
	double min, max; /* is_date: days since 1970 */
	size_t n_kids;
	struct cond *kids;
	struct place place;
};

/* ---- house.yaml ---- */
enum messenger_from {
	MESSENGER_FIXED,      /* name and reply_to as written */
	MESSENGER_MANAGER,    /* from: team_manager */
	MESSENGER_AMBASSADOR, /* from: ambassadors; of the same team first */
};
struct messenger {
	const char *id, *name, *reply_to;
	enum messenger_from from;
	struct place place;
};

struct better_word {
	const char *avoid, *better;
};

struct house {
	size_t n_languages;
	const char *languages[LANGUAGES_MAX];
	const char *time_zone;
	struct words angles;
	size_t n_messengers;
	struct messenger *messengers;
	struct window quiet;
	uint8_t days_off; /* bit 0 Monday ... bit 6 Sunday */
	struct words holidays;             /* file names as written */
	const char **holiday_bytes;        /* their contents, one for each name, NUL-terminated */
	struct place *holiday_places;
	int64_t budget_week, budget_month; /* contacts; 0: no limit */
	struct span budget_gap;
	int64_t smallest_group; /* >= 15 */
	struct period keep_answers;
	const char *level;
	size_t n_avoid;
	struct better_word *avoid;
	struct words approvals;
	struct place place, zone_place;
	bool flawed; /* has errors: only a rule base that is being checked */
};

/* ---- campaigns ---- */
enum rhythm_kind {
	RHYTHM_EVERY,    /* every: 2 weeks, on, at, times */
	RHYTHM_AFTER,    /* after: [3 days, ...], then: every month; the default */
	RHYTHM_AROUND,   /* around: ATTRIBUTE, days: [-30, 0], yearly */
	RHYTHM_ON_EVENT, /* on_event: NAME, after: [5 minutes, 14 days] */
	RHYTHM_RRULE,    /* rrule: RFC 5545 */
};
struct rhythm {
	enum rhythm_kind kind;
	struct period every;
	uint8_t on; /* weekdays as in days_off; 0: any */
	struct window at;  /* absent: the whole day, as far as the rest rules leave it */
	int64_t times;     /* 0: without end */
	struct span late;  /* default 1 day */
	size_t n_after;
	struct period *after;
	struct period then; /* count 0: none */
	const char *around;
	size_t n_days;
	int32_t *days;
	bool yearly;
	const char *event;
	const char *rrule;
	struct place place;
};

struct answer {
	const char *id;      /* yes, thinking, no: the campaign's own word */
	const char *is;      /* outcome it counts as: signed_up, declined, done ...; or NULL */
	const char *thanks;  /* message id sent in return, or NULL */
	const char *stage;   /* stage of change the person moves to, or NULL */
	struct period next;  /* the next message not before this; count 0: rhythm as it is */
	struct place place;
};

enum follow_up { FOLLOW_NONE, FOLLOW_MESSAGE, FOLLOW_CHANGE, FOLLOW_SLOW, FOLLOW_STOP };

/* "+2 days 12:30" after the message's own day. */
struct event_time {
	bool set;
	int64_t days;
	int32_t second;       /* of the day */
	struct span length;
	const char *where;
	struct span alarm;    /* before the start; 0: none */
	struct place place;
};

/* Something about the moment: bounds of -1 mean unbounded. */
struct moment_tags {
	int first;                              /* -1 any, 0 no, 1 yes */
	int64_t repeat_min, repeat_max;         /* 1-based number of this contact */
	int64_t unanswered_min, unanswered_max; /* messages in a row without an answer */
	int answered, done;                     /* -1 any, 0 no, 1 yes */
};

/* A text in one language: body is Markdown without front matter. */
struct message_text {
	const char *body;    /* NULL: this language is absent */
	const char *file;    /* relative to the rule base */
	int body_line;       /* line of the body's first line in the file */
};

struct message {
	const char *id; /* lunch-walk */
	int index;      /* in its campaign; order of ids */
	int angle;      /* index in house.angles, -1 none */
	enum frame frame;
	unsigned functions; /* bit per enum bcw_function */
	struct words messengers; /* empty: all of the house */
	unsigned messenger_bits; /* the same by index in house.messengers */
	unsigned channels;       /* bit per enum channel; 0: all of the campaign */
	struct cond audience;    /* for: */
	struct moment_tags when;
	struct event_time event;
	bool story;
	bool follow_up; /* only sent because an answer or silence asks for it: not in the pool */
	struct message_text text[LANGUAGES_MAX];
	struct words ignore; /* codes silenced here */
	struct place place;
};

struct aim {
	const char *outcome;
	struct period within;
	double target; /* 0..1, -1 absent */
	const char *behaviour;
	unsigned lacks; /* bits: capability 1, opportunity 2, motivation 4 */
	struct place place;
};

enum trial_learn { LEARN_NONE, LEARN_ANGLE, LEARN_MESSAGE, LEARN_CHANNEL, LEARN_MESSENGER };

struct campaign {
	const char *id;
	int index;
	struct wording title, hook;
	const char *logo;            /* file name, or NULL */
	const char *logo_bytes;
	size_t logo_len;
	int64_t priority;            /* 1..9, 9 first */
	struct aim aim;
	struct cond audience;
	const char *audience_reason; /* LINT W131 */
	struct rhythm rhythm;
	unsigned weights[CHANNELS];  /* 0: not used */
	bool together;               /* channels go out together */
	size_t n_vary;
	enum vary_axis vary[VARY_AXES];
	size_t n_answers;
	struct answer *answers;
	int64_t unanswered_after;    /* 0: nothing said */
	enum follow_up unanswered_then;
	const char *unanswered_message;
	double holdout;              /* 0..1 */
	enum trial_learn learn;
	bool unit_team;              /* unit: team */
	size_t n_messages;
	struct message *messages;    /* sorted by id */
	struct words ignore;
	struct place place;
	bool flawed; /* campaign.yaml has errors: only a rule base that is being checked */
};

struct rulebase {
	struct house house;
	size_t n_campaigns;
	struct campaign *campaigns; /* sorted by id */
	char hash[65];              /* SHA-256 of all files, hexadecimal */
	struct arena *mem;
};

/*
 * Load every file below dir.  Everything that is wrong goes to `findings` (all files in one go).
 * 0: *ret is a rule base, or NULL when there were errors.  Negative: could not read at all.
 */
int rulebase_load(const char *dir, struct findings *findings, struct rulebase **ret);
/*
 * The same, but *ret is there also with errors, so that further checks can read what is sound in it
 * and all mistakes come in one go.  What is flawed is marked, and left alone by those checks.
 */
int rulebase_read(const char *dir, struct findings *findings, struct rulebase **ret);
void rulebase_free(struct rulebase **rb);

const struct campaign *rulebase_campaign(const struct rulebase *rb, const char *id);
const struct message *campaign_message(const struct campaign *c, const char *id);
const struct answer *campaign_answer(const struct campaign *c, const char *id);
int house_messenger(const struct house *h, const char *id); /* index or -1 */
int house_language(const struct house *h, const char *tag); /* index or -1; "nl-BE" finds nl */
/* The wording in a language, else in the house's first, else any; NULL when empty. */
const char *wording_in(const struct wording *w, int language);

#endif
