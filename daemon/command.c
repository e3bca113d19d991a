#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "base/text.h"
#include "compose/compose.h"
#include "loop/doorbell.h"
#include "plan/zone.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/rulebase.h"
#include "store/db.h"

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

int
command_state(struct command *c)
{
	if (c->db != NULL)
		return 0;
	return db_open(c->settings.state, &c->db) < 0 ? EXIT_CANNOT : 0;
}

int
command_rules(struct command *c)
{
	SCOPED(findings_done) struct findings *f = findings_new(c->settings.rules);

	if (c->rb != NULL)
		return 0;
	if (rules_open(&c->settings, c->settings.rules, f, &c->rb, &c->compose) < 0)
		return EXIT_CANNOT;
	if (c->rb != NULL)
		return 0;
	findings_print_text(f, stderr, isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL);
	fprintf(stderr, "nudge: the rule base %s has %zu errors\n", c->settings.rules,
	    findings_errors(f));
	return EXIT_FINDINGS;
}

void
command_ring(const struct command *c)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/doorbell", c->settings.state);
	doorbell_ring(path, "look");
}

int
command_usage(const char *text, bool help)
{
	fputs(text, help ? stdout : stderr);
	return help ? EXIT_DONE : EXIT_USAGE;
}

static const struct option_slot *
slot_find(const struct option_slot *slots, const char *name, size_t len)
{
	for (; slots->name != NULL; slots++)
		if (strlen(slots->name) == len && strncmp(slots->name, name, len) == 0)
			return slots;
	return NULL;
}

bool
command_options(int *argc, char **argv, const struct option_slot *slots)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		const char *eq = strchr(argv[i], '=');
		size_t len = eq != NULL ? (size_t)(eq - argv[i]) : strlen(argv[i]);
		const struct option_slot *s;

		if (strncmp(argv[i], "--", 2) != 0) {
			argv[kept++] = argv[i];
			continue;
		}
		s = slot_find(slots, argv[i], len);
		if (s == NULL) {
			fprintf(stderr, "nudge: unknown option %.60s (--help shows what there is)\n", argv[i]);
			return false;
		}
		if (s->flag != NULL)
			*s->flag = true;
		else if (eq != NULL)
			*s->value = eq + 1;
		else if (i + 1 < *argc)
			*s->value = argv[++i];
		else {
			fprintf(stderr, "nudge: %s wants a value\n", s->name);
			return false;
		}
	}
	*argc = kept;
	return true;
}

bool
command_time(struct command *c, const char *option, const char *s, struct instant *ret)
{
	const struct zone *z = zone_find(c->rb != NULL ? c->rb->house.time_zone : "UTC");
	struct civil civil;

	if (instant_parse(s, ret))
		return true;
	if (z != NULL && civil_parse(s, &civil)) {
		*ret = zone_instant(z, civil);
		return true;
	}
	fprintf(stderr, "nudge: %s wants a date such as 2026-10-05 or 2026-10-05T09:30, not '%s'\n",
	    option, s);
	return false;
}

bool
command_end(struct command *c, const char *option, const char *s, struct instant *ret)
{
	struct day day;

	if (!command_time(c, option, s, ret))
		return false;
	if (day_parse(s, &day))
		*ret = instant_add(*ret, SPAN_OF(86399, 1));
	return true;
}

const struct campaign *
command_campaign(const struct command *c, const char *id)
{
	const struct campaign *k = rulebase_campaign(c->rb, id);
	const char *ids[200], *near;
	size_t n = 0;

	if (k != NULL)
		return k;
	for (; n < c->rb->n_campaigns && n < sizeof ids / sizeof *ids; n++)
		ids[n] = c->rb->campaigns[n].id;
	near = nearest_word(id, ids, n);
	fprintf(stderr, "nudge: there is no campaign '%.60s' in %s%s%s%s\n", id, c->settings.rules,
	    near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
	return NULL;
}
