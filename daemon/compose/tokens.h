/* tokens.h - a compiled template from inside: for template.c and the text compiler. */
#ifndef NUDGED_COMPOSE_TOKENS_H
#define NUDGED_COMPOSE_TOKENS_H
#include <stdbool.h>

#include "base/text.h"

enum token_kind { TOKEN_LITERAL, TOKEN_SLOT, TOKEN_RAW, TOKEN_SECTION, TOKEN_INVERTED,
	TOKEN_PARTIAL };
struct token {
	enum token_kind kind;
	struct slice text; /* of a literal; of a partial: its indentation */
	struct slice name;
	size_t end;        /* of a section: the token after its last */
	int line, column;
	bool alone, end_alone; /* the tag (and its end) stood alone on the line, which went with it */
};
struct template {
	size_t n;
	struct token *tokens;
};
#endif
