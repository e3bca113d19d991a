/*
 * Paper: what waits for the printer becomes files of up to 100 sheets, letters and cards apart.
 *
 * Sheets wait in the outbox, where a stop still reaches them, until the hour of printing of a working
 * day; without such an hour what falls due in one tick is a batch.  Each file is written once, in four
 * steps:
 *
 *   leased ──▶ a draft, on the disk ──▶ settled, with the file's name (one commit) ──▶ named
 *
 * Who dies before the commit finds the sheets waiting again, and the draft, which nobody saw, is
 * thrown away; who dies after it finds a draft to which only its name must be given.  So a sheet is
 * in exactly one file that has a name, and such a file never changes: a batch is closed when it is
 * seen.  What comes later goes into the next one.
 */
#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/spool/spool.h"
#include "engine/parts.h"
#include "people/people.h"
#include "settings.h"
#include "store/db.h"

enum { SHEETS_MOST = 100, SHEETS_LOOK = 10000, DAYS_LOOK = 14 };

static const char *const kinds[PAPERS] = { [PAPER_LETTER] = "letters", [PAPER_CARD] = "cards" };

static const struct zone *
house_zone(const struct engine *e)
{
	const struct zone *z = zone_find(e->rb->house.time_zone);

	return z != NULL ? z : zone_find("UTC");
}

struct instant
batch_moment(const struct engine *e, struct instant now)
{
	const struct own_times nobody = { 0 };
	const struct zone *z = house_zone(e);
	struct day today = zone_civil(z, now).day;

	for (int32_t i = 0; i < DAYS_LOOK; i++) {
		struct day d = day_add(today, i);
		struct instant at =
		    zone_instant(z, (struct civil){ d, e->o.settings->print_at * 60 });

		if (!instant_before(at, now) && rest_day(e->rest, &nobody, d) == REST_NONE)
			return at;
	}
	return now;
}

/* ---- one file ---- */

struct page {
	struct batch batch;
	struct delivery *rows;
	size_t n;
	const char **why; /* NULL: its sheet is in the file */
	struct cover_team teams[SHEETS_MOST];
	size_t n_teams;
	bool *logos;      /* by campaign: its logo is in the file */
	struct text logo, sheets;
};

static void
page_deinit(struct page *p)
{
	text_deinit(&p->logo);
	text_deinit(&p->sheets);
}

static void
team_count(struct page *p, const char *name)
{
	if (p->n_teams == 0 || strcmp(p->teams[p->n_teams - 1].name, name) != 0)
		p->teams[p->n_teams++] = (struct cover_team){ name, 0 };
	p->teams[p->n_teams - 1].sheets++;
}

static int
sheet_put(struct engine *e, struct page *p, size_t i)
{
	struct letter l;
	int rc = delivery_open(e, &p->rows[i], &l, &p->why[i]);

	if (rc < 0 || p->why[i] != NULL)
		return rc;
	if (!p->logos[l.campaign->index])
		compose_print_logo(e->compose, l.campaign, &p->logo);
	p->logos[l.campaign->index] = true;
	compose_print_sheet(e->compose, &e->o.key, &l, p->batch.paper, &p->sheets);
	team_count(p, l.team != NULL ? l.team : "");
	p->batch.sheets++;
	return 0;
}

