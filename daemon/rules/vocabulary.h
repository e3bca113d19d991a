/* vocabulary.h - the closed word lists of the rule language (BEHAVIOUR.md); names in vocabulary.c. */
#ifndef NUDGED_RULES_VOCABULARY_H
#define NUDGED_RULES_VOCABULARY_H
#include <stddef.h>
enum channel { CHANNEL_EMAIL, CHANNEL_CHAT, CHANNEL_CALENDAR, CHANNEL_PRINT, CHANNELS };
enum frame { FRAME_NONE, FRAME_GAIN, FRAME_LOSS, FRAMES };
enum bcw_function {
	BCW_EDUCATE, BCW_PERSUADE, BCW_REWARD, BCW_COERCE, BCW_TRAIN, BCW_RESTRICT, BCW_ENVIRONMENT,
	BCW_MODEL, BCW_ENABLE, BCW_FUNCTIONS
};
enum vary_axis { VARY_MESSAGE, VARY_ANGLE, VARY_CHANNEL, VARY_MESSENGER, VARY_AXES };
enum period_unit { UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR, UNITS };
/* The answers every campaign has by itself, before its own. */
enum standing_answer { ANSWER_DONE, ANSWER_LATER, ANSWER_NOT_FOR_ME, ANSWER_STOP, ANSWER_PLAN,
	ANSWER_TALK, STANDING_ANSWERS };
extern const char *const channel_names[CHANNELS]; /* email chat calendar print */
extern const char *const frame_names[FRAMES];     /* "" gain loss */
extern const char *const function_names[BCW_FUNCTIONS];
extern const char *const vary_names[VARY_AXES];   /* message angle channel messenger */
extern const char *const unit_names[UNITS];       /* minute hour day week month year */
extern const char *const stage_names[5];          /* precontemplation ... maintenance */
extern const char *const standing_answers[STANDING_ANSWERS]; /* done later not-for-me stop plan talk */
extern const char *const weekday_names[7];        /* monday ... */
#endif
