/* LD_PRELOAD under airmaild: writes and syncs on files below AIRMAIL_SHIM_DIR are taped, and fail, wait or lie on order.
 * Only what goes through libc is seen: LMDB, SQLite and our own files do. lock.mdb and *-shm are shared memory, not watched. */
#define _GNU_SOURCE
#include "tests/e2e/crash/shim/disk_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { fds = 65536 };
enum { unknown = 0, not_ours = 1, ours = 2, ours_dsync = 3 };

static struct shim_orders fallback, *orders = &fallback;
static char directory[512];
static size_t directory_size;
static int tape = -1;
static unsigned char kind[fds];
static char (*names)[60];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *d = getenv("AIRMAIL_SHIM_DIR"), *o = getenv("AIRMAIL_SHIM_ORDERS"), *t = getenv("AIRMAIL_SHIM_TAPE");
    if (!d || strlen(d) + 2 > sizeof directory) return;
    names = calloc(fds, sizeof *names);
    if (o) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, o, O_RDWR | O_CLOEXEC, 0);
        void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (m != MAP_FAILED) orders = m;
        syscall(SYS_close, fd);
    }
    if (t) tape = (int)syscall(SYS_openat, AT_FDCWD, t, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    strcpy(directory, d);
    strcat(directory, "/");
    directory_size = strlen(directory);
    unsetenv("LD_PRELOAD");
}

static int below(const char *path) { return directory_size && strncmp(path, directory, directory_size) == 0; }

static int look(int fd) {
    if (fd < 0 || fd >= fds || !directory_size) return not_ours;
    if (kind[fd] != unknown) return kind[fd];
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return not_ours;
    path[n] = 0;
    size_t size = (size_t)n;
    if (!below(path) || (size > 8 && strcmp(path + size - 8, "lock.mdb") == 0) || (size > 4 && strcmp(path + size - 4, "-shm") == 0)) return kind[fd] = not_ours;
    snprintf(names[fd], sizeof names[fd], "%s", path + directory_size);
    return kind[fd] = fcntl(fd, F_GETFL) & O_DSYNC ? ours_dsync : ours;
}

static void forget(int fd) {
    if (fd >= 0 && fd < fds) kind[fd] = unknown;
}

/* Head and data in one append, numbered in the order of the tape. @return its number */
static uint64_t note(enum shim_op op, int dsync, const char *name, uint64_t offset, const void *data, size_t size) {
    if (tape < 0) return 0;
    struct shim_record r;
    memset(&r, 0, sizeof r);
    r.op = op, r.dsync = (uint32_t)dsync, r.offset = offset, r.size = (uint32_t)size;
    snprintf(r.name, sizeof r.name, "%s", name);
    pthread_mutex_lock(&lock);
    r.number = orders->events + 1;
    struct iovec v[2] = {{&r, sizeof r}, {(void *)data, size}};
    syscall(SYS_writev, tape, v, size ? 2 : 1);
    __atomic_store_n(&orders->events, r.number, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&lock);
    return r.number;
}

/* A slow disk is the event that the test waits for. */
static void wait_ms(uint32_t ms) {
    if (ms) poll(NULL, 0, (int)ms);
}

/* What every write does, around the real one. */
static ssize_t put(int fd, int how, uint64_t offset, const void *data, size_t size, ssize_t (*go)(void *), void *with) {
    if (orders->write_errno || (how == ours_dsync && orders->sync_errno)) {
        __atomic_add_fetch(&orders->writes_failed, 1, __ATOMIC_RELAXED);
        errno = (int)(orders->write_errno ? orders->write_errno : orders->sync_errno);
        return -1;
    }
    if (how == ours_dsync) wait_ms(orders->sync_delay_ms);
    /* Before it happens: what is on the disk is on the tape. A write that then fails or is short was asked for all the same. */
    uint64_t number = note(shim_write, how == ours_dsync, names[fd], offset, data, size);
    ssize_t n = go(with);
    if (how == ours_dsync && n == (ssize_t)size && !orders->sync_lies) note(shim_sync_ends, 1, names[fd], number, NULL, 0);
    return n;
}

struct call { int fd; const void *data; size_t size; off_t offset; const struct iovec *v; int count; };

static ssize_t go_pwrite(void *p) { struct call *c = p; return syscall(SYS_pwrite64, c->fd, c->data, c->size, c->offset); }
static ssize_t go_write(void *p) { struct call *c = p; return syscall(SYS_write, c->fd, c->data, c->size); }

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    struct call c = {.fd = fd, .data = data, .size = size, .offset = offset};
    int how = look(fd);
    ssize_t n = how >= ours ? put(fd, how, (uint64_t)offset, data, size, go_pwrite, &c) : go_pwrite(&c);
    return n;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

