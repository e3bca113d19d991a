/*
 * Which message, through which channel, from whom.
 *
 * Hard rules narrow the candidates; what is left is ranked by a key, smallest first:
 *
 *   1  the angle of the last contact again (when `vary` names angle)
 *   2  a text that is short of others of its angle, so that no angle is left over for the end,
 *      and a loss frame while there are more of them left than gain frames to put between
 *   3  the axes of `vary`, in order: how recently the value was used; channels in proportion to
 *      their weights
 *   4  a draw
 *
 * Two loss frames never follow each other, over all campaigns; a text comes back only when all
 * that are possible now were used as often.
 */
#include <assert.h>
#include <string.h>

#include "base/dice.h"
#include "people/person.h"
#include "plan/decide.h"

enum { CANDIDATES_MAX = 4096, NEVER = 1000, KEYS = 8 };

struct candidate {
	int message, messenger;
	enum channel channel;
	int64_t key[KEYS];
	uint64_t draw;
};
/* Working state of one choice. */
struct selection {
	const struct ask *a;
	int language[CANDIDATES_MAX]; /* per message: language to use, -1 not eligible */
	unsigned channels[CANDIDATES_MAX];
	unsigned messengers[CANDIDATES_MAX];
	int64_t fewest;               /* uses of the least used eligible text */
	int left_of_angle[64], left_gain, left_loss;
};

static bool
within(int64_t value, int64_t min, int64_t max)
{
	return (min < 0 || value >= min) && (max < 0 || value <= max);
}

static bool
moment_fits(const struct moment_tags *w, const struct history *h)
{
	if (w->first >= 0 && (w->first == 1) != (h->total == 0))
		return false;
	if (w->answered >= 0 && (w->answered == 1) != h->ever_answered)
		return false;
	if (w->done >= 0 && (w->done == 1) != h->done)
		return false;
	return within(h->total + 1, w->repeat_min, w->repeat_max) &&
	       within(h->unanswered, w->unanswered_min, w->unanswered_max);
}

/* The person's language, else the house's first; -1 when the message has neither. */
static int
message_language(const struct ask *a, const struct message *m)
{
	int mine = a->person->language[0] != '\0'
	    ? house_language(&a->rb->house, a->person->language)
	    : 0;

	if (mine >= 0 && m->text[mine].body != NULL)
		return mine;
	return m->text[0].body != NULL ? 0 : -1;
}

bool
ask_event_day(const struct ask *a, const struct message *m, bool *ret_moved)
{
	struct day day = day_add(a->today, (int32_t)m->event.days);

	if (!m->event.set)
		return false;
	if (a->rest != NULL && !rest_event_day(a->rest, a->own, a->today, &m->event, &day))
		return false;
	*ret_moved = day.n != a->today.n + (int32_t)m->event.days;
	return true;
}

static unsigned
message_channels(const struct ask *a, const struct message *m, enum reason *ret_why)
{
	unsigned bits = 0;
	bool moved;

	*ret_why = REASON_NO_CHANNEL;
	for (unsigned c = 0; c < CHANNELS; c++)
		if (a->campaign->weights[c] > 0 || a->only_message >= 0)
			bits |= 1u << c;
	if (m->channels != 0)
		bits &= m->channels;
	bits &= a->channels_ok;
	if (bits & 1u << CHANNEL_CALENDAR && !ask_event_day(a, m, &moved)) {
		bits &= ~(1u << CHANNEL_CALENDAR);
		if (m->event.set)
			*ret_why = REASON_EVENT_NO_DAY;
	}
	return bits;
}

static bool
loss_follows_loss(const struct ask *a, const struct message *m)
{
	const struct history *h = a->history;

	return m->frame == FRAME_LOSS &&
	       (h->last_frame == FRAME_LOSS || (h->n > 0 && h->contact[0].frame == FRAME_LOSS));
}

