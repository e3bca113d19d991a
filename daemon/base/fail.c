#include "base/fail.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
	/* What comes first: most readers want no more; the place helps who mends the program. */
	log_say(LOG_ERROR, "%s (%s, %s:%d)", what, fn, strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file,
	    line);
	return r;
}
