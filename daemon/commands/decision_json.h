/* decision_json.h - a decision as the JSON line of DESIGN.md 7 and as a line for people. */
#ifndef NUDGED_COMMANDS_DECISION_JSON_H
#define NUDGED_COMMANDS_DECISION_JSON_H
#include <stdio.h>

#include "engine.h"
void decision_print_json(FILE *out, const struct decision_line *l);
void decision_print_text(FILE *out, const struct decision_line *l);
#endif
