/* SplitMix64's finaliser (Steele, Lea & Flood 2014) mixes each part in; FNV-1a reads the bytes. */
#include "base/dice.h"

#include <string.h>

static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t
hash_bytes(const void *p, size_t len)
{
	const unsigned char *b = p;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return mix(h);
}

uint64_t
hash_string(const char *s)
{
	return hash_bytes(s, strlen(s));
}

uint64_t
dice_bits(uint64_t seed, const char *purpose, uint64_t a, uint64_t b)
{
	return mix(mix(mix(seed ^ hash_string(purpose)) + a) + b);
}

double
dice_unit(uint64_t seed, const char *purpose, uint64_t a, uint64_t b)
{
	return (double)(dice_bits(seed, purpose, a, b) >> 11) * 0x1p-53;
}

uint64_t
dice_below(uint64_t seed, const char *purpose, uint64_t a, uint64_t b, uint64_t n)
{
	/* Multiply-shift keeps the bias under n / 2^64, far below any figure we report. */
	return (uint64_t)(((unsigned __int128)dice_bits(seed, purpose, a, b) * n) >> 64);
}