ssize_t write(int fd, const void *data, size_t size) {
    struct call c = {.fd = fd, .data = data, .size = size};
    int how = look(fd);
    if (how < ours) return go_write(&c);
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    return put(fd, how, (uint64_t)at, data, size, go_write, &c);
}

/* Gathered writes are asked for in one piece, so the tape has one record. */
static ssize_t gather(int fd, int how, const struct iovec *v, int count, off_t offset, int positioned) {
    size_t size = 0;
    for (int i = 0; i < count; ++i) size += v[i].iov_len;
    char *all = malloc(size ? size : 1), *to = all;
    for (int i = 0; i < count; ++i) memcpy(to, v[i].iov_base, v[i].iov_len), to += v[i].iov_len;
    struct call c = {.fd = fd, .data = all, .size = size, .offset = offset};
    if (!positioned) offset = lseek(fd, 0, SEEK_CUR);
    ssize_t n = put(fd, how, (uint64_t)offset, all, size, positioned ? go_pwrite : go_write, &c);
    int why = errno;
    free(all);
    errno = why;
    return n;
}

ssize_t writev(int fd, const struct iovec *v, int count) {
    int how = look(fd);
    return how >= ours ? gather(fd, how, v, count, 0, 0) : syscall(SYS_writev, fd, v, count);
}
ssize_t pwritev64(int fd, const struct iovec *v, int count, off_t offset) {
    int how = look(fd);
    if (how >= ours) return gather(fd, how, v, count, offset, 1);
    return syscall(SYS_pwritev, fd, v, count, (unsigned long)offset, 0ul);
}
ssize_t pwritev(int fd, const struct iovec *v, int count, off_t offset) { return pwritev64(fd, v, count, offset); }

static int sync_it(int fd, long number) {
    int how = look(fd);
    if (how < ours) return (int)syscall(number, fd);
    __atomic_add_fetch(&orders->syncs, 1, __ATOMIC_RELAXED);
    wait_ms(orders->sync_delay_ms);
    if (orders->sync_errno) {
        __atomic_add_fetch(&orders->syncs_failed, 1, __ATOMIC_RELAXED);
        errno = (int)orders->sync_errno;
        return -1;
    }
    if (orders->sync_lies) return 0;
    uint64_t begun = note(shim_sync_begins, 0, names[fd], 0, NULL, 0);
    /* A recorded disk is a tape: the real one need not turn for it. Without a tape it does. */
    int rc = tape >= 0 ? 0 : (int)syscall(number, fd);
    if (rc == 0) note(shim_sync_ends, 0, names[fd], begun, NULL, 0);
    return rc;
}
int fdatasync(int fd) { return sync_it(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_it(fd, SYS_fsync); }
int msync(void *at, size_t size, int flags) { return (int)syscall(SYS_msync, at, size, flags); }

int ftruncate64(int fd, off_t size) {
    int how = look(fd);
    if (how >= ours && orders->write_errno) return errno = (int)orders->write_errno, -1;
    if (how >= ours) note(shim_truncate, 0, names[fd], (uint64_t)size, NULL, 0);
    return (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to) {
    if (below(from) && below(to)) note(shim_rename, 0, from + directory_size, 0, to + directory_size, strlen(to + directory_size) + 1);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) {
    if (below(path)) note(shim_unlink, 0, path + directory_size, 0, NULL, 0);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int openat64(int dir, const char *path, int flags, ...) {
    va_list a;
    va_start(a, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, unsigned) : 0;
    va_end(a);
    if (below(path) && (flags & O_CREAT) && orders->write_errno && access(path, F_OK) != 0) return errno = (int)orders->write_errno, -1;
    if (below(path) && (flags & O_TRUNC)) note(shim_create, 0, path + directory_size, 0, NULL, 0);
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    forget(fd);
    return fd;
}
int open64(const char *path, int flags, ...) {
    va_list a;
    va_start(a, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, unsigned) : 0;
    va_end(a);
    return openat64(AT_FDCWD, path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list a;
    va_start(a, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(a, unsigned) : 0;
    va_end(a);
    return openat64(AT_FDCWD, path, flags, mode);
}
int close(int fd) {
    forget(fd);
    return (int)syscall(SYS_close, fd);
}
