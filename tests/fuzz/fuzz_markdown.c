/* A message's Markdown: compile, then fill with a hostile person. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "compose/compose.h"
#include "people/person.h"
#include "plan/zone.h"
#include "rules/findings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new("fuzz", 16 << 20);
	struct findings *f = findings_new("");
	struct messenger who = { .id = "hr", .name = "HR", .reply_to = "hr@zorg.example" };
	struct message m = { .id = "m", .angle = -1 };
	struct campaign k = { .id = "k", .n_messages = 1, .messages = &m, .title = { .text = { "T" } },
		.hook = { .text = { "H" } } };
	struct rulebase rb = { .house = { .n_languages = 1, .languages = { "nl" }, .n_messengers = 1,
				   .messengers = &who }, .n_campaigns = 1, .campaigns = &k };
	struct house_style style = { .base_url = "https://n.example", .from = "n@n.example",
		.organisation = "O" };
	struct person p = { .id = "p", .name = "<b>{{x}}\"", .first_name = "**x**", .email = "p@n.example",
		.language = "", .role = "", .time_zone = "", .team = "", .manager = "", .stage = "",
		.chat = "" };
	struct compose *c;

	m.text[0] = (struct message_text){ arena_copyn(mem, (const char *)data, size), "m.nl.md", 1 };
	if (utf8_valid(m.text[0].body, strlen(m.text[0].body), NULL) &&
	    (c = compose_new(&rb, &style, f)) != NULL) {
		struct token_key key = { .id = 1 };
		struct letter l = { .campaign = &k, .message = &m, .messenger = &who,
			.messenger_name = "HR", .messenger_address = "hr@zorg.example", .to = &p,
			.zone = zone_find("Europe/Amsterdam"), .occurrence = "x/0", .number = 1 };
		struct text out = { 0 };

		compose_html(c, &key, &l, &out);
		if (strstr(text_string(&out), "<b>") != NULL)
			abort(); /* a person's data or raw HTML became markup */
		compose_email(c, &key, &l, &out);
		for (enum chat_format i = 0; i < CHAT_FORMATS; i++) {
			text_clear(&out);
			compose_chat(c, &key, &l, i, &out);
			if (!utf8_valid(text_string(&out), out.len, NULL))
				abort();
		}
		compose_invite(c, &key, &l, &out);
		text_deinit(&out);
		compose_free(&c);
	}
	findings_free(&f);
	arena_free(&mem);
	return 0;
}
