/* ruleload.h - a rule base with everything that is checked on the way to using it. */
#ifndef NUDGED_RULELOAD_H
#define NUDGED_RULELOAD_H
struct compose;
struct findings;
struct rulebase;
struct settings;
/* 0: both are set, or both NULL when findings gained errors.  Negative: cannot be read. */
int rules_open(const struct settings *s, const char *dir, struct findings *f,
    struct rulebase **ret_rb, struct compose **ret_compose);
#endif
