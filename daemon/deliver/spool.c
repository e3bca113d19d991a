#include "deliver/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "rules/vocabulary.h"

static const char *const endings[CHANNELS] = {
	[CHANNEL_EMAIL] = "eml",
	[CHANNEL_CHAT] = "json",
	[CHANNEL_CALENDAR] = "ics",
	[CHANNEL_PRINT] = "html",
};

int
spool_write(const char *spool, int64_t delivery, int channel, struct instant created,
    const struct text *body, bool durable)
{
	char path[4096], day[DAY_TEXT];
	int n, rc;

	day_format(civil_of_seconds(instant_floor(created)).day, day);
	n = snprintf(path, sizeof path, "%s/%s", spool, day);
	if (n < 0 || n >= (int)sizeof path - 64)
		return FAIL(-ENAMETOOLONG, "spool folder name too long");
	rc = folder_make(path);
	if (rc < 0)
		return rc;
	snprintf(path + n, sizeof path - (size_t)n, "/d%08" PRId64 ".%s", delivery,
	    endings[channel]);
	return file_write(path, text_string(body), body->len, durable);
}
