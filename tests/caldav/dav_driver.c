/*
 * A courier of a few lines around the CalDAV carrier, for tests/system/caldav.py.
 *
 *   dav_driver URL USER CA PARALLEL [inside] < LINES     the password stands in $DAV_PASSWORD
 *
 * A line is a delivery: KIND KEY PERSON RECEIPT FILE (- for an empty word); FILE - has no body.
 * STOP as the file: it is stopped before its first byte leaves.  Each outcome is a line:
 * NUMBER FATE TROUBLE CODE AFTER RECEIPT REASON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "deliver/carriers.h"
#include "deliver/net/transport.h"
#include "loop/wires.h"

enum { PARCELS = 256 };
static const char *const kinds[] = { "message", "update", "withdrawal" };

struct courier {
	struct parcel parcels[PARCELS];
	bool stopped[PARCELS];
	size_t n, next, done;
	const char *password;
	char words[PARCELS][4][256];
};

static struct parcel *
next(struct courier *c, struct carrier *from)
{
	(void)from;
	return c->next < c->n ? &c->parcels[c->next++] : NULL;
}

static bool
may_go(struct courier *c, struct parcel *p)
{
	return !c->stopped[p->row];
}

static void
done(struct courier *c, struct carrier *from, struct parcel *p, const struct outcome *o)
{
	(void)from;
	c->done++;
	printf("%d %s %d %d %d %s %s\n", (int)p->row, fate_names[o->fate], (int)o->trouble, o->code,
	    (int)(o->after.us / 1000000), o->receipt[0] != '\0' ? o->receipt : "-", o->reason);
}

static void
connected(struct courier *c, struct carrier *from, const struct outcome *o)
{
	(void)c;
	(void)from;
	(void)o;
}

static int
secret(void *arg, struct text *ret)
{
	text_puts(ret, ((struct courier *)arg)->password);
	return 0;
}

static bool
all_done(void *arg)
{
	struct courier *c = arg;

	return c->done == c->n;
}

static bool
line_take(struct courier *c, char *line)
{
	char kind[16], file[1024];
	char(*w)[256] = c->words[c->n];
	struct parcel *p = &c->parcels[c->n];

	if (sscanf(line, "%15s %255s %255s %255s %1023s", kind, w[0], w[1], w[2], file) != 5)
		return false;
	for (int i = 0; i < 3; i++)
		if (strcmp(w[i], "-") == 0)
			w[i][0] = '\0';
	*p = (struct parcel){ .row = (int64_t)c->n, .key = w[0], .recipient = w[1], .receipt = w[2] };
	for (int i = 0; i < PARCEL_KINDS; i++)
		if (strcmp(kind, kinds[i]) == 0)
			p->kind = (enum parcel_kind)i;
	c->stopped[c->n] = strcmp(file, "STOP") == 0;
	if (strcmp(file, "-") != 0 && !c->stopped[c->n] && file_read(file, 1 << 20, &p->body) != 0)
		return false;
	c->n++;
	return true;
}

int
main(int argc, char **argv)
{
	static struct courier c;
	struct wires wires;
	struct transport *t;
	struct carrier *dav;
	char line[2048];
	int64_t parallel;
	int rc;

	if (argc < 5)
		return 2;
	c.password = getenv("DAV_PASSWORD") != NULL ? getenv("DAV_PASSWORD") : "";
	while (c.n < PARCELS && fgets(line, sizeof line, stdin) != NULL)
		if (!line_take(&c, line))
			return 2;
	const struct dav_options o = { .url = argv[1], .user = argv[2][0] != '\0' ? argv[2] : NULL,
		.secret = secret, .secret_arg = &c, .ca_file = argv[3], .may_private = argc > 5 };
	const struct carrier_host host = { &c, next, may_go, done, connected };

	if (wires_open(&wires) < 0 || transport_new(&wires, &t) < 0)
		return 3;
	if (dav_new(&o, &host, t, &dav) < 0)
		return 4;
	if (!parse_int(argv[4], 1, 64, &parallel))
		return 2;
	dav->work(dav, (int)parallel);
	rc = wires_run(&wires, all_done, &c, SPAN_MINUTES(2));
	dav->close(&dav);
	transport_free(&t);
	wires_close(&wires);
	for (size_t i = 0; i < c.n; i++)
		text_deinit(&c.parcels[i].body);
	return rc == 0 ? 0 : 5;
}
