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

enum { FORMAT = 2, CLAIM = 16, MAC = 16, VERP_MAC = 12, SHA = crypto_auth_hmacsha512_BYTES,
	BLOCK = SHA / MAC };

static void
make_ready(struct token_key *k)
{
	crypto_auth_hmacsha512_init(&k->ready, k->secret, sizeof k->secret);
}

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
		rc = file_make(path, ret->secret, sizeof ret->secret);
		/* Another process was first: its key is the key. */
		if (rc == FILE_THERE)
			rc = file_read_quiet(path, 4096, &bytes);
	}
	if (rc == 0 && bytes.len > 0 && bytes.len != TOKEN_KEY)
		return FAIL(-EINVAL, "%s is not a key of %d bytes", path, TOKEN_KEY);
	if (rc == 0 && bytes.len > 0)
		memcpy(ret->secret, bytes.s, TOKEN_KEY);
	make_ready(ret);
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
	make_ready(ret);
}

static void
mac(const struct token_key *k, const char *purpose, const void *data, size_t len,
    unsigned char out[static SHA])
{
	crypto_auth_hmacsha512_state st = k->ready;

	crypto_auth_hmacsha512_update(&st, (const unsigned char *)purpose, strlen(purpose) + 1);
	crypto_auth_hmacsha512_update(&st, data, len);
	crypto_auth_hmacsha512_final(&st, out);
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

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What is written goes into a mail, so the time it takes need not hide it, as libsodium's does. */
static void
put_letters(char *to, const unsigned char *p, size_t len)
{
	for (; len >= 3; len -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = letters[v >> 6 & 63];
		*to++ = letters[v & 63];
	}
	if (len > 0) {
		*to++ = letters[p[0] >> 2];
		*to++ = letters[(p[0] << 4 | (len > 1 ? p[1] >> 4 : 0)) & 63];
	}
	if (len > 1)
		*to++ = letters[p[1] << 2 & 63];
	*to = '\0';
}

/*
 * The page (0), "later", "not for me" and the campaign's first own answer are the links of most
 * texts, so they sit in one block; the standing answers are 1 to 6, the campaign's own follow.  Any
 * one-to-one table would be as safe; this one must never change within a version.
 */
static int
seat_of(uint8_t answer)
{
	static const uint8_t seats[] = { 0, 6, 1, 2, 7, 8, 9, 3, 4, 5 };

	return answer < sizeof seats ? seats[answer] : answer;
}

/* The MACs of the four links of a block. */
static void
tags_make(const struct token_key *k, int64_t delivery, uint64_t expires, int block,
    unsigned char out[static SHA])
{
	unsigned char t[CLAIM];

	t[0] = FORMAT;
	t[1] = k->id;
	put_number(t + 2, 8, (uint64_t)delivery);
	put_number(t + 10, 5, expires);
	t[15] = (unsigned char)block;
	mac(k, "link", t, sizeof t, out);
}

void
token_sheet_start(struct token_sheet *s, const struct token_key *k, int64_t delivery,
    struct instant expires)
{
	s->key = k;
	s->delivery = delivery;
	s->expires = expiry_seconds(expires);
	s->block[0] = s->block[1] = -1;
}

const char *
token_sheet_link(struct token_sheet *s, uint8_t answer, char buf[static TOKEN_TEXT])
{
	unsigned char t[CLAIM + MAC];
	int seat = seat_of(answer), block = seat / BLOCK, odd = block % 2;

	if (s->block[odd] != block)
		tags_make(s->key, s->delivery, s->expires, block, s->tags[odd]);
	s->block[odd] = block;
	t[0] = FORMAT;
	t[1] = s->key->id;
	put_number(t + 2, 8, (uint64_t)s->delivery);
	t[10] = answer;
	put_number(t + 11, 5, s->expires);
	memcpy(t + CLAIM, s->tags[odd] + seat % BLOCK * MAC, MAC);
	put_letters(buf, t, sizeof t);
	return buf;
}

const char *
token_make(const struct token_key *k, const struct token_claim *c, char buf[static TOKEN_TEXT])
{
	struct token_sheet s;

	token_sheet_start(&s, k, c->delivery, c->expires);
	return token_sheet_link(&s, c->answer, buf);
}

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
	tags_make(k, (int64_t)get_number(t + 2, 8), get_number(t + 11, 5),
	    seat_of(t[10]) / BLOCK, want);
	if (sodium_memcmp(want + seat_of(t[10]) % BLOCK * MAC, t + CLAIM, MAC) != 0)
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
