/*
 * An invitation's life on a virtual clock, for tests/system/invitations.py: the engine on a real state
 * folder, with a postman instead of the courier.
 *
 *   calendar_driver STATE RULES WAY OUT < LINES       WAY: smtp, caldav or spool
 *
 *   tick TIME                       everything that is due until then
 *   post FATE TIME                  take what waits for the calendar, write OUT/dROW.{eml,ics}, settle:
 *                                   delivered (receipt "ROW"), uncertain, again, never
 *   one FATE TIME                   the same of the first that waits
 *   take TIME                       lease what waits, write it and keep it in hand
 *   settle FATE TIME                the postman comes back with what is in hand
 *   rules DIR TIME                  swap to another rule base
 *   restart DIR TIME                another process, with that rule base
 *   cancel RUN TIME                 as HR does
 *   answer PERSON RUN ANSWER TIME   as a person does
 *   import FILE TIME                another roster
 *   forget PERSON TIME              erase
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "compose/compose.h"
#include "deliver/courier/courier.h"
#include "deliver/outbox/invitation.h"
#include "engine.h"
#include "people/people.h"
#include "plan/zone.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "runs.h"
#include "settings.h"
#include "store/db.h"

enum { WORDS = 6, HAND = 64 };
static const char lease[] = "the postman";

struct life {
	struct engine_options o;
	struct settings settings;
	struct engine *engine;
	struct instant now;
	const char *out;
	char spool[1024];
	struct arena *mem;
	struct delivery *hand;
	const char *why[HAND];
	size_t n_hand;
};

static int
rules_take(struct life *a, const char *dir, bool swap)
{
	struct findings *f = findings_new(dir);
	struct rulebase *rb;
	struct compose *compose;
	int rc = rules_open(&a->settings, dir, f, &rb, &compose);

	findings_print_text(f, stderr, false);
	findings_free(&f);
	if (rc < 0 || rb == NULL)
		return -1;
	if (swap)
		return engine_swap(a->engine, rb, compose, a->now);
	engine_free(&a->engine);
	return engine_new(&a->o, rb, compose, &a->engine);
}

static int
tick(struct life *a, struct instant until)
{
	struct instant next;

	if (a->now.us == 0) /* just started: this is the present */
		a->now = until;
	for (;;) {
		if (engine_tick(a->engine, a->now, &next) < 0)
			return -1;
		if (instant_before(until, next))
			break;
		a->now = instant_before(a->now, next) ? next : instant_add(a->now, SPAN_MINUTES(1));
	}
	a->now = until;
	return engine_tick(a->engine, a->now, &next);
}

static int
write_one(struct life *a, const struct delivery *d, const char **ret_why)
{
	static const char *const kinds[] = { "message", "update", "withdrawal" };
	struct package p = { .key = "" };
	char path[2048];
	int rc = engine_pack(a->engine, d, &p, ret_why);

	if (rc == 0 && *ret_why == NULL) {
		snprintf(path, sizeof path, "%s/d%08" PRId64 ".%s", a->out, d->row,
		    a->settings.ways[CHANNEL_CALENDAR] == WAY_SMTP ? "eml" : "ics");
		rc = file_write(path, text_string(&p.body), p.body.len, 0);
		printf("%" PRId64 " %s %" PRId64 " %s %s %s\n", d->row, kinds[d->kind], d->sequence,
		    p.recipient, p.key, d->receipt[0] != '\0' ? d->receipt : "-");
	}
	text_deinit(&p.body);
	return rc;
}

static int
take(struct life *a, size_t most)
{
	const struct lane lane = { CHANNEL_CALENDAR, "" };
	int rc = db_begin(a->o.db);

	arena_reset(a->mem);
	if (rc == 0)
		rc = outbox_expire(a->o.db, a->now);
	if (rc == 0)
		rc = outbox_claim(a->o.db, a->mem, &lane, a->now, lease,
		    a->settings.ways[CHANNEL_CALENDAR] == WAY_CALDAV, most, &a->hand, &a->n_hand);
	if (rc == 0)
		rc = db_commit(a->o.db);
	for (size_t i = 0; rc == 0 && i < a->n_hand; i++) {
		a->why[i] = NULL;
		rc = write_one(a, &a->hand[i], &a->why[i]);
	}
	return rc;
}

