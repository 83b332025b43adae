/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads or writes one register of a PCI function through its BAR, as often as asked, and says how long it took.
 *
 * usage: regread DEVICE BAR OFFSET WIDTH [COUNT [VALUE]]
 *
 * DEVICE: dddd:bb:ss.f. BAR: 0 to 5. WIDTH: 1, 2, 4 or 8 bytes. COUNT: default 1. VALUE: written instead of read.
 * Prints "value=0x... count=N ns=TOTAL ns_per_access=EACH". An I/O BAR is accessed by port instructions.
 * Where a driver owns the BAR, the guest's kernel needs iomem=relaxed on its command line for the mapping to succeed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define IORESOURCE_IO 0x100 /* linux/ioport.h */

static void fail(const char *what)
{
    fprintf(stderr, "regread: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* One line of the sysfs file "resource": start, end, flags. */
static void read_resource(const char *device, unsigned bar, uint64_t *start, uint64_t *end, uint64_t *flags)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/resource", device);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    for (unsigned i = 0; i <= bar; i++) {
        if (fscanf(file, "%" SCNx64 " %" SCNx64 " %" SCNx64, start, end, flags) != 3)
            fail(path);
    }
    fclose(file);
}

static uint64_t port_access(uint16_t port, unsigned width, uint64_t count, const uint64_t *value)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        switch (width) {
        case 1: if (value) outb((uint8_t)*value, port); else last = inb(port); break;
        case 2: if (value) outw((uint16_t)*value, port); else last = inw(port); break;
        default: if (value) outl((uint32_t)*value, port); else last = inl(port); break;
        }
    }
    return last;
}

static uint64_t memory_access(volatile void *at, unsigned width, uint64_t count, const uint64_t *value)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        switch (width) {
        case 1: if (value) *(volatile uint8_t *)at = (uint8_t)*value; else last = *(volatile uint8_t *)at; break;
        case 2: if (value) *(volatile uint16_t *)at = (uint16_t)*value; else last = *(volatile uint16_t *)at; break;
        case 4: if (value) *(volatile uint32_t *)at = (uint32_t)*value; else last = *(volatile uint32_t *)at; break;
        default: if (value) *(volatile uint64_t *)at = *value; else last = *(volatile uint64_t *)at; break;
        }
    }
    return last;
}

/* Maps only the page that contains an offset: the kernel sets up all page table entries of a mapping, and a BAR can have 64 GiB. */
static volatile uint8_t *map_page(const char *device, unsigned bar, uint64_t offset)
{
    char path[128];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/resource%u", device, bar);
    int fd = open(path, O_RDWR | O_SYNC);
    if (fd < 0)
        fail(path);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(offset & ~(page - 1)));
    if (memory == MAP_FAILED)
        fail(path);
    close(fd);
    return (volatile uint8_t *)memory + (offset & (page - 1));
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 7) {
        fprintf(stderr, "usage: regread DEVICE BAR OFFSET WIDTH [COUNT [VALUE]]\n");
        return 2;
    }
    unsigned bar = (unsigned)strtoul(argv[2], NULL, 0);
    uint64_t offset = strtoull(argv[3], NULL, 0);
    unsigned width = (unsigned)strtoul(argv[4], NULL, 0);
    uint64_t count = argc > 5 ? strtoull(argv[5], NULL, 0) : 1;
    uint64_t given = argc > 6 ? strtoull(argv[6], NULL, 0) : 0;
    const uint64_t *value = argc > 6 ? &given : NULL;
    uint64_t start, end, flags;

    read_resource(argv[1], bar, &start, &end, &flags);
    uint64_t size = end - start + 1;
    int io = (flags & IORESOURCE_IO) != 0;
    if (end == 0 || bar > 5 || (width != 1 && width != 2 && width != 4 && (width != 8 || io)) || offset > size - width) {
        fprintf(stderr, "regread: BAR %u of %s has no %u bytes at 0x%" PRIx64 "\n", bar, argv[1], width, offset);
        return 1;
    }
    /* A BAR smaller than a page need not start at a page boundary. */
    volatile uint8_t *memory = io ? NULL : map_page(argv[1], bar, offset + (start & (uint64_t)(sysconf(_SC_PAGESIZE) - 1)));
    if (io && iopl(3) != 0)
        fail("iopl");

    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t last = io ? port_access((uint16_t)(start + offset), width, count, value)
                       : memory_access(memory, width, count, value);
    clock_gettime(CLOCK_MONOTONIC, &after);
    uint64_t ns = (uint64_t)(after.tv_sec - before.tv_sec) * 1000000000u + (uint64_t)(after.tv_nsec - before.tv_nsec);
    printf("value=0x%0*" PRIx64 " count=%" PRIu64 " ns=%" PRIu64 " ns_per_access=%" PRIu64 "\n", (int)width * 2,
           value ? given : last, count, ns, count ? ns / count : 0);
    return 0;
}
