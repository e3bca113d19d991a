#include "loop/doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fail.h"

static int
address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof ret->sun_path)
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

int
doorbell_ring(const char *path, const char *what)
{
	struct sockaddr_un address;
	int fd, rung;

	if (address_of(path, &address) < 0)
		return 1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 1;
	rung = sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof address) >= 0;
	close(fd);
	return !rung;
}

bool
doorbell_is_heard(const char *path)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool heard = fd >= 0 && address_of(path, &address) == 0 &&
		     connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

	if (fd >= 0)
		close(fd);
	return heard;
}

int
doorbell_hang(const char *path)
{
	struct sockaddr_un address;
	int fd;

	if (address_of(path, &address) < 0)
		return FAIL(-ENAMETOOLONG, "the state folder's name is too long for a socket");
	unlink(path); /* ours: the lock of the state folder is held */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(path, 0600) < 0) {
		int rc = FAIL(-errno, "%s: %s", path, strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	return fd;
}
