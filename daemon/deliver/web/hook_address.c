#include "deliver/web/hook_address.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

void
hook_address_deinit(struct hook_address *a)
{
	text_deinit(&a->origin);
	text_deinit(&a->host);
	text_deinit(&a->target);
	text_deinit(&a->user);
}

/* More than a host: then the address is whole as it stands. */
static bool
has_path(const char *url)
{
	const char *host = strstr(url, "://"), *slash = host != NULL ? strchr(host + 3, '/') : NULL;

	return slash != NULL && slash[1] != '\0';
}

/* false: what makes repeats harmless is missing. */
static bool
format_put(struct text *url, const struct chat_row *row)
{
	if (row->path != NULL && !has_path(text_string(url))) {
		if (url->len > 0 && url->s[url->len - 1] == '/')
			url->s[--url->len] = '\0';
		text_puts(url, row->path);
	} else if (row->path != NULL && row->keyed && strstr(text_string(url), "{key}") == NULL)
		return false;
	if (row->query != NULL && strstr(text_string(url), row->query) == NULL) {
		text_putc(url, strchr(text_string(url), '?') != NULL ? '&' : '?');
		text_puts(url, row->query);
	}
	return true;
}

/* One part of an address; false: it has none. */
static bool
part_put(CURLU *u, CURLUPart part, unsigned flags, const char *before, struct text *ret)
{
	char *s = NULL;
	bool there = curl_url_get(u, part, &s, flags) == CURLUE_OK && s != NULL;

	if (there) {
		text_puts(ret, before);
		text_puts(ret, s);
	}
	curl_free(s);
	return there;
}

static enum address_flaw
parts_take(CURLU *u, bool may_private, struct hook_address *a)
{
	SCOPED(text_deinit) struct text scheme = { 0 };

	part_put(u, CURLUPART_SCHEME, 0, "", &scheme);
	if (strcmp(text_string(&scheme), "https") != 0 &&
	    (strcmp(text_string(&scheme), "http") != 0 || !may_private))
		return ADDRESS_SCHEME;
	if (!part_put(u, CURLUPART_HOST, CURLU_PUNYCODE, "", &a->host))
		return ADDRESS_UNREADABLE;
	text_addf(&a->origin, "%s://%s", text_string(&scheme), text_string(&a->host));
	part_put(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, ":", &a->origin);
	part_put(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, ":", &a->host);
	part_put(u, CURLUPART_PATH, 0, "", &a->target);
	part_put(u, CURLUPART_QUERY, 0, "?", &a->target);
	if (part_put(u, CURLUPART_USER, CURLU_URLDECODE, "", &a->user)) {
		text_putc(&a->user, ':');
		part_put(u, CURLUPART_PASSWORD, CURLU_URLDECODE, "", &a->user);
	}
	return a->target.len > 0 ? ADDRESS_GOOD : ADDRESS_UNREADABLE;
}

enum address_flaw
hook_address_read(const char *url, const struct chat_row *row, bool may_private,
    struct hook_address *ret)
{
	SCOPED(text_deinit) struct text whole = { 0 };
	struct hook_address a = { 0 };
	enum address_flaw flaw = ADDRESS_UNREADABLE;
	CURLU *u = curl_url();

	if (u == NULL)
		abort();
	text_puts(&whole, url);
	if (format_put(&whole, row) &&
	    curl_url_set(u, CURLUPART_URL, text_string(&whole), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		flaw = parts_take(u, may_private, &a);
	curl_url_cleanup(u);
	if (flaw == ADDRESS_GOOD) {
		hook_address_deinit(ret);
		*ret = a;
	} else
		hook_address_deinit(&a);
	return flaw;
}

void
hook_target_put(const struct hook_address *a, const char *to, const char *key, struct text *ret)
{
	const char *s = text_string(&a->target);

	while (*s != '\0')
		if (strncmp(s, "{to}", 4) == 0) {
			text_add_percent(ret, to);
			s += 4;
		} else if (strncmp(s, "{key}", 5) == 0) {
			text_add_percent(ret, key);
			s += 5;
		} else if ((unsigned char)*s >= 0x7f) /* letters beyond ASCII in a path */
			text_addf(ret, "%%%02X", (unsigned char)*s++);
		else
			text_putc(ret, *s++);
}
