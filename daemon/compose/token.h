/*
 * token.h - signed names for deliveries: answer links, VERP senders, Message-IDs, invite UIDs.
 *
 * Everything is cut from HMAC-SHA512 (libsodium), base64url without padding.  Link token, version 2:
 *
 *    0  1  version (2)           10  1  answers: 0 all of them; n: the n-th alone
 *    1  1  key id                11  5  expiry, seconds since 1970
 *    2  8  delivery              16 16  MAC, 128 bits
 *
 * The answers of a delivery are signed four at a time: every answer has a seat (token.c: those that
 * a text mostly has sit together), HMAC("link\0" version, key id, delivery, expiry, seat / 4) gives
 * 64 bytes, and the MAC of a link is the sixteen of them at 16 * (seat % 4).  So a MAC depends on every field before it (RELIABILITY.md 5.12), one tells
 * nothing about another (they are different bits of a pseudo-random function's output), and a text
 * with all its links costs one HMAC.  Comparison is in constant time.
 */
#ifndef NUDGED_COMPOSE_TOKEN_H
#define NUDGED_COMPOSE_TOKEN_H
#include <stdbool.h>
#include <stddef.h>
#include <sodium/crypto_auth_hmacsha512.h>
#include <stdint.h>

#include "base/when.h"

enum { TOKEN_KEY = 32, TOKEN_LINK = 43, TOKEN_TEXT = 64, TOKEN_ID_TEXT = 33 };
struct token_key {
	unsigned char secret[TOKEN_KEY];
	uint8_t id;
	crypto_auth_hmacsha512_state ready; /* the secret taken in, nothing else yet */
};
struct token_claim {
	int64_t delivery;
	uint8_t answer; /* 0: page with all answers; n >= 1: index + 1 of the answer */
	struct instant expires;
};
/* The state's key: DIR/token.key, made 0600 at first use. */
int token_key_load(const char *dir, struct token_key *ret);
/* A key derived from a seed, for simulations and tests: the same bytes for the same seed. */
void token_key_derive(uint64_t seed, struct token_key *ret);
/* A link's text is TOKEN_LINK characters and a NUL. */
const char *token_make(const struct token_key *k, const struct token_claim *c,
    char buf[static TOKEN_TEXT]);
/* The links of one delivery, one after another: as token_make(), at a fraction of the cost. */
struct token_sheet {
	const struct token_key *key;
	int64_t delivery;
	uint64_t expires;
	int block[2]; /* that tags are of, odd and even; -1 before the first link */
	unsigned char tags[2][crypto_auth_hmacsha512_BYTES];
};
void token_sheet_start(struct token_sheet *s, const struct token_key *k, int64_t delivery,
    struct instant expires);
const char *token_sheet_link(struct token_sheet *s, uint8_t answer, char buf[static TOKEN_TEXT]);
/* false: forged, broken or (when now is after expires) over. */
bool token_read(const struct token_key *k, const char *token, struct instant now,
    struct token_claim *ret);
/*
 * 128 bits in hexadecimal that name an (enrolment, occurrence, channel) for ever: Message-ID, UID,
 * idempotency key.  purpose keeps them apart.
 */
const char *token_id(const struct token_key *k, const char *purpose, int64_t enrolment,
    const char *occurrence, const char *channel, char buf[static TOKEN_ID_TEXT]);
/* MAC of >= 80 bits for VERP: bounce+DELIVERY.MAC@... */
const char *token_verp(const struct token_key *k, int64_t delivery, char buf[static TOKEN_TEXT]);
bool token_verp_read(const struct token_key *k, const char *s, int64_t *ret_delivery);
#endif
