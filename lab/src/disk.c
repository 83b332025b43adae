/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes BYTES bytes that depend only on SEED to standard output: the content of a lab disk. They are neither zero nor
 * repeating, so that a block that is missing, stale or misplaced changes the disk's digest.
 *
 * usage: disk BYTES SEED
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, even 0. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: disk BYTES SEED\n");
        return 2;
    }
    uint64_t left = strtoull(argv[1], NULL, 10);
    uint64_t state = strtoull(argv[2], NULL, 10);
    while (left > 0) {
        uint64_t word = next(&state);
        size_t n = left < sizeof word ? (size_t)left : sizeof word;
        if (fwrite(&word, 1, n, stdout) != n)
            return 1;
        left -= n;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
