/*
 * file.h - files of ours: written whole or not at all, 0600 in folders of 0700 whatever the umask.
 */
#ifndef NUDGED_BASE_FILE_H
#define NUDGED_BASE_FILE_H
#include <stddef.h>
struct text;
/* Read a regular file of at most limit bytes.  0; -ENOENT is not logged; FILE_TOO_LARGE. */
enum { FILE_TOO_LARGE = 1 };
int file_read(const char *path, size_t limit, struct text *ret);
/* The same without a word in the log when there is no such regular file. */
int file_read_quiet(const char *path, size_t limit, struct text *ret);
/* Write to a temporary neighbour, fsync, rename.  durable: also fsync the folder. */
int file_write(const char *path, const void *data, size_t len, int durable);
/* The same for a file that must not be there yet; FILE_THERE: it is, and stays as it is. */
enum { FILE_THERE = 1 };
int file_make(const char *path, const void *data, size_t len);
/* Give a file another name; what had that name is replaced.  -ENOENT is not logged. */
int file_rename(const char *from, const char *to, int durable);
/* mkdir -p with 0700 for what is made. */
int folder_make(const char *path);
#endif
