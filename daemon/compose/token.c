#include "compose/token.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/text.h"

enum { FORMAT = 1, CLAIM = 16, MAC = 16, VERP_MAC = 12, SHA = crypto_auth_hmacsha256_BYTES };

int
token_key_load(const char *dir, struct token_key *ret)
{
	SCOPED(text_deinit) struct text bytes = { 0 };
	char path[4096];
	int rc;

	if (sodium_init() < 0)
		return FAIL(-EIO, "libsodium cannot start");
	if (snprintf(path, sizeof path, "%s/token.key", dir) >= (int)sizeof path)
		return FAIL(-ENAMETOOLONG, "state folder name too long");
	ret->id = 1;
	rc = file_read_quiet(path, 4096, &bytes);
	if (rc == -ENOENT) {
		randombytes_buf(ret->secret, sizeof ret->secret);
		return file_write(path, ret->secret, sizeof ret->secret, 1);
	}
	if (rc == 0 && bytes.len != TOKEN_KEY)
		return FAIL(-EINVAL, "%s is not a key of %d bytes", path, TOKEN_KEY);
	if (rc == 0)
		memcpy(ret->secret, bytes.s, TOKEN_KEY);
	return rc;
}

void
token_key_derive(uint64_t seed, struct token_key *ret)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(seed >> 8 * i);
	crypto_hash_sha256(ret->secret, bytes, sizeof bytes);
	ret->id = 0;
}

static void
mac(const struct token_key *k, const char *purpose, const void *data, size_t len,
    unsigned char out[static SHA])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, k->secret, sizeof k->secret);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)purpose, strlen(purpose) + 1);
	crypto_auth_hmacsha256_update(&st, data, len);
	crypto_auth_hmacsha256_final(&st, out);
}

static void
put_number(unsigned char *p, int bytes, uint64_t v)
{
	for (int i = bytes; i-- > 0; v >>= 8)
		p[i] = (unsigned char)v;
}

static uint64_t
get_number(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* Five bytes hold it until the year 36812; INSTANT_NEVER is the last of them. */
static uint64_t
expiry_seconds(struct instant t)
{
	const int64_t last = (INT64_C(1) << 40) - 1;
	int64_t s = instant_floor(t);

	return (uint64_t)(s < 0 ? 0 : s > last ? last : s);
}

const char *
token_make(const struct token_key *k, const struct token_claim *c, char buf[static TOKEN_TEXT])
{
	unsigned char t[CLAIM + SHA];

	t[0] = FORMAT;
	t[1] = k->id;
	put_number(t + 2, 8, (uint64_t)c->delivery);
	t[10] = c->answer;
	put_number(t + 11, 5, expiry_seconds(c->expires));
	mac(k, "link", t, CLAIM, t + CLAIM);
	return sodium_bin2base64(
	    buf, TOKEN_TEXT, t, CLAIM + MAC, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
token_read(
    const struct token_key *k, const char *token, struct instant now, struct token_claim *ret)
{
	unsigned char t[CLAIM + MAC], want[SHA];
	size_t len;

	/* libsodium's decoder takes bytes over 127 for letters: one claim would have several texts. */
	if (strspn(token, letters) != strlen(token) || strlen(token) >= TOKEN_TEXT ||
	    sodium_base642bin(t, sizeof t, token, strlen(token), NULL, &len, NULL,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    len != sizeof t || t[0] != FORMAT || t[1] != k->id)
		return false;
	mac(k, "link", t, CLAIM, want);
	if (sodium_memcmp(want, t + CLAIM, MAC) != 0)
		return false;
	*ret = (struct token_claim){ (int64_t)get_number(t + 2, 8), t[10],
		instant_seconds((int64_t)get_number(t + 11, 5)) };
	return instant_before(now, ret->expires);
}

const char *
token_id(const struct token_key *k, const char *purpose, int64_t enrolment,
    const char *occurrence, const char *channel, char buf[static TOKEN_ID_TEXT])
{
	char what[160];
	unsigned char out[SHA];
	int n = snprintf(what, sizeof what, "%" PRId64 "|%.60s|%.20s", enrolment, occurrence, channel);

	mac(k, purpose, what, (size_t)n, out);
	return sodium_bin2hex(buf, TOKEN_ID_TEXT, out, 16);
}

const char *
token_verp(const struct token_key *k, int64_t delivery, char buf[static TOKEN_TEXT])
{
	unsigned char id[8], out[SHA];
	char hex[2 * VERP_MAC + 1];

	put_number(id, 8, (uint64_t)delivery);
	mac(k, "verp", id, sizeof id, out);
	sodium_bin2hex(hex, sizeof hex, out, VERP_MAC);
	snprintf(buf, TOKEN_TEXT, "%" PRIx64 ".%s", (uint64_t)delivery, hex);
	return buf;
}

bool
token_verp_read(const struct token_key *k, const char *s, int64_t *ret_delivery)
{
	char want[TOKEN_TEXT];
	uint64_t v = 0;
	size_t n = 0;

	for (; s[n] != '.' && s[n] != '\0' && n < 16; n++) {
		const char *hex = "0123456789abcdef", *d = strchr(hex, s[n]);

		if (d == NULL)
			return false;
		v = v << 4 | (uint64_t)(d - hex);
	}
	token_verp(k, (int64_t)v, want);
	if (n == 0 || strlen(s) != strlen(want) || sodium_memcmp(s, want, strlen(want)) != 0)
		return false;
	*ret_delivery = (int64_t)v;
	return true;
}
