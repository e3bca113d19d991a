#include "runs.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/outbox/invitation.h"
#include "deliver/outbox/outbox.h"
#include "store/db.h"

static void
json_done(json_t **j)
{
	json_decref(*j);
}

bool
period_parse(const char *s, struct period *ret)
{
	char count[24] = "1", unit[24];
	int64_t n;

	if (strncmp(s, "every ", 6) == 0)
		s += 6;
	if (sscanf(s, "%20[0-9] %20[a-z]", count, unit) != 2 && sscanf(s, "%20[a-z]", unit) != 1)
		return false;
	if (strlen(unit) > 1 && unit[strlen(unit) - 1] == 's')
		unit[strlen(unit) - 1] = '\0';
	int u = parse_word(unit, unit_names, UNITS);

	if (u < 0 || !parse_int(count, 1, 10000, &n))
		return false;
	*ret = (struct period){ n, (enum period_unit)u };
	return true;
}

/* {"team": ["a", "b"]} as conditions that must all hold. */
static int
audience_read(struct arena *mem, const char *text, struct cond *ret)
{
	SCOPED(json_done) json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *key;
	json_t *list, *value;
	size_t i;

	*ret = (struct cond){ .kind = COND_ALL };
	if (!json_is_object(j))
		return FAIL(-EINVAL, "a run's audience is not a JSON object");
	ret->kids = arena_alloc(mem, json_object_size(j) + 1, sizeof *ret->kids);
	json_object_foreach (j, key, list) {
		struct cond *c = &ret->kids[ret->n_kids++];

		c->kind = COND_ANY_OF;
		c->field = arena_copy(mem, key);
		c->values.v = arena_alloc(mem, json_array_size(list) + 1, sizeof *c->values.v);
		json_array_foreach (list, i, value)
			if (json_is_string(value))
				c->values.v[c->values.n++] = arena_copy(mem, json_string_value(value));
	}
	return 0;
}

static int
audit(struct db *db, const char *action, const char *subject, const char *detail,
    struct instant now)
{
	return db_run(db,
	    "INSERT INTO audit(at, actor, action, subject, detail)"
	    " VALUES(?1, 'command', ?2, ?3, ?4)",
	    "isss", now.us, action, subject, detail);
}

static int
id_taken(struct db *db, const char *id, int64_t *ret)
{
	return db_int(db, ret, 0, "SELECT count(*) FROM run WHERE id = ?1", "s", id);
}

int
run_schedule(struct db *db, struct arena *mem, const struct run_order *order, struct instant now,
    const char **ret_id)
{
	SCOPED(db_leave) struct db *tx = db;
	char day[DAY_TEXT];
	const char *id = arena_printf(mem, "%s-%s", order->campaign, day_format(order->start, day));
	const char *base = id;
	int64_t taken = 0, n = 1;
	int rc = db_begin(db);

	if (rc == 0)
		rc = id_taken(db, id, &taken);
	while (rc == 0 && taken) {
		id = arena_printf(mem, "%s-%d", base, (int)++n);
		rc = id_taken(db, id, &taken);
	}
	if (rc == 0 && order->has_until)
		rc = db_run(db,
		    "INSERT INTO run(id, campaign, start_day, every, until_day, audience, state,"
		    " created_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
		    "ssisisi", id, order->campaign, (int64_t)order->start.n, order->every,
		    (int64_t)order->until.n, order->audience, now.us);
	else if (rc == 0)
		rc = db_run(db,
		    "INSERT INTO run(id, campaign, start_day, every, audience, state, created_at)"
		    " VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6)",
		    "ssissi", id, order->campaign, (int64_t)order->start.n, order->every,
		    order->audience, now.us);
	if (rc == 0)
		rc = audit(db, "schedule", id, order->audience, now);
	if (rc == 0)
		rc = db_commit(db);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

static int
state_of(struct db *db, const char *id, int64_t *ret_row, int64_t *ret_state)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	int rc = db_query(db, &s, "SELECT row, state FROM run WHERE id = ?1", "s", id);

	if (rc < 0 || (rc = stmt_step(s)) < 0)
		return rc;
	if (rc == STMT_DONE)
		return RUN_UNKNOWN;
	*ret_row = stmt_int(s, 0);
	*ret_state = stmt_int(s, 1);
	return RUN_DONE;
}

/* Roles of the house that have not signed this rule version for this run. */
static int
missing_roles(struct db *db, struct arena *mem, const struct rulebase *rb, int64_t run,
    const char **ret)
{
	const char *missing = "";

	for (size_t i = 0; i < rb->house.approvals.n; i++) {
		const char *role = rb->house.approvals.v[i];
		int64_t signed_it = 0;
		int rc = db_int(db, &signed_it, 0,
		    "SELECT count(*) FROM approval WHERE run = ?1 AND role = ?2 AND rules = ?3",
		    "iss", run, role, rb->hash);

		if (rc < 0)
			return rc;
		if (!signed_it)
			missing = arena_printf(mem, "%s%s%s", missing, *missing ? ", " : "", role);
	}
	*ret = missing;
	return 0;
}

