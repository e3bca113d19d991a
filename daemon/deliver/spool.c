#include "deliver/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "rules/vocabulary.h"

enum { PATH_ROOM = 4096 };

static const char *const endings[CHANNELS] = {
	[CHANNEL_EMAIL] = "eml",
	[CHANNEL_CHAT] = "json",
	[CHANNEL_CALENDAR] = "ics",
	[CHANNEL_PRINT] = "html",
};

void
spool_name(struct day day, int64_t delivery, int channel, char ret[static SPOOL_NAME])
{
	char text[DAY_TEXT];

	snprintf(ret, SPOOL_NAME, "%s/d%08" PRId64 ".%s", day_format(day, text), delivery,
	    endings[channel]);
}

static int
path_below(const char *spool, const char *name, char path[static PATH_ROOM])
{
	int n = snprintf(path, PATH_ROOM, "%s/%s", spool, name);

	return n < 0 || n >= PATH_ROOM - 32 ? FAIL(-ENAMETOOLONG, "spool folder name too long") : 0;
}

static int
folder_of(char *path)
{
	char *slash = strrchr(path, '/');
	int rc;

	*slash = '\0';
	rc = folder_make(path);
	*slash = '/';
	return rc;
}

int
spool_write(const char *spool, int64_t delivery, int channel, struct instant created,
    const struct text *body, bool durable)
{
	char path[PATH_ROOM], name[SPOOL_NAME];
	int rc;

	spool_name(civil_of_seconds(instant_floor(created)).day, delivery, channel, name);
	rc = path_below(spool, name, path);
	if (rc == 0)
		rc = folder_of(path);
	return rc == 0 ? file_write(path, text_string(body), body->len, durable) : rc;
}

/* ---- files for the printer ---- */

void
spool_print_name(struct day day, const char *kind, int64_t number, char ret[static SPOOL_NAME])
{
	char text[DAY_TEXT];

	snprintf(ret, SPOOL_NAME, "print/%s/%s-%03" PRId64 ".html", day_format(day, text), kind, number);
}

bool
spool_has(const char *spool, const char *name)
{
	char path[PATH_ROOM];

	return path_below(spool, name, path) == 0 && access(path, F_OK) == 0;
}

int
spool_draft(const char *spool, const struct text *body, bool durable)
{
	char path[PATH_ROOM];
	int rc = path_below(spool, "print", path);

	if (rc == 0)
		rc = folder_make(path);
	if (rc == 0)
		rc = path_below(spool, "print/draft", path);
	return rc == 0 ? file_write(path, text_string(body), body->len, durable) : rc;
}

int
spool_publish(const char *spool, const char *name, bool durable)
{
	char path[PATH_ROOM], draft[PATH_ROOM];
	int rc = path_below(spool, name, path);

	if (rc == 0)
		rc = path_below(spool, "print/draft", draft);
	if (rc < 0)
		return rc;
	rc = folder_of(path);
	if (rc == 0)
		rc = file_rename(draft, path, durable);
	return rc == -ENOENT ? 0 : rc;
}

int
spool_draft_drop(const char *spool)
{
	char path[PATH_ROOM];
	int rc = path_below(spool, "print/draft", path);

	return rc == 0 && unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR
	    ? FAIL(-errno, "%s: %s", path, strerror(errno))
	    : rc;
}
