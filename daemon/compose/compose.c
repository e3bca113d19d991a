/* The door: what is compiled when, and the outputs that are one program. */
#include "compose/compose.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "compose/parts.h"
#include "rules/findings.h"

static const char *
logo_type(const char *name)
{
	static const char *const types[][2] = { { ".png", "image/png" }, { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" }, { ".gif", "image/gif" }, { ".svg", "image/svg+xml" } };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

/* For a mail, where the logo is a part beside the page, and for a page that stands alone. */
static void
logo_prepare(struct compose *c, const struct campaign *k)
{
	SCOPED(text_deinit) struct text t = { 0 };
	size_t kept = 0;

	if (k->logo_bytes == NULL)
		return;
	text_addf(&t, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <logo>\r\n"
		      "Content-Disposition: inline\r\n\r\n",
	    logo_type(k->logo));
	add_base64(&t, k->logo_bytes, k->logo_len);
	c->logo_part[k->index] = (struct slice){ arena_copyn(c->mem, t.s, t.len), t.len };
	text_clear(&t);
	text_addf(&t, "data:%s;base64,", logo_type(k->logo));
	add_base64(&t, k->logo_bytes, k->logo_len);
	for (size_t i = 0; i < t.len; i++)
		if (t.s[i] != '\r' && t.s[i] != '\n')
			t.s[kept++] = t.s[i];
	c->logo_data[k->index] = arena_copyn(c->mem, t.s, kept);
}

static void
campaign_compile(struct compose *c, const struct campaign *k, struct findings *f)
{
	size_t n = c->rb->house.n_languages;

	logo_prepare(c, k);
	c->texts[k->index] = arena_alloc(c->mem, k->n_messages * n + 1, sizeof **c->texts);
	if (k->flawed && k->n_answers == 0)
		return; /* every answer link would be told, though the mistake is in campaign.yaml */
	for (size_t i = 0; i < k->n_messages; i++)
		for (size_t lang = 0; lang < n; lang++)
			if (k->messages[i].text[lang].body != NULL)
				text_compile(c, k, &k->messages[i], (int)lang, f,
				    compiled_of(c, k, (int)i, (int)lang));
}

struct compose *
compose_new(const struct rulebase *rb, const struct house_style *style, struct findings *f)
{
	struct compose *c = calloc(1, sizeof *c);
	size_t before = findings_errors(f);
	const char *at = strchr(style->from, '@');

	if (c == NULL)
		abort();
	c->rb = rb;
	c->style = *style;
	c->mem = arena_new("compose", 256 << 20);
	c->base_url = slice_of(style->base_url);
	c->domain = at != NULL ? at + 1 : "nudge.invalid";
	c->texts = arena_alloc(c->mem, rb->n_campaigns + 1, sizeof *c->texts);
	c->logo_part = arena_alloc(c->mem, rb->n_campaigns + 1, sizeof *c->logo_part);
	c->logo_data = arena_alloc(c->mem, rb->n_campaigns + 1, sizeof *c->logo_data);
	words_load(c, f);
	for (size_t i = 0; i < rb->n_campaigns; i++)
		campaign_compile(c, &rb->campaigns[i], f);
	if (findings_errors(f) > before)
		compose_free(&c);
	return c;
}

void
compose_free(struct compose **cp)
{
	struct compose *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	arena_free(&c->mem);
	free(c);
}

bool
compose_uses_figures(const struct compose *c, const struct message *m)
{
	for (size_t k = 0; k < c->rb->n_campaigns; k++) {
		const struct campaign *g = &c->rb->campaigns[k];

		if (m < g->messages || m >= g->messages + g->n_messages)
			continue;
		for (size_t i = 0; i < c->rb->house.n_languages; i++)
			if (compiled_of(c, g, m->index, (int)i)->figures)
				return true;
	}
	return false;
}

static void
run(const struct compose *c, const struct token_key *k, const struct letter *l,
    const struct program *p, struct text *ret)
{
	struct token_sheet links;
	struct running r = running_start(c, k, l, &links);

	program_run(p, &r, ret);
}

void
compose_subject(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	run(c, k, l, &compiled_of(c, l->campaign, l->message->index, l->language)->subject, ret);
}

void
compose_plain(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	run(c, k, l, &compiled_of(c, l->campaign, l->message->index, l->language)->plain, ret);
}

void
compose_html(
    const struct compose *c, const struct token_key *k, const struct letter *l, struct text *ret)
{
	if (l->channel != CHANNEL_PRINT) {
		run(c, k, l, &compiled_of(c, l->campaign, l->message->index, l->language)->html, ret);
		return;
	}
	compose_print_open(c, compose_paper(l), ret);
	compose_print_logo(c, l->campaign, ret);
	compose_print_sheet(c, k, l, compose_paper(l), ret);
	compose_print_close(ret);
}
