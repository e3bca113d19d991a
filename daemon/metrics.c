#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"
#include "deliver/courier/courier.h"
#include "deliver/outbox/outbox.h"

static void
family(struct text *t, const char *name, const char *type, const char *help)
{
	text_addf(t, "# HELP nudged_%s %s\n# TYPE nudged_%s %s\n", name, help, name, type);
}

static void
label_put(struct text *t, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			text_putc(t, '\\');
		text_putc(t, *value == '\n' ? ' ' : *value);
	}
}

/* What a destination's families read. */
struct figure {
	const char *name, *type, *help;
	int64_t (*of)(const struct destination *d, int active);
};
static int64_t
is_up(const struct destination *d, int active)
{
	(void)active;
	return d->circuit == CIRCUIT_CLOSED || d->circuit == CIRCUIT_RESTING;
}
static int64_t
now_active(const struct destination *d, int active)
{
	(void)d;
	return active;
}
static int64_t
all_delivered(const struct destination *d, int active)
{
	(void)active;
	return d->delivered;
}
static int64_t
all_postponed(const struct destination *d, int active)
{
	(void)active;
	return d->postponed;
}
static int64_t
all_dead(const struct destination *d, int active)
{
	(void)active;
	return d->dead;
}
static int64_t
all_uncertain(const struct destination *d, int active)
{
	(void)active;
	return d->uncertain;
}
static const struct figure figures[] = {
	{ "destination_up", "gauge", "1 while the circuit of a destination is closed.", is_up },
	{ "destination_connections", "gauge", "Connections or requests open now.", now_active },
	{ "destination_delivered_total", "counter", "Deliveries it took.", all_delivered },
	{ "destination_postponed_total", "counter", "Attempts it put off.", all_postponed },
	{ "destination_dead_total", "counter", "Deliveries it will never take.", all_dead },
	{ "destination_uncertain_total", "counter", "Deliveries it may have taken.", all_uncertain },
};

struct writing {
	struct text *t;
	const struct figure *figure;
};
static void
destination_put(void *arg, const char *name, const struct destination *d, int active)
{
	struct writing *w = arg;

	text_addf(w->t, "nudged_%s{destination=\"", w->figure->name);
	label_put(w->t, name);
	text_addf(w->t, "\"} %" PRId64 "\n", w->figure->of(d, active));
}

int
metrics_write(const char *path, bool others, struct db *db, const struct courier *courier,
    const struct figures_now *f)
{
	SCOPED(text_deinit) struct text t = { 0 };
	int64_t counts[DELIVERY_STATES];
	int rc = outbox_count(db, counts);

	if (rc < 0)
		return rc;
	family(&t, "deliveries", "gauge", "Rows of the outbox by state.");
	for (int i = 0; i < DELIVERY_STATES; i++)
		text_addf(&t, "nudged_deliveries{state=\"%s\"} %" PRId64 "\n", delivery_state_names[i],
		    counts[i]);
	for (size_t i = 0; courier != NULL && i < sizeof figures / sizeof *figures; i++) {
		family(&t, figures[i].name, figures[i].type, figures[i].help);
		courier_each(courier, destination_put, &(struct writing){ &t, &figures[i] });
	}
	family(&t, "ticks_total", "counter", "Times the engine did what was due.");
	text_addf(&t, "nudged_ticks_total %" PRId64 "\n", f->ticks);
	family(&t, "reloads_failed_total", "counter", "Rule bases refused since the start.");
	text_addf(&t, "nudged_reloads_failed_total %" PRId64 "\n", f->reloads_failed);
	family(&t, "rules_info", "gauge", "The rule base in force.");
	text_addf(&t, "nudged_rules_info{hash=\"%.12s\"} 1\n", f->rules);
	family(&t, "start_time_seconds", "gauge", "When the service started.");
	text_addf(&t, "nudged_start_time_seconds %" PRId64 "\n", instant_floor(f->started));
	family(&t, "written_time_seconds", "gauge", "When these figures were written.");
	text_addf(&t, "nudged_written_time_seconds %" PRId64 "\n", instant_floor(f->now));
	rc = file_write(path, t.s, t.len, 0);
	if (rc == 0 && others && chmod(path, 0644) < 0)
		rc = FAIL(-errno, "%s: %s", path, strerror(errno));
	return rc;
}
