#include "base/fail.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

int
fail_at(const char *fn, const char *file, int line, int r, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	assert(r < 0);
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	log_say(LOG_ERROR, "%s (%s:%d): %s", fn, file, line, what);
	return r;
}
