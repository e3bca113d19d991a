/* The command: global options, then one of the table.  nudge(1). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "command.h"
#include "compose/compose.h"
#include "rules/rulebase.h"
#include "store/db.h"

static const struct {
	const char *name;
	command_fn *run;
	const char *what;
} commands[] = {
	{ "check", cmd_check, "read the rule base and say what is wrong with it" },
	{ "schema", cmd_schema, "the JSON Schema of campaign.yaml, for editors" },
	{ "people", cmd_people, "the roster: import, list, show, export, forget" },
	{ "schedule", cmd_schedule, "plan a run of a campaign" },
	{ "approve", cmd_approve, "sign a run" },
	{ "pause", cmd_pause, "hold a run" },
	{ "resume", cmd_resume, "go on with it" },
	{ "cancel", cmd_cancel, "end a run for good" },
	{ "runs", cmd_runs, "all runs with their state" },
	{ "when", cmd_when, "the moments of a rhythm or rule" },
	{ "plan", cmd_plan, "what will go out" },
	{ "preview", cmd_preview, "a message as a person gets it" },
	{ "simulate", cmd_simulate, "the same engine on a virtual clock" },
	{ "event", cmd_event, "tell that something happened to a person" },
	{ "answer", cmd_answer, "record a person's answer" },
	{ "why", cmd_why, "why a person got what they got, or did not" },
	{ "status", cmd_status, "how things are; --deep checks every invariant" },
	{ "queue", cmd_queue, "deliveries by state" },
	{ "clock-ok", cmd_clock_ok, "say that the clock of this machine is right" },
	{ "render", cmd_render, "fill a Mustache template" },
	{ "test-send", cmd_test_send, "send one message now, to try the servers" },
	{ "reload", cmd_reload, "tell the daemon to read the rule base again" },
	{ "demo", cmd_demo, "the demo organisation, from roster to messages" },
};

static int
help(FILE *out)
{
	fputs("usage: nudge [--config FILE] [--state DIR] [--rules DIR] COMMAND ...\n\n", out);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
	fputs("\nnudge COMMAND --help tells more.\n", out);
	return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int
unknown(const char *name)
{
	const char *names[sizeof commands / sizeof *commands], *near;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		names[i] = commands[i].name;
	near = nearest_word(name, names, sizeof commands / sizeof *commands);
	fprintf(stderr, "nudge: there is no command '%.40s'", name);
	if (near == NULL) {
		fputs("\n", stderr);
		return help(stderr);
	}
	fprintf(stderr, ": did you mean '%s'?\n", near);
	return EXIT_USAGE;
}

/* Options before the command; the index of the command, 0 when something is wrong with them. */
static int
global_options(int argc, char **argv, const char **config, const char **state, const char **rules)
{
	int i = 1;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		const char **into = strcmp(argv[i], "--config") == 0 ? config
		    : strcmp(argv[i], "--state") == 0		     ? state
		    : strcmp(argv[i], "--rules") == 0		     ? rules
								     : NULL;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0)
			return i;
		if (into == NULL || i + 1 >= argc) {
			fprintf(stderr, "nudge: %s %.60s\n", into == NULL ? "unknown option" : "a value is missing after",
			    argv[i]);
			return 0;
		}
		*into = argv[i + 1];
		i += 2;
	}
	return i;
}

static int
run(command_fn *fn, struct command *c, int argc, char **argv)
{
	int rc = fn(c, argc, argv);

	compose_free(&c->compose);
	rulebase_free(&c->rb);
	db_close(&c->db);
	settings_deinit(&c->settings);
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_CANNOT;
	return rc;
}

int
main(int argc, char **argv)
{
	struct command c = { .now = clock_now() };
	const char *config = NULL, *state = NULL, *rules = NULL;
	int i, rc;

	umask(077);
	log_open("nudge", LOG_NOTICE);
	i = global_options(argc, argv, &config, &state, &rules);
	if (i == 0 || i >= argc)
		return help(stderr);
	if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "help") == 0)
		return help(stdout);
	if (strcmp(argv[i], "--version") == 0) {
		puts("nudge " PACKAGE_VERSION);
		return EXIT_DONE;
	}
	rc = settings_load(config, state, rules, &c.settings);
	if (rc != 0)
		return rc < 0 ? EXIT_CANNOT : EXIT_FINDINGS;
	for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
		if (strcmp(commands[k].name, argv[i]) == 0)
			return run(commands[k].run, &c, argc - i - 1, argv + i + 1);
	settings_deinit(&c.settings);
	return unknown(argv[i]);
}
