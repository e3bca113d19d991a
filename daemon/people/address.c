/* The one address parser: dot-atom local part, domain as an A-label (RFC 5321, 5890). */
#include <idn2.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "people/people.h"

enum { ADDRESS_LONGEST = 254, LOCAL_LONGEST = 64 };

static const char *
local_judge(const char *s, size_t len)
{
	if (len == 0 || len > LOCAL_LONGEST)
		return "the part before @ is empty or longer than 64 bytes";
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL)
			continue;
		if (c != '.' || i == 0 || i + 1 == len || s[i - 1] == '.')
			return "the part before @ has a character that cannot stand there";
	}
	return NULL;
}

static const char *
domain_judge(const char *d)
{
	size_t label = 0;

	if (strchr(d, '.') == NULL)
		return "the domain has no dot";
	for (const char *p = d;; p++) {
		if (*p == '.' || *p == '\0') {
			if (label == 0 || label > 63 || p[-1] == '-' || p[-(ptrdiff_t)label] == '-')
				return "the domain is not a name of the internet";
			label = 0;
			if (*p == '\0')
				return NULL;
			continue;
		}
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || *p == '-'))
			return "the domain has a character that cannot stand there";
		label++;
	}
}

const char *
address_parse(struct arena *mem, const char *s, const char **why)
{
	const char *at = strchr(s, '@'), *ret;
	char *ascii = NULL;

	*why = NULL;
	if (at == NULL || strchr(at + 1, '@') != NULL)
		*why = "an address has one @";
	else
		*why = local_judge(s, (size_t)(at - s));
	if (*why != NULL)
		return NULL;
	if (idn2_to_ascii_8z(at + 1, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK) {
		*why = "the domain is not a name of the internet";
		return NULL;
	}
	*why = domain_judge(ascii);
	ret = arena_printf(mem, "%.*s@%s", (int)(at - s), s, ascii);
	idn2_free(ascii);
	if (*why == NULL && strlen(ret) > ADDRESS_LONGEST)
		*why = "longer than 254 bytes";
	return *why == NULL ? ret : NULL;
}
