/*
 * token.h - signed names for deliveries: answer links, VERP senders, Message-IDs, invite UIDs.
 *
 * HMAC-SHA256 (libsodium), base64url without padding.  Link token, 1 version byte, 1 key id byte,
 * 8 bytes delivery, 1 answer set (0 all; n: the n-th answer alone), 5 bytes expiry in seconds,
 * 16 bytes MAC over all before (RELIABILITY.md 5.12).  Comparison is in constant time.
 */
#ifndef NUDGED_COMPOSE_TOKEN_H
#define NUDGED_COMPOSE_TOKEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

enum { TOKEN_KEY = 32, TOKEN_TEXT = 64, TOKEN_ID_TEXT = 33 };
struct token_key {
	unsigned char secret[TOKEN_KEY];
	uint8_t id;
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
const char *token_make(const struct token_key *k, const struct token_claim *c,
    char buf[static TOKEN_TEXT]);
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
