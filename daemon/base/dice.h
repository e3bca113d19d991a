/*
 * dice.h - chance that can be replayed.
 *
 * Every draw is a hash of (seed, what it is for, two numbers): no state, so a crash between two
 * steps cannot change it and the order of the draws does not matter (DESIGN.md 2).
 */
#ifndef NUDGED_BASE_DICE_H
#define NUDGED_BASE_DICE_H
#include <stddef.h>
#include <stdint.h>
/* 64 well-mixed bits. */
uint64_t dice_bits(uint64_t seed, const char *purpose, uint64_t a, uint64_t b);
/* Uniform in [0, 1). */
double dice_unit(uint64_t seed, const char *purpose, uint64_t a, uint64_t b);
/* Uniform in [0, n), n > 0. */
uint64_t dice_below(uint64_t seed, const char *purpose, uint64_t a, uint64_t b, uint64_t n);
/* 64-bit hash of bytes, stable for ever (FNV-1a, mixed). */
uint64_t hash_bytes(const void *p, size_t len);
uint64_t hash_string(const char *s);
#endif
