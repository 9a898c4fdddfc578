/* A wall clock that is wrong by as many milliseconds as a file says, for tests of one process:
 * loaded before the C library, it changes CLOCK_REALTIME alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long wrong_by(void) {
    const char *path = getenv("CCOIN_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    char text[32];
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    return atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result != 0 || clock != CLOCK_REALTIME) return result;
    long long ms = time->tv_sec * 1000LL + time->tv_nsec / 1000000 + wrong_by();
    time->tv_sec = ms / 1000;
    time->tv_nsec = ms % 1000 * 1000000 + time->tv_nsec % 1000000;
    return 0;
}
