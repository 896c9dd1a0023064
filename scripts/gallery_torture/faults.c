/* Loaded with LD_PRELOAD: counts every call that changes files below one folder, and makes
 * the n-th of them fail, or ends the process before or in the middle of it. It sits below
 * Python and below the HDF5 library, so that it sees the writes of both.
 *
 * Each call is noted in memory that the parent shares, from which the parent knows what a
 * power cut at that instant might have lost.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF = 0, COUNT = 1, FAIL_ONCE = 2, FAIL_ON = 3, DIE = 4, TEAR = 5 };

struct call {
    uint64_t kind; /* 'c'reate 'w'rite 't'runcate 's'ync 'd'irectory sync 'r'ename 'u'nlink 'l'ink */
    uint64_t inode;
};

static struct {
    int mode, code;
    uint64_t at, limit;
    struct call *calls;
    uint64_t *count;
    char root[PATH_MAX];
} state;

void torture_arm(int mode, uint64_t at, int code, const char *root, uint64_t *count,
                 struct call *calls, uint64_t limit)
{
    strncpy(state.root, root, sizeof state.root - 1);
    state.code = code, state.at = at, state.count = count, state.calls = calls;
    state.limit = limit, *count = 0, state.mode = mode;
}

void torture_disarm(void) { state.mode = OFF; }

static int below_root(const char *path) { return strstr(path, state.root) == path; }

static int of_interest(int descriptor, struct stat *found)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return below_root(path) && fstat(descriptor, found) == 0;
}

/* 0: go on. 1: fail with errno set. 2: write half of it, then die. */
static int judge(char kind, uint64_t inode)
{
    uint64_t number = ++*state.count;
    int hit = number == state.at;
    if (number <= state.limit)
        state.calls[number - 1] = (struct call){(uint64_t)kind, inode};
    /* A full disk stays full, but files can still be removed and synced. */
    int allocates = kind == 'c' || kind == 'w' || kind == 't' || kind == 'l';
    if (hit && state.mode == TEAR && kind == 'w')
        return 2;
    if (hit && (state.mode == DIE || state.mode == TEAR))
        _exit(99);
    if ((hit && state.mode == FAIL_ONCE) ||
        (state.mode == FAIL_ON && number >= state.at && (allocates || hit))) {
        errno = state.code;
        return 1;
    }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_DESCRIPTOR(kind, descriptor, half, call)                                            \
    do {                                                                                       \
        struct stat found;                                                                     \
        if (state.mode != OFF && of_interest(descriptor, &found)) {                            \
            int verdict = judge(kind, found.st_ino);                                           \
            if (verdict == 1)                                                                  \
                return -1;                                                                     \
            if (verdict == 2) {                                                                \
                half;                                                                          \
                _exit(99);                                                                     \
            }                                                                                  \
        }                                                                                      \
        return call;                                                                           \
    } while (0)

ssize_t write(int fd, const void *data, size_t size)
{
    ON_DESCRIPTOR('w', fd, REAL(write)(fd, data, size / 2), REAL(write)(fd, data, size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    ON_DESCRIPTOR('w', fd, REAL(pwrite)(fd, data, size / 2, at), REAL(pwrite)(fd, data, size, at));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    ON_DESCRIPTOR('w', fd, REAL(pwrite64)(fd, data, size / 2, at),
                  REAL(pwrite64)(fd, data, size, at));
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    ON_DESCRIPTOR('w', fd, REAL(writev)(fd, pieces, count / 2), REAL(writev)(fd, pieces, count));
}

int ftruncate(int fd, off_t size) { ON_DESCRIPTOR('t', fd, , REAL(ftruncate)(fd, size)); }

int ftruncate64(int fd, off64_t size) { ON_DESCRIPTOR('t', fd, , REAL(ftruncate64)(fd, size)); }

static char sync_kind(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISDIR(found.st_mode) ? 'd' : 's';
}

int fsync(int fd) { ON_DESCRIPTOR(sync_kind(fd), fd, , REAL(fsync)(fd)); }

int fdatasync(int fd) { ON_DESCRIPTOR(sync_kind(fd), fd, , REAL(fdatasync)(fd)); }

#define ON_PATH(kind, path, call)                                                              \
    do {                                                                                       \
        if (state.mode != OFF && below_root(path) && judge(kind, 0) != 0)                      \
            return -1;                                                                         \
        return call;                                                                           \
    } while (0)

int rename(const char *from, const char *to) { ON_PATH('r', to, REAL(rename)(from, to)); }

int renameat(int a, const char *from, int b, const char *to)
{
    ON_PATH('r', to, REAL(renameat)(a, from, b, to));
}

int link(const char *from, const char *to) { ON_PATH('l', to, REAL(link)(from, to)); }

int linkat(int a, const char *from, int b, const char *to, int flags)
{
    ON_PATH('l', to, REAL(linkat)(a, from, b, to, flags));
}

int unlink(const char *path) { ON_PATH('u', path, REAL(unlink)(path)); }

#define OPENING(name)                                                                          \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        va_list rest;                                                                          \
        va_start(rest, flags);                                                                 \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                              \
        va_end(rest);                                                                          \
        if (state.mode != OFF && flags & (O_CREAT | O_TRUNC) && below_root(path) &&            \
            judge('c', 0) != 0)                                                                \
            return -1;                                                                         \
        return REAL(name)(path, flags, mode);                                                  \
    }

OPENING(open)
OPENING(open64)
