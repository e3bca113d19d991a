/* The rows.  What a figure comes from stands in doc/chat.md. */
#include "compose/chat_format.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"

const char *const chat_format_names[CHAT_FORMATS] = {
	[CHAT_SLACK] = "slack",
	[CHAT_MATTERMOST] = "mattermost",
	[CHAT_ROCKETCHAT] = "rocketchat",
	[CHAT_TEAMS] = "teams",
	[CHAT_DISCORD] = "discord",
	[CHAT_GOOGLE] = "googlechat",
	[CHAT_MATRIX] = "matrix",
	[CHAT_ZULIP] = "zulip",
	[CHAT_NTFY] = "ntfy",
	[CHAT_GENERIC] = "generic",
};

#define JSON "application/json"
const struct chat_row chat_rows[CHAT_FORMATS] = {
	[CHAT_SLACK] = { .name = "Slack", .shape = SHAPE_BLOCKS, .dialect = DIALECT_RUNS,
	    .unit = UNIT_UTF16, .text_max = 2900, .payload_max = 13000, .title_max = 148,
	    .label_max = 74, .buttons_max = 5, .per_minute = 60, .method = "POST",
	    .content_type = JSON, .shown = true },
	[CHAT_MATTERMOST] = { .name = "Mattermost", .shape = SHAPE_POST, .dialect = DIALECT_CODED,
	    .unit = UNIT_POINTS, .text_max = 16383, .title_max = 150, .label_max = 75,
	    .method = "POST", .content_type = JSON, .shown = true, .to_person = true,
	    .code_field = "id", .shared = true },
	[CHAT_ROCKETCHAT] = { .name = "Rocket.Chat", .shape = SHAPE_POST, .dialect = DIALECT_TWINS,
	    .unit = UNIT_UTF16, .text_max = 5000, .title_max = 150, .label_max = 75,
	    .method = "POST", .content_type = JSON, .shown = true, .to_person = true,
	    .ok_field = "success", .ok_value = "true", .code_field = "error", .shared = true },
	[CHAT_TEAMS] = { .name = "Teams", .shape = SHAPE_CARD, .dialect = DIALECT_RUNS,
	    .unit = UNIT_BYTES, .text_max = 12000, .payload_max = 21504, .title_max = 150,
	    .label_max = 75, .buttons_max = 6, .per_minute = 240, .method = "POST",
	    .content_type = JSON, .shown = false, .code_field = "error.code" },
	[CHAT_DISCORD] = { .name = "Discord", .shape = SHAPE_CONTENT, .dialect = DIALECT_BACKSLASH,
	    .unit = UNIT_UTF16, .text_max = 2000, .title_max = 120, .label_max = 75,
	    .method = "POST", .content_type = JSON, .query = "wait=true", .shown = true,
	    .wait_field = "retry_after", .wait_unit_us = 1000000, .code_field = "code",
	    .receipt_field = "id" },
	[CHAT_GOOGLE] = { .name = "Google Chat", .shape = SHAPE_CARDS_V2, .dialect = DIALECT_HTML,
	    .unit = UNIT_BYTES, .text_max = 24000, .payload_max = 32000, .title_max = 150,
	    .label_max = 75, .buttons_max = 6, .per_minute = 60, .method = "POST",
	    .content_type = JSON "; charset=UTF-8", .shown = true, .code_field = "error.status",
	    .receipt_field = "name" },
	[CHAT_MATRIX] = { .name = "Matrix", .shape = SHAPE_EVENT, .dialect = DIALECT_HTML,
	    .unit = UNIT_BYTES, .text_max = 24000, .payload_max = 60000, .title_max = 150,
	    .label_max = 75, .method = "PUT", .content_type = JSON,
	    .path = "/_matrix/client/v3/rooms/{to}/send/m.room.message/{key}", .auth = AUTH_BEARER,
	    .shown = true, .keyed = true, .to_person = true, .wait_field = "retry_after_ms",
	    .wait_unit_us = 1000, .code_field = "errcode", .receipt_field = "event_id",
	    .shared = true },
	[CHAT_ZULIP] = { .name = "Zulip", .shape = SHAPE_FORM, .dialect = DIALECT_ENTITY,
	    .unit = UNIT_POINTS, .text_max = 10000, .title_max = 150, .label_max = 75,
	    .per_minute = 200, .method = "POST",
	    .content_type = "application/x-www-form-urlencoded", .path = "/api/v1/messages",
	    .auth = AUTH_BASIC, .shown = true, .to_person = true, .ok_field = "result",
	    .ok_value = "success", .wait_field = "retry-after", .wait_unit_us = 1000000,
	    .code_field = "code", .receipt_field = "id", .shared = true },
	[CHAT_NTFY] = { .name = "ntfy", .shape = SHAPE_NOTICE, .dialect = DIALECT_PLAIN,
	    .unit = UNIT_BYTES, .text_max = 4096, .title_max = 150, .label_max = 75,
	    .buttons_max = 3, .per_minute = 12, .method = "POST", .content_type = JSON,
	    .auth = AUTH_BEARER, .shown = true, .to_person = true, .code_field = "code",
	    .receipt_field = "id" },
	[CHAT_GENERIC] = { .name = "signed webhook", .shape = SHAPE_OWN, .dialect = DIALECT_PLAIN,
	    .unit = UNIT_BYTES, .text_max = 60000, .title_max = 300, .label_max = 150,
	    .buttons_max = 8, .method = "POST", .content_type = JSON, .auth = AUTH_SIGNED,
	    .shown = false, .keyed = true, .to_person = true },
};
_Static_assert(sizeof chat_rows / sizeof *chat_rows == CHAT_FORMATS, "a row for each format");

