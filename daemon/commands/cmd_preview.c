/* preview: a message as a person gets it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/commands_db.h"
#include "commands/sample.h"
#include "compose/compose.h"
#include "people/people.h"
#include "plan/zone.h"
#include "rules/rulebase.h"
#include "store/db.h"

static const char usage[] =
    "usage: nudge preview CAMPAIGN/MESSAGE [--person ID] [--lang L] [--channel C]\n"
    "                     [--as html|text|json|ics|eml|card] [--format slack|teams|...]\n"
    "\n"
    "A message as a person gets it; without --person as Sam, who is nobody.\n";

static int
person_pick(struct command *c, struct arena *mem, const char *id, const struct person **ret)
{
	struct person *p;
	int rc;

	*ret = &sample_person;
	if (id == NULL)
		return 0;
	if ((rc = command_state(c)) != 0)
		return rc;
	rc = person_find(c->db, mem, id, &p);
	if (rc > 0)
		fprintf(stderr, "nudge: there is no person '%s' (nudge people list)\n", id);
	if (rc == 0)
		rc = look_note(c->db, "preview", p->id, c->now);
	if (rc == 0)
		*ret = p;
	return rc < 0 ? EXIT_CANNOT : rc > 0 ? EXIT_FINDINGS : 0;
}

/* As the chat system of --format gets it. */
static int
chat_print(struct command *c, const struct token_key *key, const struct letter *l, const char *format)
{
	SCOPED(text_deinit) struct text out = { 0 };
	int i = format != NULL ? parse_word(format, chat_format_names, CHAT_FORMATS) : CHAT_SLACK;

	if (i < 0) {
		fprintf(stderr, "nudge: --format wants one of");
		for (i = 0; i < CHAT_FORMATS; i++)
			fprintf(stderr, " %s", chat_format_names[i]);
		fputc('\n', stderr);
		return EXIT_USAGE;
	}
	compose_chat(c->compose, key, l, (enum chat_format)i, &out);
	fwrite(text_string(&out), 1, out.len, stdout);
	return EXIT_DONE;
}

static int
print(struct command *c, const struct letter *l, const char *as, const char *format)
{
	static const struct {
		const char *as;
		void (*fn)(const struct compose *, const struct token_key *, const struct letter *,
		    struct text *);
	} outputs[] = { { "text", compose_plain }, { "html", compose_html }, { "ics", compose_invite },
		{ "eml", compose_email }, { "card", compose_html } };
	SCOPED(text_deinit) struct text out = { 0 };
	struct token_key key;

	token_key_derive(0, &key); /* links of a preview lead nowhere */
	if (strcmp(as, "json") == 0)
		return chat_print(c, &key, l, format);
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		if (strcmp(outputs[i].as, as) == 0) {
			outputs[i].fn(c->compose, &key, l, &out);
			fwrite(text_string(&out), 1, out.len, stdout);
			return EXIT_DONE;
		}
	fprintf(stderr, "nudge: --as wants html, text, json, ics, eml or card\n");
	return EXIT_USAGE;
}

int
cmd_preview(struct command *c, int argc, char **argv)
{
	static const char *const as_channel[CHANNELS] = { "text", "json", "ics", "html" };
	SCOPED(arena_free) struct arena *mem = arena_new("preview", 16 << 20);
	struct sample_wish w = { 0 };
	bool help = false;
	const struct option_slot slots[] = { { "--person", &w.person, NULL },
		{ "--lang", &w.lang, NULL }, { "--channel", &w.channel, NULL }, { "--as", &w.as, NULL },
		{ "--format", &w.format, NULL },
		{ "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct letter l = { 0 };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc != 1)
		return command_usage(usage, help);
	if ((rc = command_rules(c)) != 0 || (rc = person_pick(c, mem, w.person, &l.to)) != 0 ||
	    (rc = sample_letter(c, mem, argv[0], &w, &l)) != 0)
		return rc;
	return print(c, &l, w.as != NULL ? w.as : as_channel[l.channel], w.format);
}
