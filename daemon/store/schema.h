/* schema.h - the tables, as steps from one user_version to the next. */
#ifndef NUDGED_STORE_SCHEMA_H
#define NUDGED_STORE_SCHEMA_H
enum { SCHEMA_VERSION = 7 };
/* schema_steps[v] brings version v to v + 1. */
extern const char *const schema_steps[SCHEMA_VERSION];
#endif
