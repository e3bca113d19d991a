#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/scope.h"
#include "base/text.h"
#include "rules/findings.h"
#include "rules/yaml.h"

enum { MEMORY = 8 << 20 };

static const char *const keys[] = { "state", "rules", "words", "base_url", "from",
	"organisation", "channels", "log_level" };
static const char *const levels[] = { "", "", "", "error", "warning", "notice", "detail",
	"trace" };

static bool
is_there(const char *path)
{
	return access(path, R_OK) == 0;
}

static const char *
default_state(struct arena *mem)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0 || (xdg == NULL && home == NULL))
		return "/var/lib/nudged";
	return xdg != NULL ? arena_printf(mem, "%s/nudged", xdg)
			   : arena_printf(mem, "%s/.local/state/nudged", home);
}

static void
defaults(struct settings *s)
{
	s->state = default_state(s->mem);
	s->rules = is_there("rules/house.yaml") ? "rules" : "/etc/nudged/rules";
	s->base_url = "https://nudge.invalid";
	s->from = "nudge@nudge.invalid";
	s->organisation = "nudged";
	s->log_level = LOG_NOTICE;
}

static void
channels_check(const struct node *n, struct findings *f)
{
	for (size_t i = 0; n->kind == NODE_MAP && i < n->n; i++) {
		const struct pair *p = &n->pairs[i];

		if (parse_word(p->key, channel_names, CHANNELS) < 0)
			finding_word(f, "E002", p->key_place, p->key, channel_names, CHANNELS,
			    "unknown channel '%.40s'", p->key);
		else if (p->value->kind != NODE_TEXT || strcmp(p->value->text, "spool") != 0)
			finding_add(f, "E004", p->value->place, "only 'spool' is delivered by this version");
	}
	if (n->kind != NODE_MAP)
		finding_add(f, "E003", n->place, "expected { email: spool, chat: spool }");
}

static void
key_read(struct settings *s, const struct pair *p, struct findings *f)
{
	const char **into[] = { &s->state, &s->rules, &s->words, &s->base_url, &s->from,
		&s->organisation };
	int i = parse_word(p->key, keys, sizeof keys / sizeof *keys);
	int level;

	if (i < 0)
		finding_word(f, "E002", p->key_place, p->key, keys, sizeof keys / sizeof *keys,
		    "unknown key '%.40s'", p->key);
	else if (i == 6)
		channels_check(p->value, f);
	else if (p->value->kind != NODE_TEXT || p->value->text[0] == '\0')
		finding_add(f, "E003", p->value->place, "expected a text");
	else if (i == 7) {
		level = parse_word(p->value->text, levels, sizeof levels / sizeof *levels);
		if (level < 3)
			finding_word(f, "E004", p->value->place, p->value->text, levels + 3, 5,
			    "'%.40s' is not a log level", p->value->text);
		else
			s->log_level = (enum log_level)level;
	} else if (i == 3 && strncmp(p->value->text, "https://", 8) != 0)
		finding_add(f, "E008", p->value->place, "expected an address that begins with https://");
	else if (i == 4 && (strchr(p->value->text, '@') == NULL || strpbrk(p->value->text, " <>\"")))
		finding_add(f, "E003", p->value->place, "expected one bare address");
	else
		*into[i] = p->value->text;
}

static void
findings_done(struct findings **f)
{
	findings_free(f);
}

static int
file_apply(struct settings *s, const char *path)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	SCOPED(findings_done) struct findings *f = findings_new("");
	struct node *root;
	int rc = file_read(path, YAML_BYTES, &bytes);

	if (rc != 0)
		return FAIL(rc < 0 ? rc : -EFBIG, "the configuration %s cannot be read", path);
	root = yaml_read(s->mem, path, 1, arena_copyn(s->mem, bytes.s, bytes.len), bytes.len, f);
	if (root != NULL && root->kind != NODE_MAP)
		finding_add(f, "E003", root->place, "expected keys with values");
	for (size_t i = 0; root != NULL && root->kind == NODE_MAP && i < root->n; i++)
		key_read(s, &root->pairs[i], f);
	findings_print_text(f, stderr, false);
	return findings_errors(f) > 0;
}

/* Where the sentences are: beside the rules in a checkout, else where they were installed. */
static const char *
words_find(const struct settings *s)
{
	const char *beside = arena_printf(s->mem, "%s/../config/words", s->rules);

	return is_there(beside) ? beside : NUDGED_DATADIR "/words";
}

int
settings_load(
    const char *config, const char *state, const char *rules, struct settings *ret)
{
	int rc = 0;

	*ret = (struct settings){ .config = config, .mem = arena_new("settings", MEMORY) };
	defaults(ret);
	if (config != NULL)
		rc = file_apply(ret, config);
	if (state != NULL)
		ret->state = state;
	if (rules != NULL)
		ret->rules = rules;
	if (ret->words == NULL)
		ret->words = words_find(ret);
	if (rc != 0)
		settings_deinit(ret);
	return rc;
}

void
settings_deinit(struct settings *s)
{
	arena_free(&s->mem);
}
