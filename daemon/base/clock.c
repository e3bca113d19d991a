#include "base/clock.h"

#include <time.h>

static struct instant
clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (struct instant){ (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}

struct instant
clock_now(void)
{
	return clock_read(CLOCK_REALTIME);
}

struct instant
clock_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}
