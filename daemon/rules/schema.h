/* schema.h - the JSON Schema of campaign.yaml, from the table the loader uses. */
#ifndef NUDGED_RULES_SCHEMA_H
#define NUDGED_RULES_SCHEMA_H
#include <stdio.h>
void rules_schema(FILE *out);
#endif
