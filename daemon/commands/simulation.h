/* simulation.h - the engine on a virtual clock, with people who answer by the rules of a file. */
#ifndef NUDGED_COMMANDS_SIMULATION_H
#define NUDGED_COMMANDS_SIMULATION_H
#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "engine.h"

typedef void answer_fn(void *arg, const char *person, const char *run, const char *answer,
    struct instant at);
struct simulation {
	struct instant from, to;
	uint64_t seed;
	struct token_key key;
	const char *answers;   /* file, or NULL */
	const char *spool;     /* folder, or NULL */
	bool fresh;            /* forget what the state has so far: a simulation; else: a plan */
	decision_fn *on_decision;
	answer_fn *on_answer;  /* may be NULL, as on_decision */
	void *arg;
	int64_t decisions, answered; /* counted */
};
/* On a copy of the command's state, whose rule base it uses up.  An exit code. */
int simulation_run(struct command *c, struct simulation *s);
#endif