static int
settle(struct life *a, const char *fate)
{
	int f = parse_word(fate, fate_names, FATES), rc = 0;

	for (size_t i = 0; rc == 0 && i < a->n_hand; i++) {
		struct outcome o = { .fate = (enum fate)f, .reason = "" };

		if (a->why[i] != NULL) {
			o = (struct outcome){ .fate = FATE_OURS, .reason = a->why[i] };
			printf("%" PRId64 " dead %s\n", a->hand[i].row, a->why[i]);
		} else if (f == FATE_DELIVERED)
			snprintf(o.receipt, sizeof o.receipt, "\"%" PRId64 "\"", a->hand[i].row);
		rc = db_begin(a->o.db);
		if (rc == 0)
			rc = outbox_settle(a->o.db, a->hand[i].row, lease, &o, a->now,
			    instant_add(a->now, SPAN_MINUTES(1)));
		if (rc == 0)
			rc = db_commit(a->o.db);
	}
	a->n_hand = 0;
	return rc;
}

static bool
zone_known(const char *name)
{
	return zone_find(name) != NULL;
}

static int
import(struct life *a, const char *path)
{
	struct arena *mem = arena_new("roster", 64 << 20);
	struct roster_change change;
	struct roster roster;
	int rc = roster_read(mem, path, NULL, zone_known, stderr, &roster);

	if (rc == 0)
		rc = roster_apply(a->o.db, &roster, a->now, false, true, false, NULL, &change);
	arena_free(&mem);
	return rc;
}

static int
first(void *arg, struct db *db, const struct person *p, struct instant now)
{
	(void)arg;
	return invitations_erase(db, p->row, p->email, now);
}

static int
act(struct life *a, char w[WORDS][256], int n)
{
	struct instant until;

	if (n < 2 || !instant_parse(w[n - 1], &until))
		return 2;
	if (strcmp(w[0], "tick") == 0)
		return tick(a, until);
	a->now = until;
	if (strcmp(w[0], "post") == 0 || strcmp(w[0], "one") == 0)
		return take(a, w[0][0] == 'o' ? 1 : HAND) == 0 ? settle(a, w[1]) : 3;
	if (strcmp(w[0], "take") == 0)
		return take(a, HAND);
	if (strcmp(w[0], "settle") == 0)
		return settle(a, w[1]);
	if (strcmp(w[0], "rules") == 0 || strcmp(w[0], "restart") == 0)
		return rules_take(a, w[1], w[0][1] == 'u');
	if (strcmp(w[0], "cancel") == 0)
		return run_set_state(a->o.db, w[1], RUN_CANCELLED, a->now);
	if (strcmp(w[0], "answer") == 0)
		return engine_answer(a->engine, w[1], w[2], w[3], a->now);
	if (strcmp(w[0], "import") == 0)
		return import(a, w[1]);
	return strcmp(w[0], "forget") == 0 ? person_forget(a->o.db, w[1], a->now, first, NULL)
					: 2;
}

static int
live(struct life *a)
{
	char line[2048], w[WORDS][256];

	while (fgets(line, sizeof line, stdin) != NULL) {
		int n = sscanf(line, "%255s %255s %255s %255s %255s %255s", w[0], w[1], w[2], w[3], w[4],
		    w[5]);

		if (n > 0 && act(a, w, n) != 0) {
			fprintf(stderr, "failed: %s", line);
			return 3;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct life a;
	int way, rc;

	if (argc != 5 || (way = parse_word(argv[3], way_names, WAYS)) < 0)
		return 2;
	log_open("calendar_driver", LOG_WARNING);
	if (settings_load(NULL, argv[1], argv[2], &a.settings) != 0 ||
	    db_open(argv[1], &a.o.db) < 0 || token_key_load(argv[1], &a.o.key) < 0)
		return 4;
	a.settings.ways[CHANNEL_CALENDAR] = way;
	snprintf(a.spool, sizeof a.spool, "%s/spool", argv[1]);
	a.o.settings = &a.settings;
	a.o.spool = a.spool;
	a.o.seed = 1;
	a.o.networked = way != WAY_SPOOL;
	a.out = argv[4];
	a.mem = arena_new("hand", 64 << 20);
	rc = rules_take(&a, argv[2], false) == 0 ? live(&a) : 4;
	engine_free(&a.engine);
	db_close(&a.o.db);
	settings_deinit(&a.settings);
	arena_free(&a.mem);
	return rc;
}
