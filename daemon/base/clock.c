#include "base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/dice.h"

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

/* Setting the clock by hand clears the kernel's flag, so it is evidence about the time as it is. */
static bool
is_synchronised(void)
{
	struct timex t = { .modes = 0 };

	return adjtimex(&t) >= 0 && (t.status & STA_UNSYNC) == 0;
}

void
clock_boot(char buf[static BOOT_TEXT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, BOOT_TEXT - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
}

/* Hidden from a process that systemd shows its own part of /proc only. */
static int64_t
boot_of(void)
{
	static int64_t own;
	char id[BOOT_TEXT];

	clock_boot(id);
	if (id[0] != '\0')
		return (int64_t)(hash_string(id) >> 1);
	if (own == 0)
		own = (int64_t)(dice_bits((uint64_t)clock_monotonic().us, "boot", (uint64_t)getpid(), 0) >> 1);
	return own;
}

void
clock_look(struct instant wall, struct clock_reading *ret)
{
	*ret = (struct clock_reading){
		.wall = wall,
		.up = { clock_read(CLOCK_BOOTTIME).us },
		.boot = boot_of(),
		.synchronised = is_synchronised(),
		.built = instant_seconds(BUILD_TIME),
	};
}
