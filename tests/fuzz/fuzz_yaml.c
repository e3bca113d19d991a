/* The YAML layer and the campaign table: no input may crash it or go unmentioned. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "rules/fields.h"
#include "rules/findings.h"
#include "rules/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 64 << 20);
	struct findings *f = findings_new("");
	struct rulebase rb = { .house = { .n_languages = 1, .languages = { "nl" } } };
	struct campaign c = { 0 };
	struct loading l = { .mem = mem, .f = f, .rb = &rb };
	struct node *root = yaml_read(mem, "fuzz.yaml", 1, (const char *)data, size, f);

	if (root != NULL)
		fields_read(&l, campaign_fields, root, &c);
	else if (findings_errors(f) == 0)
		abort(); /* nothing is refused without a word */
	findings_free(&f);
	arena_free(&mem);
	return 0;
}
