#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *program;
	enum log_level highest;
	bool journal; /* stderr goes to journald: it reads <N> as the severity */
} out = { "nudge", LOG_NOTICE, false };

/* journald announces its socket as "device:inode" (systemd.exec(5), $JOURNAL_STREAM). */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char mine[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	for (size_t i = 0;; i++) {
		if (mine[i] != stream[i])
			return false;
		if (mine[i] == '\0')
			return true;
	}
}

void
log_open(const char *program, enum log_level highest)
{
	out.program = program;
	out.highest = highest;
	out.journal = stderr_is_journal();
}

void
log_vsay(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];

	if (level > out.highest)
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (out.journal)
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	else
		fprintf(stderr, "%s: %s\n", out.program, line);
}

void
log_say(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vsay(level, fmt, ap);
	va_end(ap);
}
