/* check, schema, when, render, reload: everything about rule files and nothing about people. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "compose/compose.h"
#include "compose/template.h"
#include "loop/doorbell.h"
#include "plan/rhythm.h"
#include "plan/zone.h"
#include "ruleload.h"
#include "rules/findings.h"
#include "rules/schema.h"

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

int
cmd_check(struct command *c, int argc, char **argv)
{
	const char *format = "text", *dir = c->settings.rules;
	bool help = false;
	const struct option_slot slots[] = { { "--format", &format, NULL },
		{ "--help", NULL, &help }, { NULL, NULL, NULL } };
	bool json;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	json = strcmp(format, "json") == 0;
	if (help || argc > 1 || (!json && strcmp(format, "text") != 0))
		return command_usage("usage: nudge check [DIR] [--format text|json]\n\n"
				     "Read a rule base and say everything that is wrong with it.\n",
		    help);
	if (argc == 1)
		dir = argv[0];
	SCOPED(findings_done) struct findings *f = findings_new(dir);

	if (rules_open(&c->settings, dir, f, &c->rb, &c->compose) < 0)
		return EXIT_CANNOT;
	if (json)
		findings_print_json(f, stdout);
	else
		findings_print_text(
		    f, stdout, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	fprintf(stderr, "%zu error%s, %zu warning%s\n", findings_errors(f),
	    findings_errors(f) == 1 ? "" : "s", findings_warnings(f), findings_warnings(f) == 1 ? "" : "s");
	return findings_errors(f) > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

int
cmd_schema(struct command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };

	(void)c;
	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage(
		    "usage: nudge schema\n\nThe JSON Schema of campaign.yaml, for editors.\n", help);
	rules_schema(stdout);
	return EXIT_DONE;
}

int
cmd_reload(struct command *c, int argc, char **argv)
{
	char path[4096];
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage("usage: nudge reload\n\nCheck the rule base, then tell the daemon"
				     " to use it.\n",
		    help);
	if ((rc = command_rules(c)) != 0)
		return rc;
	snprintf(path, sizeof path, "%s/doorbell", c->settings.state);
	if (doorbell_ring(path, "reload") != 0) {
		fprintf(stderr, "nudge: no nudged is at work on %s; it will read the rules at its start\n",
		    c->settings.state);
		return EXIT_FINDINGS;
	}
	printf("rule base %.12s is good; the daemon was told\n", c->rb->hash);
	return EXIT_DONE;
}

/* ---- when ---- */

struct when_order {
	const struct zone *zone;
	struct civil start, until;
	bool is_date; /* the start has no time of day */
	bool has_until;
	int64_t count;
};

static void
print_wall(const struct when_order *o, struct civil c)
{
	struct instant t = zone_instant(o->zone, c);
	char line[INSTANT_TEXT];

	puts(instant_format(t, zone_offset(o->zone, t), line));
}

static int
when_rule(const struct when_order *o, const char *rule)
{
	char reason[160];
	struct rrule *r = o->is_date ?
	    rrule_new(rule, o->start.day, reason, sizeof reason) :
	    rrule_new_timed(rule, o->start, o->zone, reason, sizeof reason);
	struct civil c;

	if (r == NULL) {
		fprintf(stderr, "nudge: the rule is refused: %s\n", reason);
		return EXIT_FINDINGS;
	}
	if (reason[0] != '\0')
		fprintf(stderr, "nudge: %s\n", reason);
	for (int64_t i = 0; i < o->count && rrule_next(r, &c) == 0; i++) {
		if (o->has_until && civil_compare(o->until, c) < 0)
			break;
		print_wall(o, c);
	}
	rrule_free(&r);
	return EXIT_DONE;
}

static int
when_campaign(struct command *c, const struct when_order *o, const char *id)
{
	const struct campaign *k = command_campaign(c, id);
	struct series *s;
	struct moment m;

	if (k == NULL)
		return EXIT_FINDINGS;
	s = series_new(&k->rhythm, o->start);
	for (int64_t i = 0; i < o->count && series_moment(s, i, &m) == 0; i++) {
		if (o->has_until && civil_compare(o->until, m.from) < 0)
			break;
		print_wall(o, m.from);
	}
	series_free(&s);
	return EXIT_DONE;
}

static const char when_usage[] =
    "usage: nudge when CAMPAIGN|--rrule RULE --start LOCAL [--tz ZONE] [--count N]\n"
    "                  [--until LOCAL]\n"
    "\n"
    "The moments of a campaign's rhythm, or of an RFC 5545 rule, one a line.\n"
    "A rule is of daily or coarser frequency; --start with a time of day gives its BYHOUR a say.\n";