/* The key's bytes; a secret longer than this is no secret that anybody made on purpose. */
enum { KEY_BYTES = 512 };

static bool
key_read(const char *secret, unsigned char key[static KEY_BYTES], size_t *ret_len)
{
	static const char prefix[] = "whsec_";
	size_t n = strlen(secret);

	if (strncmp(secret, prefix, sizeof prefix - 1) == 0)
		return sodium_base642bin(key, KEY_BYTES, secret + sizeof prefix - 1,
			   n - (sizeof prefix - 1), "\r\n ", ret_len, NULL,
			   sodium_base64_VARIANT_ORIGINAL) == 0;
	if (n > KEY_BYTES)
		return false;
	memcpy(key, secret, n);
	*ret_len = n;
	return true;
}

bool
chat_sign(const char *secret, const char *id, int64_t timestamp, const struct text *body,
    struct text *ret)
{
	unsigned char key[KEY_BYTES], mac[crypto_auth_hmacsha256_BYTES];
	char base64[sodium_base64_ENCODED_LEN(sizeof mac, sodium_base64_VARIANT_ORIGINAL)];
	SCOPED(text_deinit) struct text head = { 0 };
	crypto_auth_hmacsha256_state st;
	size_t len;

	if (!key_read(secret, key, &len))
		return false;
	text_addf(&head, "%s.%" PRId64 ".", id, timestamp);
	crypto_auth_hmacsha256_init(&st, key, len);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)head.s, head.len);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)text_string(body), body->len);
	crypto_auth_hmacsha256_final(&st, mac);
	sodium_memzero(key, sizeof key);
	sodium_memzero(&st, sizeof st);
	text_puts(ret, "v1,");
	text_puts(ret, sodium_bin2base64(base64, sizeof base64, mac, sizeof mac,
			   sodium_base64_VARIANT_ORIGINAL));
	return true;
}

void
chat_basic(const struct text *user, struct text *ret)
{
	size_t room = sodium_base64_ENCODED_LEN(user->len, sodium_base64_VARIANT_ORIGINAL);

	text_puts(ret, "Basic ");
	text_grow(ret, room);
	sodium_bin2base64(ret->s + ret->len, room, (const unsigned char *)text_string(user), user->len,
	    sodium_base64_VARIANT_ORIGINAL);
	ret->len += room - 1; /* it counts the NUL */
}
