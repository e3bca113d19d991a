/*
 * settings.h - nudged.yaml and the command line: where things are, who sends.
 *
 * Every key has a built-in default, so no file is needed.  Strings live in the settings' arena.
 */
#ifndef NUDGED_SETTINGS_H
#define NUDGED_SETTINGS_H
#include "base/log.h"
struct arena;
struct settings {
	const char *config;       /* file that was read, or NULL */
	const char *state;        /* folder */
	const char *rules;        /* folder */
	const char *words;        /* folder with config/words */
	const char *base_url, *from, *organisation;
	enum log_level log_level;
	struct arena *mem;
};
/*
 * Any argument may be NULL.  0; 1: the file is wrong and everything that is was printed to stderr;
 * negative: unreadable.
 */
int settings_load(const char *config, const char *state, const char *rules, struct settings *ret);
void settings_deinit(struct settings *s);
#endif