/* Why a message cannot be sent now; REASON_SENT when it can. */
static enum reason
message_judge(struct selection *s, int i, bool *ret_loss)
{
	const struct ask *a = s->a;
	const struct message *m = &a->campaign->messages[i];
	unsigned everyone = a->messengers_ok;
	enum reason why;

	if (a->only_message >= 0 ? i != a->only_message : m->follow_up)
		return REASON_NO_MESSAGE;
	if (!audience_matches(&m->audience, a->person) ||
	    (a->only_message < 0 && !moment_fits(&m->when, a->history)))
		return REASON_NO_MESSAGE;
	if (a->hidden != NULL && a->hidden[i])
		return REASON_FIGURES_HIDDEN;
	s->language[i] = message_language(a, m);
	if (s->language[i] < 0)
		return REASON_NO_LANGUAGE;
	s->channels[i] = message_channels(a, m, &why);
	if (s->channels[i] == 0)
		return why;
	s->messengers[i] = m->messenger_bits != 0 ? m->messenger_bits & everyone : everyone;
	if (s->messengers[i] == 0)
		return REASON_NO_MESSAGE;
	if (loss_follows_loss(a, m)) {
		*ret_loss = true;
		return REASON_LOSS_AVOIDED;
	}
	return REASON_SENT;
}

/* Find the eligible texts and count what is left; the best reason when there is none. */
static enum reason
selection_fill(struct selection *s, bool *ret_loss_avoided)
{
	static const enum reason rank[] = { REASON_LOSS_AVOIDED, REASON_FIGURES_HIDDEN,
		REASON_EVENT_NO_DAY, REASON_NO_CHANNEL, REASON_NO_LANGUAGE, REASON_NO_MESSAGE };
	const struct ask *a = s->a;
	unsigned seen = 0;
	bool any = false;

	for (size_t i = 0; i < a->campaign->n_messages; i++) {
		enum reason why = message_judge(s, (int)i, ret_loss_avoided);

		if (why != REASON_SENT) {
			s->language[i] = -1;
			for (unsigned r = 0; r < sizeof rank / sizeof *rank; r++)
				if (why == rank[r])
					seen |= 1u << r;
			continue;
		}
		if (!any || a->history->uses[i] < s->fewest)
			s->fewest = a->history->uses[i];
		any = true;
	}
	if (any)
		return REASON_SENT;
	for (unsigned r = 0; r < sizeof rank / sizeof *rank; r++)
		if (seen & 1u << r)
			return rank[r];
	return REASON_NO_MESSAGE;
}

static void
selection_count(struct selection *s)
{
	const struct campaign *c = s->a->campaign;

	for (size_t i = 0; i < c->n_messages; i++) {
		if (s->language[i] < 0 || s->a->history->uses[i] != s->fewest)
			continue;
		if (c->messages[i].angle >= 0 && c->messages[i].angle < 64)
			s->left_of_angle[c->messages[i].angle]++;
		if (c->messages[i].frame == FRAME_LOSS)
			s->left_loss++;
		else
			s->left_gain++;
	}
}

/* Contacts since a value was used, as a key: recent is large; never is 0. */
static int64_t
recency(const struct history *h, enum vary_axis axis, int value)
{
	for (int i = 0; i < h->n; i++) {
		const struct contact *c = &h->contact[i];
		int was = axis == VARY_ANGLE ? c->angle
		    : axis == VARY_CHANNEL   ? (int)c->channel
		    : axis == VARY_MESSENGER ? c->messenger
					     : c->message;

		if (was == value)
			return NEVER - i;
	}
	return 0;
}

/* Uses of a channel so far divided by its weight, in thousandths; the last one again comes last. */
static int64_t
channel_share(const struct ask *a, enum channel channel)
{
	int64_t uses = 0, weight = a->campaign->weights[channel];

	for (int i = 0; i < a->history->n; i++)
		uses += a->history->contact[i].channel == channel;
	return uses * 1000 / (weight > 0 ? weight : 1);
}

