/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol between supervise (on the real machine) and agent (in L1).
 *
 * Three virtio-serial ports carry the command's stdin, stdout and stderr as plain bytes. A fourth, "ctl", carries
 * lines of text:
 *
 *   agent -> supervise   R                    ready: every port is connected
 *   supervise -> agent   J LENGTH ROWS COLS   the job follows in LENGTH bytes; ROWS is 0 for no terminal
 *                        W ROWS COLS          the terminal's size changed
 *                        C 1, C 2             the reader of stdout (1) or stderr (2) went away
 *   agent -> supervise   X STATUS OUT ERR     the command ended; OUT and ERR bytes were written in all
 *
 * The job is a list of NUL-terminated strings: working folder, number of environment strings, these, the arguments.
 * The byte counts close a race: the ports are separate queues, so X may overtake the last bytes of output.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define PORT_IN "hatchway.in"
#define PORT_OUT "hatchway.out"
#define PORT_ERR "hatchway.err"
#define PORT_CTL "hatchway.ctl"

/* A write to a pipe that poll(2) calls writable never blocks up to PIPE_BUF bytes (pipe(7)). */
#define CHUNK 4096

/* Bytes on their way from one descriptor to another. Blocked on `from` when empty, on `to` when not. */
struct flow {
    int from;
    int to;
    size_t start;
    size_t end;
    uint64_t total; /* bytes delivered */
    bool ended;     /* `from` has no more */
    bool broken;    /* `to` takes no more: bytes are dropped, and not counted */
    char bytes[CHUNK];
};

static inline bool flow_empty(const struct flow *f)
{
    return f->start == f->end;
}

static inline bool retry(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Reads once, when the buffer is empty. Returns false when there was nothing to read. */
static inline bool flow_fill(struct flow *f)
{
    if (f->ended || !flow_empty(f))
        return false;
    ssize_t n = read(f->from, f->bytes, sizeof f->bytes);
    if (retry(n))
        return false;
    f->start = 0;
    f->end = n > 0 ? (size_t)n : 0;
    f->ended = n <= 0;
    return n > 0;
}

/* Writes once. Returns false when nothing could be written. */
static inline bool flow_drain(struct flow *f)
{
    if (flow_empty(f))
        return false;
    if (f->broken) {
        f->start = f->end;
        return true;
    }
    ssize_t n = write(f->to, f->bytes + f->start, f->end - f->start);
    if (retry(n))
        return false;
    if (n < 0) {
        f->broken = true;
        return true;
    }
    f->start += (size_t)n;
    f->total += (uint64_t)n;
    return true;
}

#endif