int
run_approve(struct db *db, struct arena *mem, const struct rulebase *rb, const char *id,
    const char *role, struct instant now, const char **ret_missing)
{
	SCOPED(db_leave) struct db *tx = db;
	const char *missing = "";
	int64_t run, state;
	int rc = db_begin(db);

	if (rc == 0)
		rc = state_of(db, id, &run, &state);
	if (rc != 0)
		return rc;
	if (state != RUN_SCHEDULED && state != RUN_APPROVED)
		return RUN_REFUSED;
	rc = db_run(db,
	    "INSERT INTO approval(run, role, rules, at) VALUES(?1, ?2, ?3, ?4)"
	    " ON CONFLICT(run, role) DO UPDATE SET rules = excluded.rules, at = excluded.at",
	    "issi", run, role, rb->hash, now.us);
	if (rc == 0)
		rc = missing_roles(db, mem, rb, run, &missing);
	if (rc == 0 && *missing == '\0')
		rc = db_run(db, "UPDATE run SET state = 1, enrolled_at = NULL WHERE row = ?1", "i", run);
	if (rc == 0)
		rc = audit(db, "approve", id, role, now);
	if (rc == 0)
		rc = db_commit(db);
	if (rc == 0)
		*ret_missing = missing;
	return rc;
}

static bool
may_become(int64_t from, enum run_state to)
{
	switch (to) {
	case RUN_PAUSED:
		return from == RUN_APPROVED;
	case RUN_APPROVED:
		return from == RUN_PAUSED;
	case RUN_CANCELLED:
		return from == RUN_SCHEDULED || from == RUN_APPROVED || from == RUN_PAUSED;
	case RUN_SCHEDULED:
	case RUN_OVER:
	default:
		return false;
	}
}

int
run_set_state(struct db *db, const char *id, enum run_state to, struct instant now)
{
	SCOPED(db_leave) struct db *tx = db;
	int64_t run, state;
	int rc = db_begin(db);

	if (rc == 0)
		rc = state_of(db, id, &run, &state);
	if (rc != 0)
		return rc;
	if (!may_become(state, to))
		return RUN_REFUSED;
	rc = db_run(db, "UPDATE run SET state = ?2 WHERE row = ?1", "ii", run, (int64_t)to);
	if (rc == 0 && to == RUN_PAUSED)
		rc = outbox_hold(db);
	if (rc == 0 && to == RUN_APPROVED)
		rc = outbox_let_go(db, run);
	if (rc == 0 && to == RUN_CANCELLED) {
		rc = db_run(db,
		    "DELETE FROM due WHERE enrolment IN (SELECT row FROM enrolment WHERE run = ?1)",
		    "i", run);
		if (rc == 0)
			rc = outbox_cancel_run(db, run, "run-cancelled", now);
		if (rc == 0)
			rc = invitations_withdraw(db, INVITATIONS_OF_RUN, run, now);
	}
	if (rc == 0)
		rc = audit(db, run_state_names[to], id, "", now);
	return rc == 0 ? db_commit(db) : rc;
}

static int
run_read(struct stmt *s, struct arena *mem, const struct rulebase *rb, struct run *ret)
{
	*ret = (struct run){
		.row = stmt_int(s, 0),
		.id = stmt_copy(s, 1, mem),
		.campaign_id = stmt_copy(s, 2, mem),
		.start = { (int32_t)stmt_int(s, 3) },
		.has_until = !stmt_is_null(s, 5),
		.until = { (int32_t)stmt_int(s, 5) },
		.state = (enum run_state)stmt_int(s, 7),
		.enrolled_at = stmt_is_null(s, 8) ? INT64_MIN : stmt_int(s, 8),
		.quarantine = stmt_is_null(s, 9) ? NULL : stmt_copy(s, 9, mem),
	};
	if (*stmt_text(s, 4) != '\0' && !period_parse(stmt_text(s, 4), &ret->every))
		return FAIL(-EINVAL, "run %s: unreadable repeat", ret->id);
	ret->campaign = rb != NULL ? rulebase_campaign(rb, ret->campaign_id) : NULL;
	return audience_read(mem, stmt_text(s, 6), &ret->audience);
}

int
runs_load(struct db *db, struct arena *mem, const struct rulebase *rb, struct run **ret,
    size_t *ret_n)
{
	SCOPED(stmt_done) struct stmt *s = NULL;
	struct run *runs;
	int64_t count = 0;
	size_t n = 0;
	int rc = db_int(db, &count, 0, "SELECT count(*) FROM run", "");

	if (rc < 0)
		return rc;
	runs = arena_alloc(mem, (size_t)count + 1, sizeof *runs);
	rc = db_query(db, &s,
	    "SELECT row, id, campaign, start_day, every, until_day, audience, state, enrolled_at,"
	    " quarantine FROM run ORDER BY row LIMIT ?1",
	    "i", count);
	while (rc >= 0 && (rc = stmt_step(s)) == STMT_ROW)
		if ((rc = run_read(s, mem, rb, &runs[n])) == 0)
			n++;
		else
			return rc;
	if (rc < 0)
		return rc;
	*ret = runs;
	*ret_n = n;
	return 0;
}

int
run_is_approved(struct db *db, int64_t run)
{
	int64_t state = 0;
	int rc = db_int(db, &state, -1, "SELECT state FROM run WHERE row = ?1", "i", run);

	return rc < 0 ? rc : state == RUN_APPROVED ? 0 : RUN_REFUSED;
}

int
run_note_enrolled(struct db *db, int64_t run, int64_t changed_at)
{
	return db_run(db, "UPDATE run SET enrolled_at = ?2 WHERE row = ?1", "ii", run, changed_at);
}

int
run_note_quarantine(struct db *db, int64_t run, const char *why)
{
	return db_run(db, "UPDATE run SET quarantine = ?2 WHERE row = ?1", "is", run, why);
}

int
run_people(struct db *db, int64_t run, int64_t *ret)
{
	return db_int(db, ret, 0, "SELECT count(*) FROM enrolment WHERE run = ?1", "i", run);
}

int
runs_look_again(struct db *db)
{
	return db_run(db, "UPDATE run SET enrolled_at = NULL WHERE state = 1", "");
}
