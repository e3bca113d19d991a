/*
 * beneath.h - open a file below a folder, and never anything else (RELIABILITY.md 5.15).
 *
 * The kernel resolves the path (openat2, Linux 5.6); where it cannot (older kernels, valgrind,
 * strict containers), component after component is opened without following a link.
 */
#ifndef NUDGED_BASE_BENEATH_H
#define NUDGED_BASE_BENEATH_H
/*
 * path: relative to the folder root.  Returns a descriptor (close-on-exec, non-blocking), or a
 * negative errno, not logged: -ELOOP through a link, -EXDEV out of the folder, -ENOENT ...
 */
int open_beneath(int root, const char *path, int flags);
/* The second way alone; the first falls back on it.  Exported for the test. */
int open_beneath_stepwise(int root, const char *path, int flags);
#endif
