/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests QEMU's "edu" device (docs/specs/edu.txt in QEMU) through the driver uio_edu: registers, interrupt and DMA.
 *
 * usage: edu-test [COUNT]     COUNT: interrupts to raise, default 1
 *
 * Prints one line "NAME=VALUE" per test and ends with status 0 when all passed. Everything is bounded in time: an
 * interrupt that does not come is an error after 5 s.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/uio0"
#define INTERRUPT_WAIT_MS 5000
#define STATUS_WAIT_S 5

enum registers {
    IDENTITY = 0x00,      /* 0xRRrr00ed: version R.r */
    LIVENESS = 0x04,      /* reads as the complement of what was written */
    FACTORIAL = 0x08,
    STATUS = 0x20,        /* bit 0: computing */
    INTERRUPT_RAISE = 0x60,
    DMA_SOURCE = 0x80,    /* the DMA registers are 64 bits wide */
    DMA_DESTINATION = 0x88,
    DMA_COUNT = 0x90,
    DMA_COMMAND = 0x98,
};

enum { DMA_START = 1, DMA_TO_MEMORY = 2, DMA_INTERRUPT = 4, DMA_BUFFER = 0x40000 };

static volatile uint8_t *registers;
static int device;
static bool failed;

static void fail(const char *what)
{
    printf("error=%s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t get(enum registers r)
{
    return *(volatile uint32_t *)(registers + r);
}

static void put(enum registers r, uint32_t value)
{
    *(volatile uint32_t *)(registers + r) = value;
}

static void put64(enum registers r, uint64_t value)
{
    *(volatile uint64_t *)(registers + r) = value;
}

static void *map(unsigned index, size_t size)
{
    /* linux/uio_driver.h: mapping N is at N pages. */
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)index * sysconf(_SC_PAGESIZE));
    if (memory == MAP_FAILED)
        fail("mmap");
    return memory;
}

static void result(const char *name, bool passed, const char *format, uint64_t value)
{
    printf("%s=", name);
    printf(format, (unsigned long long)value);
    printf("%s\n", passed ? "" : " FAILED");
    failed |= !passed;
}

/* Reading yields the interrupts so far. Returns how many came since the last call; 0 when none came in time. */
static uint32_t wait_interrupt(void)
{
    static uint32_t seen;
    uint32_t count;
    struct pollfd p = {.fd = device, .events = POLLIN};
    if (poll(&p, 1, INTERRUPT_WAIT_MS) != 1 || read(device, &count, sizeof count) != sizeof count)
        return 0;
    uint32_t came = count - seen;
    seen = count;
    return came;
}

static void test_registers(void)
{
    uint32_t identity = get(IDENTITY);
    result("identity", (identity & 0xffff) == 0x00ed, "0x%08llx", identity);
    put(LIVENESS, 0x12345678);
    uint32_t liveness = get(LIVENESS);
    result("liveness", liveness == ~0x12345678u, "0x%08llx", liveness);

    put(FACTORIAL, 10);
    time_t limit = time(NULL) + STATUS_WAIT_S;
    while ((get(STATUS) & 1) != 0 && time(NULL) <= limit) {
    }
    uint32_t factorial = get(FACTORIAL);
    result("factorial", factorial == 3628800, "%llu", factorial);
}

static void test_interrupts(unsigned count)
{
    unsigned came = 0;
    for (unsigned i = 0; i < count; i++) {
        put(INTERRUPT_RAISE, 1);
        came += wait_interrupt();
    }
    result("interrupts", came == count, "%llu", came);
}

static bool dma(uint64_t source, uint64_t destination, uint64_t count, uint64_t direction)
{
    put64(DMA_SOURCE, source);
    put64(DMA_DESTINATION, destination);
    put64(DMA_COUNT, count);
    put64(DMA_COMMAND, DMA_START | DMA_INTERRUPT | direction);
    return wait_interrupt() == 1;
}

static uint64_t dma_address(void)
{
    unsigned long long address;
    FILE *file = fopen("/sys/class/uio/uio0/device/dma_address", "r");
    if (file == NULL || fscanf(file, "%llx", &address) != 1)
        fail("the DMA page's address");
    fclose(file);
    return address;
}

/* Copies from memory to the device and back to another place in memory; an interrupt reports each end. */
static void test_dma(void)
{
    enum { LENGTH = 1000 };
    uint8_t *page = map(1, (size_t)sysconf(_SC_PAGESIZE));
    uint64_t address = dma_address();
    for (unsigned i = 0; i < LENGTH; i++)
        page[i] = (uint8_t)(i * 7 + i / 256);
    memset(page + 2048, 0, LENGTH);
    bool ended = dma(address, DMA_BUFFER, LENGTH, 0) && dma(DMA_BUFFER, address + 2048, LENGTH, DMA_TO_MEMORY);
    bool same = memcmp(page, page + 2048, LENGTH) == 0;
    result("dma", ended && same, "%llu", ended && same ? LENGTH : 0);
}

int main(int argc, char **argv)
{
    device = open(DEVICE, O_RDWR);
    if (device < 0)
        fail(DEVICE);
    registers = map(0, 1 << 20);
    test_registers();
    test_interrupts(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1);
    test_dma();
    return failed;
}
