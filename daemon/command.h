/* command.h - what the sub-commands of nudge share: global options, exit codes, opened state. */
#ifndef NUDGED_COMMAND_H
#define NUDGED_COMMAND_H
#include <stdbool.h>
#include <stdio.h>

#include "base/when.h"
#include "settings.h"

struct campaign;
struct compose;
struct db;
struct engine;
struct rulebase;

enum { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_CANNOT = 3 };

struct command {
	struct settings settings;
	struct instant now;   /* the one reading of the clock */
	struct db *db;        /* NULL until command_state() */
	struct rulebase *rb;  /* NULL until command_rules() */
	struct compose *compose;
};

/* Open the state (0) or say why not (an exit code). */
int command_state(struct command *c);
/* Load and check the rule base; findings with errors are printed to stderr. */
int command_rules(struct command *c);
/* Tell a running daemon to look at once; silent when none runs. */
void command_ring(const struct command *c);
/* "usage: nudge NAME ..." to stderr (or stdout for --help); EXIT_USAGE, or EXIT_DONE for --help. */
int command_usage(const char *text, bool help);
/*
 * Read options of the form --name VALUE into the slots of a NULL-ended table and leave the other
 * arguments in argv; false: an unknown option or a missing value, which has been said.
 */
struct option_slot {
	const char *name;   /* "--tz" */
	const char **value; /* takes a value, or NULL */
	bool *flag;         /* is a switch, or NULL */
};
bool command_options(int *argc, char **argv, const struct option_slot *slots);
/* "2026-11-24" or with time; in the zone of the house when it has none.  Says so when wrong. */
bool command_time(struct command *c, const char *option, const char *s, struct instant *ret);

/* The same; a date alone means the end of that day. */
bool command_end(struct command *c, const char *option, const char *s, struct instant *ret);
/* The campaign, or NULL with a word about it and the nearest one. */
const struct campaign *command_campaign(const struct command *c, const char *id);

typedef int command_fn(struct command *c, int argc, char **argv);
command_fn cmd_check, cmd_schema, cmd_people, cmd_schedule, cmd_approve, cmd_pause, cmd_resume,
    cmd_cancel, cmd_runs, cmd_when, cmd_plan, cmd_preview, cmd_simulate, cmd_event, cmd_answer,
    cmd_why, cmd_status, cmd_queue, cmd_render, cmd_reload, cmd_demo, cmd_clock_ok, cmd_test_send;
#endif