static int64_t
axis_key(const struct ask *a, enum vary_axis axis, const struct candidate *c)
{
	const struct message *m = &a->campaign->messages[c->message];
	const struct history *h = a->history;

	switch (axis) {
	case VARY_ANGLE:
		return recency(h, VARY_ANGLE, m->angle);
	case VARY_MESSENGER:
		return recency(h, VARY_MESSENGER, c->messenger);
	case VARY_CHANNEL:
		return channel_share(a, c->channel) +
		       (h->n > 0 && h->contact[0].channel == c->channel ? 1000000 : 0);
	case VARY_MESSAGE:
	default:
		return recency(h, VARY_MESSAGE, c->message);
	}
}

static bool
varies(const struct campaign *c, enum vary_axis axis)
{
	for (size_t i = 0; i < c->n_vary; i++)
		if (c->vary[i] == axis)
			return true;
	return false;
}

static void
candidate_rank(const struct selection *s, struct candidate *c)
{
	const struct ask *a = s->a;
	const struct message *m = &a->campaign->messages[c->message];
	int k = 0;

	memset(c->key, 0, sizeof c->key);
	if (varies(a->campaign, VARY_ANGLE)) {
		c->key[k++] =
		    a->history->n > 0 && m->angle >= 0 && a->history->contact[0].angle == m->angle;
		c->key[k++] = -(s->left_loss >= s->left_gain && m->frame == FRAME_LOSS);
		c->key[k++] = m->angle >= 0 && m->angle < 64 ? -s->left_of_angle[m->angle] : 0;
	}
	for (size_t i = 0; i < a->campaign->n_vary; i++)
		c->key[k++] = axis_key(a, a->campaign->vary[i], c);
	/* Weights hold even where channels are not asked to vary. */
	if (!varies(a->campaign, VARY_CHANNEL) && k < KEYS)
		c->key[k++] = channel_share(a, c->channel);
	assert(k <= KEYS);
	c->draw = dice_bits(a->seed, "choice", (uint64_t)a->occurrence,
	    (uint64_t)c->message << 16 | (uint64_t)c->messenger << 8 | (uint64_t)c->channel);
}

