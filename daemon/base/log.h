/*
 * log.h - one line for the operator.
 *
 * To journald (native severity) when stderr is connected to it, else to stderr as plain text.
 * Controls are escaped; callers pass internal ids only, never an address, subject or token
 * (RELIABILITY.md 5.17).
 */
#ifndef NUDGED_BASE_LOG_H
#define NUDGED_BASE_LOG_H
#include <stdarg.h>
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_DETAIL = 6, LOG_TRACE = 7 };
void log_open(const char *program, enum log_level highest);
void log_say(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vsay(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
#endif
