/* The program's own sentences: config/words, or English ones built in. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/scope.h"
#include "compose/chat_marks.h"
#include "compose/parts.h"
#include "rules/findings.h"
#include "rules/yaml.h"

static const struct word english[] = {
	{ "small-who", "{messenger} sends you this on behalf of {organisation}." },
	{ "small-why-you", "You get it because you belong to the people of '{campaign}'." },
	{ "small-why-now", "This is message {occurrence}." },
	{ "small-why-now-date", "The moment goes with a date that is yours." },
	{ "small-why-now-event", "It follows something that happened." },
	{ "small-why-now-answer", "It follows your answer." },
	{ "small-why-now-silence", "We had not heard from you for a while." },
	{ "small-stop", "Stop these messages" },
	{ "small-answers", "Answer, postpone or choose something else" },
	{ "chat-more", "Read on" },
	{ "small-stored", "We keep which messages you got and what you answered. Reports show numbers only." },
	{ "invite-withdrawn", "Withdrawn" },
	{ "invite-withdrawn-body",
	    "This invitation is withdrawn. You need not do anything: it leaves your calendar." },
	{ "invite-changed", "Changed" },
	{ "print-scan", "Scan the code with the camera of your phone, or type the address." },
	{ "print-letters", "Letters on A4" },
	{ "print-cards", "Reminder cards on A6" },
	{ "print-sheets", "sheets" },
	{ "print-how",
	    "Print at 100 %, on one side. The sheets lie by team, then by name. This block is not printed." },
	{ "print-no-team", "no team" },
	{ "someone-manager", "Your manager" },
	{ "someone-colleague", "A colleague" },
	{ "answer-done", "I have done it" },
	{ "answer-later", "Later, please" },
	{ "answer-not-for-me", "Not for me" },
	{ "answer-stop", "Stop" },
	{ "answer-plan", "Make a plan" },
	{ "answer-talk", "Talk with me" },
};

static void
add_word(struct word_list *w, const char *key, const char *text)
{
	if (w->n < WORDS_MAX)
		w->v[w->n++] = (struct word){ key, text };
}

static void
language_load(struct compose *c, size_t i, struct findings *f)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	const char *path = arena_printf(
	    c->mem, "%s/%s.yaml", c->style.words_dir, c->rb->house.languages[i]);
	struct node *root;

	if (file_read_quiet(path, YAML_BYTES, &bytes) != 0)
		return;
	root = yaml_read(c->mem, path, 1, arena_copyn(c->mem, bytes.s, bytes.len), bytes.len, f);
	for (size_t j = 0; root != NULL && root->kind == NODE_MAP && j < root->n; j++)
		if (root->pairs[j].value->kind == NODE_TEXT)
			add_word(&c->words[i], root->pairs[j].key, root->pairs[j].value->text);
}

void
words_load(struct compose *c, struct findings *f)
{
	size_t n = c->rb->house.n_languages;

	c->words = arena_alloc(c->mem, n + 1, sizeof *c->words);
	for (size_t i = 0; c->style.words_dir != NULL && i < n; i++)
		language_load(c, i, f);
}

static const char *
word_find(const struct word *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].key, key) == 0)
			return v[i].text;
	return NULL;
}

const char *
compose_words(const struct compose *c, int language, const char *key)
{
	const char *text = NULL;

	if (language >= 0 && (size_t)language < c->rb->house.n_languages)
		text = word_find(c->words[language].v, c->words[language].n, key);
	if (text == NULL && c->rb->house.n_languages > 0)
		text = word_find(c->words[0].v, c->words[0].n, key);
	if (text == NULL)
		text = word_find(english, sizeof english / sizeof *english, key);
	return text != NULL ? text : key;
}

static const struct {
	const char *name;
	enum slot_kind slot;
} places[] = {
	{ "organisation", SLOT_ORGANISATION },
	{ "messenger", SLOT_MESSENGER },
	{ "campaign", SLOT_TITLE },
	{ "occurrence", SLOT_NUMBER },
};

void
program_words(struct program *p, struct compose *c, int language, const char *key,
    enum escape escape)
{
	const char *s = compose_words(c, language, key);
	SCOPED(text_deinit) struct text t = { 0 };

	while (*s != '\0') {
		size_t len = strcspn(s, "{");

		text_clear(&t);
		if (escape == ESCAPE_HTML)
			add_html(&t, s, len);
		else if (escape == ESCAPE_MARKED)
			add_marked(&t, s, len);
		else
			text_add(&t, s, len);
		program_literal(p, text_string(&t), t.len);
		s += len;
		if (*s == '\0')
			break;
		len = strcspn(s, "}");
		for (size_t i = 0; i < sizeof places / sizeof *places; i++)
			if (strlen(places[i].name) == len - 1 &&
			    strncmp(s + 1, places[i].name, len - 1) == 0)
				program_op(p, c->mem,
				    (struct op){ .kind = OP_SLOT, .slot = places[i].slot, .escape = escape });
		s += len + (s[len] == '}');
	}
}