static int
candidate_compare(const struct candidate *a, const struct candidate *b)
{
	for (int i = 0; i < KEYS; i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	return 0;
}

/* With a trial the learned axis is drawn among what the hard rules leave: value, or -1 for free. */
static int
trial_value(const struct ask *a, const struct candidate *c)
{
	const struct message *m = &a->campaign->messages[c->message];

	switch (a->campaign->learn) {
	case LEARN_ANGLE:
		return m->angle;
	case LEARN_MESSAGE:
		return c->message;
	case LEARN_CHANNEL:
		return (int)c->channel;
	case LEARN_MESSENGER:
		return c->messenger;
	case LEARN_NONE:
	default:
		return -1;
	}
}

/* Call fn for every candidate among the least used texts. */
static void
candidates_each(struct selection *s, void (*fn)(struct selection *, struct candidate *, void *),
    void *arg)
{
	const struct ask *a = s->a;

	for (size_t i = 0; i < a->campaign->n_messages; i++) {
		if (s->language[i] < 0 || a->history->uses[i] != s->fewest)
			continue;
		for (unsigned ch = 0; ch < CHANNELS; ch++)
			for (unsigned ms = 0; (s->channels[i] & 1u << ch) && ms < 32; ms++)
				if (s->messengers[i] & 1u << ms) {
					struct candidate c = { .message = (int)i,
						.messenger = (int)ms,
						.channel = (enum channel)ch };

					candidate_rank(s, &c);
					fn(s, &c, arg);
				}
	}
}

struct arm_set {
	int64_t first_key; /* of the hard key: only candidates that share the best one take part */
	bool any;
	uint64_t arms[4]; /* bit set of values */
};

static void
arms_collect(struct selection *s, struct candidate *c, void *arg)
{
	struct arm_set *set = arg;
	int v = trial_value(s->a, c);

	if (v < 0 || v >= 256 || (set->any && c->key[0] > set->first_key))
		return;
	if (!set->any || c->key[0] < set->first_key) {
		*set = (struct arm_set){ .first_key = c->key[0], .any = true };
	}
	set->arms[v / 64] |= UINT64_C(1) << v % 64;
}

/* One arm, drawn evenly among those possible; -1 when nothing is drawn. */
static int
arm_draw(struct selection *s, double *ret_probability)
{
	struct arm_set set = { 0 };
	int n = 0, pick, v;

	if (s->a->campaign->learn == LEARN_NONE)
		return -1;
	candidates_each(s, arms_collect, &set);
	for (int i = 0; i < 4; i++)
		n += __builtin_popcountll(set.arms[i]);
	if (n < 2)
		return -1;
	pick = (int)dice_below(s->a->seed, "arm", (uint64_t)s->a->occurrence, 0, (uint64_t)n);
	for (v = 0; v < 256; v++)
		if (set.arms[v / 64] & UINT64_C(1) << v % 64 && pick-- == 0)
			break;
	*ret_probability = 1.0 / n;
	return v;
}

struct search {
	struct candidate best;
	bool any;
	int arm, ties;
};

static void
search_step(struct selection *s, struct candidate *c, void *arg)
{
	struct search *f = arg;
	int order;

	if (f->arm >= 0 && trial_value(s->a, c) != f->arm)
		return;
	order = f->any ? candidate_compare(c, &f->best) : -1;
	if (order > 0)
		return;
	f->ties = order == 0 ? f->ties + 1 : 1;
	if (order < 0 || c->draw < f->best.draw)
		f->best = *c;
	f->any = true;
}

/* Say what varied and what had to stay as it was. */
static void
tell_axis(const struct ask *a, enum vary_axis axis, bool same, struct reasons *r)
{
	static const enum reason varied[] = { REASON_VARIED_MESSAGE, REASON_VARIED_ANGLE,
		REASON_VARIED_CHANNEL, REASON_VARIED_MESSENGER };
	static const enum reason relaxed[] = { REASON_RELAXED_MESSAGE, REASON_RELAXED_ANGLE,
		REASON_RELAXED_CHANNEL, REASON_RELAXED_MESSENGER };

	if (varies(a->campaign, axis) && a->history->n > 0)
		reasons_add(r, same ? relaxed[axis] : varied[axis]);
}

static void
tell(const struct selection *s, const struct choice *c, struct reasons *r)
{
	const struct ask *a = s->a;
	const struct contact *last = &a->history->contact[0];

	tell_axis(a, VARY_MESSAGE, s->fewest > 0, r);
	tell_axis(a, VARY_ANGLE, c->angle == last->angle, r);
	tell_axis(a, VARY_CHANNEL, c->channel == last->channel, r);
	tell_axis(a, VARY_MESSENGER, c->messenger == last->messenger, r);
}

enum reason
vary_choose(const struct ask *a, struct choice *ret, struct reasons *reasons)
{
	struct selection s = { .a = a };
	struct search f = { .arm = -1 };
	double probability = 1;
	bool loss_avoided = false;
	enum reason why;

	assert(a->campaign->n_messages <= CANDIDATES_MAX);
	why = selection_fill(&s, &loss_avoided);
	if (why != REASON_SENT)
		return why;
	selection_count(&s);
	f.arm = arm_draw(&s, &probability);
	candidates_each(&s, search_step, &f);
	assert(f.any);
	*ret = (struct choice){
		.message = f.best.message,
		.angle = a->campaign->messages[f.best.message].angle,
		.messenger = f.best.messenger,
		.language = s.language[f.best.message],
		.channel = f.best.channel,
		.probability = probability / f.ties,
	};
	tell(&s, ret, reasons);
	if (loss_avoided)
		reasons_add(reasons, REASON_LOSS_AVOIDED);
	return REASON_SENT;
}
