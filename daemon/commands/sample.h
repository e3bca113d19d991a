/* sample.h - one message as a letter to somebody, for preview and test-send. */
#ifndef NUDGED_COMMANDS_SAMPLE_H
#define NUDGED_COMMANDS_SAMPLE_H
#include "command.h"
#include "compose/compose.h"
#include "people/people.h"

struct arena;
struct sample_wish {
	const char *person, *lang, *channel, *as, *format;
};
/* Sam, who is nobody. */
extern const struct person sample_person;

/* Strings live in mem.  path: CAMPAIGN/MESSAGE, cut in two; l->to is set.  0, or an exit code after words on stderr. */
int sample_letter(struct command *c, struct arena *mem, char *path, const struct sample_wish *w,
    struct letter *l);
#endif