int
cmd_when(struct command *c, int argc, char **argv)
{
	const char *rule = NULL, *start = NULL, *tz = NULL, *count = "20", *until = NULL;
	bool help = false;
	const struct option_slot slots[] = { { "--rrule", &rule, NULL }, { "--start", &start, NULL },
		{ "--tz", &tz, NULL }, { "--count", &count, NULL }, { "--until", &until, NULL },
		{ "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct when_order o = { 0 };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != (rule == NULL) || start == NULL)
		return command_usage(when_usage, help);
	if (!civil_parse(start, &o.start) || (until != NULL && !civil_parse(until, &o.until)) ||
	    !parse_int(count, 1, 100000, &o.count)) {
		fprintf(stderr, "nudge: --start and --until want 2026-10-05T09:30, --count 1 to 100000\n");
		return EXIT_USAGE;
	}
	o.is_date = strchr(start, ':') == NULL;
	o.has_until = until != NULL;
	/* "until 2026-12-31" means the end of that day. */
	if (until != NULL && strchr(until, ':') == NULL)
		o.until.second = 86399;
	if (rule == NULL && (rc = command_rules(c)) != 0)
		return rc;
	o.zone = zone_find(tz != NULL ? tz : c->rb != NULL ? c->rb->house.time_zone : "Europe/Amsterdam");
	if (o.zone == NULL) {
		fprintf(stderr, "nudge: '%s' is not a time zone such as Europe/Amsterdam\n",
		    tz != NULL ? tz : "");
		return EXIT_USAGE;
	}
	return rule != NULL ? when_rule(&o, rule) : when_campaign(c, &o, argv[0]);
}

/* ---- render ---- */

enum { TEMPLATE_BYTES = 16 << 20, PARTIALS_MAX = 256 };

/* Partials stay until the end: the template's tokens point into them. */
struct partials {
	const char *folder;
	size_t n;
	struct text text[PARTIALS_MAX];
	char name[PARTIALS_MAX][256];
};

static const char *
partial_find(void *arg, const char *name)
{
	struct partials *p = arg;
	char path[4096];

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->name[i], name) == 0)
			return text_string(&p->text[i]);
	if (p->n == PARTIALS_MAX || strchr(name, '/') != NULL || strlen(name) > 200)
		return NULL;
	snprintf(path, sizeof path, "%s/%s.mustache", p->folder, name);
	if (file_read_quiet(path, TEMPLATE_BYTES, &p->text[p->n]) != 0)
		return NULL;
	snprintf(p->name[p->n], sizeof p->name[p->n], "%s", name);
	return text_string(&p->text[p->n++]);
}

static int
render(const char *path, const char *data_path, struct partials *p)
{
	SCOPED(text_deinit) struct text source = { 0 };
	SCOPED(text_deinit) struct text out = { 0 };
	SCOPED(arena_free) struct arena *mem = arena_new("render", 256 << 20);
	struct template_error err;
	struct template *t;
	json_error_t bad;
	json_t *data;
	int rc;

	if (file_read(path, TEMPLATE_BYTES, &source) != 0) {
		fprintf(stderr, "nudge: %s cannot be read\n", path);
		return EXIT_CANNOT;
	}
	data = json_load_file(data_path, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &bad);
	if (data == NULL) {
		fprintf(stderr, "%s:%d:%d: error: %s\n", data_path, bad.line, bad.column, bad.text);
		return EXIT_FINDINGS;
	}
	t = template_compile(mem, text_string(&source), source.len, &err);
	if (t == NULL) {
		fprintf(stderr, "%s:%d:%d: error[E007]: %s\n", path, err.line, err.column, err.what);
		json_decref(data);
		return EXIT_FINDINGS;
	}
	rc = template_render_json(t, data, partial_find, p, &out);
	json_decref(data);
	if (rc < 0) {
		fprintf(stderr, "nudge: a partial is broken, or they nest deeper than 64\n");
		return EXIT_FINDINGS;
	}
	fwrite(text_string(&out), 1, out.len, stdout);
	return EXIT_DONE;
}

int
cmd_render(struct command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct partials *p;
	char folder[4096];
	const char *slash;
	int rc;

	(void)c;
	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 2)
		return command_usage("usage: nudge render TEMPLATE.mustache DATA.json\n\n"
				     "Partials are NAME.mustache beside the template.\n",
		    help);
	slash = strrchr(argv[0], '/');
	snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - argv[0]) : 1,
	    slash != NULL ? argv[0] : ".");
	p = calloc(1, sizeof *p);
	if (p == NULL)
		abort();
	p->folder = folder;
	rc = render(argv[0], argv[1], p);
	for (size_t i = 0; i < PARTIALS_MAX; i++)
		text_deinit(&p->text[i]);
	free(p);
	return rc;
}
