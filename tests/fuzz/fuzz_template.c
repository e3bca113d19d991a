/* Mustache: compile, and render what compiled. */
#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "compose/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 256 << 20);
	struct template_error err;
	struct template *t = template_compile(mem, (const char *)data, size, &err);
	struct text out = { 0 };
	json_t *j = json_pack("{s:s, s:[i,i], s:{s:s}}", "a", "<x>", "l", 1, 2, "o", "b", "y");

	if (t != NULL)
		template_render_json(t, j, NULL, NULL, &out);
	text_deinit(&out);
	json_decref(j);
	arena_free(&mem);
	return 0;
}
