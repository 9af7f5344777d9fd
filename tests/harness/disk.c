// The disk of a process, below one folder: with so much room, and perhaps barred. Preloaded; both are in the file that
// PASSAGE_TESTS_DISK names, and may change at any time, and the folder is in PASSAGE_TESTS_DISK_BELOW.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct disk {
    // Bytes that may still be written; below 0 for as many as one likes.
    volatile int64_t room;
    volatile int64_t is_barred;
} *disk;
static const char *below;

__attribute__((constructor)) static void open_disk(void) {
    const char *path = getenv("PASSAGE_TESTS_DISK");
    below = getenv("PASSAGE_TESTS_DISK_BELOW");
    int file = path && below ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    void *page = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) {
        disk = page;
    }
}

static int is_below(const char *path) {
    size_t length = strlen(below);
    return strncmp(path, below, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int is_file_below(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = 0;
    return is_below(path);
}

ssize_t write(int file, const void *bytes, size_t length) {
    if (!disk || disk->room < 0 || !is_file_below(file)) {
        return syscall(SYS_write, file, bytes, length);
    }
    int64_t room = disk->room;
    if (room == 0 && length > 0) {
        errno = ENOSPC;
        return -1;
    }
    // As a disk does that has room for a part of it.
    ssize_t written = syscall(SYS_write, file, bytes, (int64_t)length < room ? length : (size_t)room);
    if (written > 0) {
        __sync_fetch_and_sub(&disk->room, written);
    }
    return written;
}

static int open_if_allowed(const char *path, int flags, mode_t mode) {
    if (disk && disk->is_barred && is_below(path)) {
        errno = EACCES;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open_if_allowed(path, flags, mode);
}
