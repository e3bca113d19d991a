/* clock-ok: a person vouches for the clock where no time server can. */
#include "base/clock.h"
#include "command.h"
#include "engine/guard.h"

int
cmd_clock_ok(struct command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_slot slots[] = { { "--help", NULL, &help }, { NULL, NULL, NULL } };
	struct clock_reading r;
	char now[INSTANT_TEXT];
	int rc;

	if (!command_options(&argc, argv, slots))
		return EXIT_USAGE;
	if (help || argc > 0)
		return command_usage(
		    "usage: nudge clock-ok\n\n"
		    "Say that this machine's clock is right, after nudge status called it suspect.\n"
		    "What was missed meanwhile is treated as downtime: nobody gets a pile of messages.\n",
		    help);
	if ((rc = command_state(c)) != 0)
		return rc;
	clock_look(c->now, &r);
	instant_format(c->now, 0, now);
	rc = guard_confirm(c->db, &r);
	if (rc == GUARD_REFUSED) {
		fprintf(stderr, "nudge: %s is before this program was built: set the clock first\n", now);
		return EXIT_FINDINGS;
	}
	if (rc < 0)
		return EXIT_CANNOT;
	printf("%s is right, by your word; it is on record\n", now);
	command_ring(c);
	return EXIT_DONE;
}
