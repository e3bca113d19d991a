#include "deliver/spool/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/scope.h"
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

/* 1: removed, 0: it is not there, negative. */
static int
file_drop(const char *path)
{
	if (unlink(path) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : FAIL(-errno, "%s: %s", path, strerror(errno));
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

	if (rc == 0)
		rc = file_drop(path);
	return rc < 0 ? rc : 0;
}

/* ---- taken out again ---- */

enum { FILE_MOST = 256 << 20 };

/* A sheet of a file that others are in too; data never holds a tag, so this finds the sheet itself. */
static int
sheet_cut(const char *path, int64_t delivery)
{
	SCOPED(text_deinit) struct text all = { 0 };
	SCOPED(text_deinit) struct text rest = { 0 };
	char id[40];
	const char *at, *begin, *end;
	int rc = file_read_quiet(path, FILE_MOST, &all);

	if (rc != 0)
		return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc < 0 ? rc : -EFBIG;
	snprintf(id, sizeof id, " id=\"d%08" PRId64 "\" ", delivery);
	at = strstr(text_string(&all), id);
	if (at == NULL)
		return 0;
	for (begin = at; *begin != '<'; begin--)
		;
	end = strstr(at, "</section>\n");
	if (end == NULL)
		return FAIL(-EINVAL, "%s: a sheet without an end", path);
	end += strlen("</section>\n");
	text_add(&rest, all.s, (size_t)(begin - all.s));
	text_add(&rest, end, all.len - (size_t)(end - all.s));
	if (strstr(rest.s, "<section class=\"sheet") == NULL)
		return file_drop(path);
	rc = file_write(path, rest.s, rest.len, 1);
	return rc < 0 ? rc : 1;
}

int
spool_remove(const char *spool, int64_t delivery, int channel, struct instant created,
    const char *name)
{
	/* A draft gets its name while we look. */
	const char *places[] = { name, "print/draft", name };
	char path[PATH_ROOM], own[SPOOL_NAME];
	int rc = 0;

	if (name[0] == '\0') {
		spool_name(civil_of_seconds(instant_floor(created)).day, delivery, channel, own);
		rc = path_below(spool, own, path);
		return rc < 0 ? rc : file_drop(path);
	}
	for (size_t i = 0; rc == 0 && i < sizeof places / sizeof *places; i++) {
		rc = path_below(spool, places[i], path);
		if (rc == 0)
			rc = sheet_cut(path, delivery);
	}
	return rc;
}

/* ---- feeds ---- */

static int
feed_path(const char *spool, const char *name, char path[static PATH_ROOM])
{
	char below[SPOOL_NAME + 16];

	snprintf(below, sizeof below, "../feeds/%.*s.ics", SPOOL_NAME, name);
	return path_below(spool, below, path);
}

int
spool_feed_write(const char *spool, const char *name, const struct text *body, bool durable)
{
	char path[PATH_ROOM];
	int rc = feed_path(spool, name, path);

	if (rc == 0)
		rc = folder_of(path);
	return rc == 0 ? file_write(path, text_string(body), body->len, durable) : rc;
}

int
spool_feed_remove(const char *spool, const char *name)
{
	char path[PATH_ROOM];
	int rc = feed_path(spool, name, path);

	return rc == 0 ? file_drop(path) : rc;
}
