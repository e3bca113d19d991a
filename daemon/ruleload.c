#include "ruleload.h"

#include <stddef.h>

#include "compose/compose.h"
#include "plan/rest.h"
#include "plan/rhythm.h"
#include "plan/zone.h"
#include "rules/findings.h"
#include "settings.h"

static void
house_check(const struct rulebase *rb, struct findings *f)
{
	struct rest *r =
	    rest_new(&rb->house, day_of(YEAR_MIN, 1, 1), day_of(YEAR_MAX, 12, 31), f);

	rest_free(&r);
	if (rb->house.time_zone != NULL && zone_find(rb->house.time_zone) == NULL)
		finding_add(f, "E004", rb->house.zone_place,
		    "'%.60s' is not a zone such as Europe/Amsterdam", rb->house.time_zone);
}

int
rules_open(const struct settings *s, const char *dir, struct findings *f,
    struct rulebase **ret_rb, struct compose **ret_compose)
{
	struct house_style style = { .base_url = s->base_url, .from = s->from,
		.organisation = s->organisation, .words_dir = s->words };
	struct rulebase *rb = NULL;
	int rc = rulebase_read(dir, f, &rb);

	*ret_rb = NULL;
	*ret_compose = NULL;
	if (rc < 0)
		return rc;
	house_check(rb, f);
	rhythm_check(rb, f);
	*ret_compose = compose_new(rb, &style, f);
	if (*ret_compose == NULL || findings_errors(f) > 0) {
		compose_free(ret_compose);
		rulebase_free(&rb);
		return 0;
	}
	*ret_rb = rb;
	return 0;
}
