/* doorbell.h - the Unix datagram socket by which a command tells the daemon to look. */
#ifndef NUDGED_LOOP_DOORBELL_H
#define NUDGED_LOOP_DOORBELL_H
#include <stdbool.h>

/* what: "look" or "reload".  0; 1: nobody listens. */
int doorbell_ring(const char *path, const char *what);
/* Would somebody hear it?  Nothing is rung. */
bool doorbell_is_heard(const char *path);
/* A bound socket, 0600; a stale one is replaced.  Descriptor or negative. */
int doorbell_hang(const char *path);
#endif
