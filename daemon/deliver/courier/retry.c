#include "deliver/courier/retry.h"

enum { BASE_S = 60, FACTOR = 4, LEAST_S = 30, MOST_S = 3600 };

struct span
retry_span(int64_t attempts, double unit)
{
	int64_t seconds = BASE_S;
	int64_t us;

	for (int64_t i = 1; i < attempts && seconds < MOST_S; i++)
		seconds *= FACTOR;
	if (seconds > MOST_S)
		seconds = MOST_S;
	us = (int64_t)((double)seconds * 1e6 * unit);
	return (struct span){ us < SPAN_OF(LEAST_S, 1).us ? SPAN_OF(LEAST_S, 1).us : us };
}
