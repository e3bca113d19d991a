/* people import | list | show | export | forget */
#include <string.h>

#include "base/arena.h"
#include "base/scope.h"
#include "base/text.h"
#include "command.h"
#include "commands/commands_db.h"
#include "deliver/outbox/invitation.h"
#include "deliver/spool/spool.h"
#include "people/people.h"
#include "plan/zone.h"
#include "store/db.h"

static const char usage[] =
    "usage: nudge people import FILE.csv [--teams TEAMS.csv] [--dry-run] [--shrink]\n"
    "                                    [--return-erased]\n"
    "       nudge people list | show ID | export ID | forget ID\n"
    "\n"
    "The roster is a CSV file with a header row; id, name, email and team are needed.\n"
    "import makes the roster that of the file, all of it or nothing, and shows the\n"
    "difference; --dry-run only shows it.\n";

static bool
zone_known(const char *name)
{
	return zone_find(name) != NULL;
}

static int
import(struct command *c, const char *path, const char *teams, bool dry, bool shrink,
    bool return_erased)
{
	SCOPED(arena_free) struct arena *mem = arena_new("roster", (size_t)2 << 30);
	struct roster roster;
	struct roster_change change;
	struct figures before;
	bool told;
	int rc = roster_read(mem, path, teams, zone_known, stderr, &roster);

	if (rc < 0)
		return EXIT_CANNOT;
	if (roster.errors > 0) {
		fprintf(stderr, "nudge: %d mistake%s; nothing was changed\n", roster.errors,
		    roster.errors == 1 ? "" : "s");
		return EXIT_FINDINGS;
	}
	if ((rc = command_state(c)) != 0)
		return rc;
	if (figures_count(c->db, &before) < 0)
		return EXIT_CANNOT;
	/* Where everybody is new, a line for each says nothing. */
	told = dry || (before.people > 0 && roster.n_people <= 1000);
	rc = roster_apply(c->db, &roster, c->now, dry, shrink, return_erased, told ? stdout : NULL,
	    &change);
	if (rc == ROSTER_REFUSED) {
		fprintf(stderr, "nudge: this roster of %zu people is empty or less than half of the"
				" present one;\n       nothing was changed (--shrink if that is meant)\n",
		    roster.n_people);
		return EXIT_FINDINGS;
	}
	if (rc < 0)
		return EXIT_CANNOT;
	printf("%s%lld joined, %lld changed, %lld left, %lld as they were\n",
	    dry ? "would be: " : "", (long long)change.joined, (long long)change.changed,
	    (long long)change.left, (long long)change.same);
	if (!dry)
		command_ring(c);
	return EXIT_DONE;
}

/* A cell that a spreadsheet must not take for a formula (RELIABILITY.md 5.16). */
static void
put_cell(const char *s, char end)
{
	bool quote = strpbrk(s, ",\"\r\n") != NULL;

	if (quote)
		putchar('"');
	if (s[0] != '\0' && strchr("=+-@\t\r\n", s[0]) != NULL)
		putchar('\'');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	if (quote)
		putchar('"');
	putchar(end);
}

static int
print_row(void *arg, const struct person *p)
{
	(void)arg;
	put_cell(p->id, ',');
	put_cell(p->name, ',');
	put_cell(p->email, ',');
	put_cell(p->team, ',');
	put_cell(p->role, ',');
	put_cell(p->language, '\n');
	return 0;
}

static int
list(struct command *c)
{
	puts("id,name,email,team,role,language");
	return people_each(c->db, print_row, NULL) < 0 ? EXIT_CANNOT : EXIT_DONE;
}

static int
show(struct command *c, const char *id)
{
	SCOPED(arena_free) struct arena *mem = arena_new("show", 1 << 20);
	static const char *const columns[] = { "id", "name", "first_name", "email", "team", "role",
		"language", "time_zone", "manager", "stage", "chat" };
	struct person *p;
	int rc = person_find(c->db, mem, id, &p);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (person_get(p, columns[i]) != NULL)
			printf("%-16s %s\n", columns[i], person_get(p, columns[i]));
	for (size_t i = 0; i < p->n_attributes; i++)
		printf("%-16s %s\n", p->attributes[i].key, p->attributes[i].value);
	if (p->left)
		printf("%-16s no longer on the roster\n", "");
	return 0;
}

/* What the spool still holds goes first: an invitation that nobody took needs no withdrawal. */
static int
forget_first(void *arg, struct db *db, const struct person *p, struct instant now)
{
	struct command *c = arg;
	SCOPED(text_deinit) struct text spool = { 0 };
	int rc;

	text_addf(&spool, "%s/spool", c->settings.state);
	rc = spool_erase(db, text_string(&spool), p->row, now);
	return rc == 0 ? invitations_erase(db, p->row, p->email, now) : rc;
}

/* Noted before it is shown, so that an export tells of itself too.  1: there is no such person. */
static int
noted(struct command *c, const char *verb, const char *id)
{
	SCOPED(arena_free) struct arena *mem = arena_new("person", 16 << 20);
	struct person *p;
	int rc = person_find(c->db, mem, id, &p);

	return rc == 0 ? look_note(c->db, verb, id, c->now) : rc;
}

static int
one(struct command *c, const char *verb, const char *id)
{
	int rc = command_state(c);

	if (rc != 0)
		return rc;
	if (strcmp(verb, "forget") == 0)
		rc = person_forget(c->db, id, c->now, forget_first, c);
	else if ((rc = noted(c, verb, id)) == 0)
		rc = strcmp(verb, "show") == 0 ? show(c, id) : person_export(c->db, id, stdout);
	if (rc == 1)
		fprintf(stderr, "nudge: there is no person '%s' (nudge people list)\n", id);
	if (rc == 0 && strcmp(verb, "forget") == 0)
		printf("%s is erased, and what lay in the spool for them; what left it is elsewhere\n", id);
	return rc < 0 ? EXIT_CANNOT : rc > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

int
cmd_people(struct command *c, int argc, char **argv)
{
	const char *teams = NULL;
	bool dry = false, shrink = false, erased = false, help = false;
	const struct option_slot slots[] = { { "--teams", &teams, NULL },
		{ "--dry-run", NULL, &dry }, { "--shrink", NULL, &shrink },
		{ "--return-erased", NULL, &erased }, { "--help", NULL, &help }, { NULL, NULL, NULL } };
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc < 1)
		return command_usage(usage, help);
	if (argc == 2 && strcmp(argv[0], "import") == 0)
		return import(c, argv[1], teams, dry, shrink, erased);
	if (argc == 1 && strcmp(argv[0], "list") == 0)
		return (rc = command_state(c)) != 0 ? rc : list(c);
	if (argc == 2 && (strcmp(argv[0], "show") == 0 || strcmp(argv[0], "export") == 0 ||
			     strcmp(argv[0], "forget") == 0))
		return one(c, argv[0], argv[1]);
	return command_usage(usage, false);
}