static int
page_lease(struct engine *e, struct page *p, const struct sheet *sheets, size_t n,
    struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int64_t rows[SHEETS_MOST];
	int rc = db_begin(e->o.db);

	for (size_t i = 0; i < n; i++)
		rows[i] = sheets[i].row;
	if (rc == 0)
		rc = outbox_claim_those(e->o.db, e->mem, rows, n, now, e->lease, &p->rows, &p->n);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static void
batch_name(const struct batch *b, char name[static SPOOL_NAME])
{
	if (b->number < 0)
		spool_name(b->day, -b->number, CHANNEL_PRINT, name);
	else
		spool_print_name(b->day, kinds[b->paper], b->number, name);
}

/* Its file is named by it: it is delivered and cannot come back, as one that is dead could. */
static int64_t
first_sheet(const struct page *p)
{
	size_t i = 0;

	while (i + 1 < p->n && p->why[i] != NULL)
		i++;
	return p->rows[i].row;
}

/* A number of the day that no file has, also not one of a store that was put back from a backup. */
static int
page_name(struct engine *e, struct page *p, char name[static SPOOL_NAME])
{
	struct batch *b = &p->batch;
	int rc = 0;

	if (e->o.settings->print_at == PRINT_AT_ONCE)
		b->number = -first_sheet(p);
	else
		rc = batch_number(e->o.db, b->day, b->paper, &b->number);
	if (rc < 0)
		return rc;
	for (;; b->number++) {
		batch_name(b, name);
		if (b->number < 0 || !spool_has(e->o.spool, name))
			return 0;
	}
}

static int
page_draft(struct engine *e, const struct page *p)
{
	SCOPED(text_deinit) struct text all = { 0 };
	const struct batch *b = &p->batch;
	const struct cover cover = { .paper = b->paper, .day = b->day, .number = b->number,
		.sheets = b->sheets, .n_teams = p->n_teams, .teams = p->teams };

	compose_print_open(e->compose, b->paper, &all);
	text_add(&all, text_string(&p->logo), p->logo.len);
	compose_print_cover(e->compose, &cover, &all);
	text_add(&all, text_string(&p->sheets), p->sheets.len);
	compose_print_close(&all);
	return spool_draft(e->o.spool, &all, e->o.durable);
}

static int
page_settle(struct engine *e, const struct page *p, const char *name, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	for (size_t i = 0; rc == 0 && i < p->n; i++) {
		struct outcome o = { .fate = p->why[i] == NULL ? FATE_DELIVERED : FATE_OURS,
			.reason = p->why[i] };

		if (p->why[i] == NULL)
			snprintf(o.receipt, sizeof o.receipt, "%s", name);
		rc = outbox_settle(e->o.db, p->rows[i].row, e->lease, &o, now, now);
		if (rc == 0)
			rc = erased_remove(e, &p->rows[i], name, now);
	}
	if (rc == 0 && p->batch.sheets > 0)
		rc = batch_add(e->o.db, &p->batch, now);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static int
page_write(struct engine *e, const struct sheet *sheets, size_t n, struct instant now)
{
	SCOPED(page_deinit) struct page p = {
		.batch = { .paper = sheets[0].paper, .day = zone_civil(house_zone(e), now).day } };
	char name[SPOOL_NAME] = "";
	int rc = page_lease(e, &p, sheets, n, now);

	if (rc < 0 || p.n == 0)
		return rc;
	p.why = arena_alloc(e->mem, p.n, sizeof *p.why);
	p.logos = arena_alloc(e->mem, e->rb->n_campaigns + 1, sizeof *p.logos);
	for (size_t i = 0; rc == 0 && i < p.n; i++)
		rc = sheet_put(e, &p, i);
	if (rc == 0 && p.batch.sheets > 0)
		rc = page_name(e, &p, name);
	if (rc == 0 && p.batch.sheets > 0)
		rc = page_draft(e, &p);
	return rc == 0 ? page_settle(e, &p, name, now) : rc;
}

/* ---- all that wait ---- */

/* Whatever draft there is gets its name, or goes. */
static int
draft_end(struct engine *e)
{
	char name[SPOOL_NAME];
	struct batch b;
	int rc = batch_unpublished(e->o.db, &b);

	if (rc > 0)
		rc = spool_draft_drop(e->o.spool);
	else if (rc == 0) {
		batch_name(&b, name);
		rc = spool_publish(e->o.spool, name, e->o.durable);
		if (rc == 0)
			rc = batch_published(e->o.db, b.row);
	}
	e->draft_ended = rc == 0;
	return rc;
}

static int
expire(struct engine *e, struct instant now)
{
	SCOPED(db_leave) struct db *tx = e->o.db;
	int rc = db_begin(e->o.db);

	if (rc == 0)
		rc = outbox_expire(e->o.db, now);
	return rc == 0 ? db_commit(e->o.db) : rc;
}

static size_t
same_paper(const struct sheet *sheets, size_t n)
{
	size_t i = 1;

	while (i < n && i < SHEETS_MOST && sheets[i].paper == sheets[0].paper)
		i++;
	return i;
}

int
batches_write(struct engine *e, struct instant now)
{
	const struct lane lane = { CHANNEL_PRINT, "" };
	struct sheet *sheets;
	struct instant next;
	size_t n, some;
	int rc = e->draft_ended ? 0 : draft_end(e);

	if (rc == 0)
		rc = outbox_next(e->o.db, &lane, &next);
	if (rc < 0 || instant_before(now, next))
		return rc;
	rc = expire(e, now);
	sheets = arena_alloc(e->tick_mem, SHEETS_LOOK, sizeof *sheets);
	n = SHEETS_LOOK;
	while (rc == 0 && n == SHEETS_LOOK) {
		rc = sheets_due(e->o.db, now, SHEETS_LOOK, sheets, &n);
		for (size_t i = 0; rc == 0 && i < n; i += some) {
			some = same_paper(sheets + i, n - i);
			e->draft_ended = false;
			rc = page_write(e, sheets + i, some, now);
			arena_reset(e->mem);
			if (rc == 0)
				rc = draft_end(e);
		}
	}
	return rc;
}
