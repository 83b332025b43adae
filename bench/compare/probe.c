/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bench/run measures with, the same program in the host (L1) and in the guests (L2). It knows nothing of who runs the guest.
 *
 *   probe bare port|memory COUNT             exits of a guest of two instructions, by raw KVM: what nobody can be below
 *   probe ticks                              how many ticks of the time-stamp counter a fifth of a second has
 *   probe port PORT COUNT                    4-byte reads of a port
 *   probe config BUS:SLOT.FUNCTION OFFSET COUNT
 *                                            4-byte reads of config space by CF8h and CFCh
 *   probe disk PATH DEPTH COUNT              4 KiB reads at random places, unbuffered, DEPTH of them under way
 *   probe serve PORT                         the far end of the next, for ever
 *   probe copy ADDRESS PORT in|out BYTES     one TCP connection
 *   probe until TEXT BYTES COMMAND [ARGUMENT...]
 *                                            starts the command; when it prints TEXT, adds up how long its threads have run, as
 *                                            "processor=NANOSECONDS", and what memory it has beside mappings of that many bytes, as
 *                                            "beyond=BYTES" (proportional, proc(5)), and ends it; fails when it prints nothing for a minute
 *
 * Each but serve prints "count=N ns=TOTAL". As a guest's /init it says that it is there, and no more.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define MOST_DEPTH 128u
#define COPY_BUFFER (64u << 10)
#define MOST_WAIT_MS 60000

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void tell(uint64_t count, uint64_t start)
{
    printf("count=%" PRIu64 " ns=%" PRIu64 "\n", count, now() - start);
}

static void start_in_protected_mode(int vcpu)
{
    struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1 };
    struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
    struct kvm_sregs system;
    check(ioctl(vcpu, KVM_GET_SREGS, &system) == 0, "KVM_GET_SREGS");
    system.cs = code;
    system.ds = system.es = system.ss = data;
    system.cr0 = 0x11; /* ET, PE */
    check(ioctl(vcpu, KVM_SET_SREGS, &system) == 0, "KVM_SET_SREGS");
    struct kvm_regs general = { .rip = 0x1000, .rflags = 2, .rsi = 0x10000000, .rdx = 0xed0 };
    check(ioctl(vcpu, KVM_SET_REGS, &general) == 0, "KVM_SET_REGS");
}

static void bare(const char *kind, uint64_t count)
{
    static const uint8_t port[] = { 0xed, 0xeb, 0xfd };         /* in eax, dx; jmp back */
    static const uint8_t memory[] = { 0x8b, 0x06, 0xeb, 0xfc }; /* mov eax, [esi]; jmp back */
    int by_port = strcmp(kind, "port") == 0;
    uint32_t expected = by_port ? KVM_EXIT_IO : KVM_EXIT_MMIO;
    int kvm = open("/dev/kvm", O_RDWR);
    check(kvm >= 0, "/dev/kvm");
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    check(vm >= 0, "KVM_CREATE_VM");
    check(ioctl(vm, KVM_CREATE_IRQCHIP, 0) == 0, "KVM_CREATE_IRQCHIP");
    uint8_t *ram = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(ram != MAP_FAILED, "mmap");
    memcpy(ram + 0x1000, by_port ? port : memory, by_port ? sizeof port : sizeof memory);
    struct kvm_userspace_memory_region region = { .memory_size = 1 << 20, .userspace_addr = (uint64_t)ram };
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "KVM_SET_USER_MEMORY_REGION");
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    check(vcpu >= 0, "KVM_CREATE_VCPU");
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    check(run != MAP_FAILED, "mmap of a vCPU");
    start_in_protected_mode(vcpu);
    uint64_t start = 0;
    /* The first exits fill caches and are not counted. */
    for (uint64_t i = 0; i < count + 100; i++) {
        if (i == 100)
            start = now();
        check(ioctl(vcpu, KVM_RUN, 0) == 0, "KVM_RUN");
        if (run->exit_reason != expected) {
            fprintf(stderr, "probe: KVM exit %u\n", run->exit_reason);
            exit(1);
        }
        if (by_port)
            *(uint32_t *)((uint8_t *)run + run->io.data_offset) = 0x12345678;
        else
            memcpy(run->mmio.data, "\x78\x56\x34\x12", 4);
    }
    tell(count, start);
}

static void ticks(void)
{
    uint64_t start = now(), first = __builtin_ia32_rdtsc();
    while (now() - start < 200000000)
        ;
    tell(__builtin_ia32_rdtsc() - first, start);
}

static void port(uint16_t number, uint64_t count)
{
    check(iopl(3) == 0, "iopl");
    uint64_t start = now();
    for (uint64_t i = 0; i < count; i++)
        inl(number);
    tell(count, start);
}

static void config(const char *function, uint32_t offset, uint64_t count)
{
    unsigned bus, slot, number;
    check(sscanf(function, "%x:%x.%x", &bus, &slot, &number) == 3, function);
    check(iopl(3) == 0, "iopl");
    uint64_t start = now();
    for (uint64_t i = 0; i < count; i++) {
        outl(0x80000000u | bus << 16 | slot << 11 | number << 8 | (offset & 0xfc), 0xcf8);
        inl(0xcfc);
    }
    tell(count, start);
}

/* A generator with the same sequence in each run: xorshift64. */
static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void disk(const char *path, unsigned depth, uint64_t count)
{
    static struct iocb blocks[MOST_DEPTH];
    struct io_event events[MOST_DEPTH];
    aio_context_t context = 0;
    int fd = open(path, O_RDONLY | O_DIRECT);
    check(fd >= 0, path);
    uint64_t places = (uint64_t)lseek(fd, 0, SEEK_END) / BLOCK;
    check(depth >= 1 && depth <= MOST_DEPTH && places > 0, "depth");
    uint8_t *buffers = aligned_alloc(BLOCK, depth * BLOCK);
    check(syscall(SYS_io_setup, depth, &context) == 0, "io_setup");
    uint64_t submitted = 0, done = 0;
    long free_blocks = depth;
    struct iocb *ready[MOST_DEPTH];
    for (unsigned i = 0; i < depth; i++)
        ready[i] = &blocks[i];
    uint64_t start = now();
    while (done < count) {
        long wanted = 0;
        for (; wanted < free_blocks && submitted < count; wanted++, submitted++) {
            struct iocb *block = ready[wanted];
            *block = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_nbytes = BLOCK,
                                    .aio_buf = (uint64_t)(buffers + (block - blocks) * BLOCK), .aio_data = (uint64_t)block,
                                    .aio_offset = (int64_t)(next_random() % places * BLOCK) };
        }
        if (wanted > 0)
            check(syscall(SYS_io_submit, context, wanted, ready) == wanted, "io_submit");
        free_blocks = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
        check(free_blocks > 0, "io_getevents");
        for (long i = 0; i < free_blocks; i++) {
            check(events[i].res == BLOCK, "read");
            ready[i] = (struct iocb *)events[i].data;
        }
        done += (uint64_t)free_blocks;
    }
    tell(count, start);
}

static uint8_t copy_buffer[COPY_BUFFER];

static void receive_all(int fd, uint64_t bytes)
{
    while (bytes > 0) {
        ssize_t got = read(fd, copy_buffer, bytes < sizeof copy_buffer ? bytes : sizeof copy_buffer);
        check(got > 0, "read from the connection");
        bytes -= (uint64_t)got;
    }
}

static void send_all(int fd, uint64_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = write(fd, copy_buffer, bytes < sizeof copy_buffer ? bytes : sizeof copy_buffer);
        check(sent > 0, "write to the connection");
        bytes -= (uint64_t)sent;
    }
}

/* A client's request: the server sends these bytes; or the client sends them, and gets one byte once all have arrived. */
struct request {
    uint64_t bytes, from_client;
};

static void serve(uint16_t port_number)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_number) };
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 1) == 0, "listen");
    for (;;) {
        struct request request;
        int fd = accept(listener, NULL, NULL);
        check(fd >= 0, "accept");
        check(read(fd, &request, sizeof request) == sizeof request, "request");
        if (request.from_client)
            receive_all(fd, request.bytes);
        send_all(fd, request.from_client ? 1 : request.bytes);
        close(fd);
    }
}

static void copy(const char *host, uint16_t port_number, const char *direction, uint64_t bytes)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_number), .sin_addr = { inet_addr(host) } };
    struct request request = { bytes, strcmp(direction, "out") == 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    uint64_t start = now();
    check(write(fd, &request, sizeof request) == sizeof request, "request");
    if (request.from_client)
        send_all(fd, bytes);
    receive_all(fd, request.from_client ? 1 : bytes);
    tell(bytes, start);
}

/* The memory of a process that is in RAM, each page divided by the number of processes that share it: proc(5), "Pss" in smaps. */
static uint64_t memory_beside(pid_t process, uint64_t bytes)
{
    char path[64], line[512];
    uint64_t start, end, pss, size = 0, sum = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)process);
    FILE *file = fopen(path, "r");
    check(file != NULL, path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
            size = end - start;
        else if (size != bytes && sscanf(line, "Pss: %" SCNu64 " kB", &pss) == 1)
            sum += pss << 10;
    }
    fclose(file);
    return sum;
}

/* The processor time, in nanoseconds, of the threads that a process has now (Documentation/scheduler/sched-stats.rst). */
static uint64_t processor_time(pid_t process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *tasks = opendir(path);
    check(tasks != NULL, path);
    uint64_t sum = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", process, task->d_name);
        FILE *file = task->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (file == NULL)
            continue;
        uint64_t time;
        if (fscanf(file, "%" SCNu64, &time) == 1) /* it has not ended just now */
            sum += time;
        fclose(file);
    }
    closedir(tasks);
    return sum;
}

static int until(const char *text, uint64_t guest_bytes, char **command)
{
    static char seen[1 << 16];
    int pipes[2];
    check(pipe(pipes) == 0, "pipe");
    uint64_t start = now();
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execvp(command[0], command);
        check(0, command[0]);
    }
    close(pipes[1]);
    size_t length = 0;
    ssize_t got = 0;
    int found = 0;
    struct pollfd output = { .fd = pipes[0], .events = POLLIN };
    while (!found && length < sizeof seen - 1 && poll(&output, 1, MOST_WAIT_MS) > 0
           && (got = read(pipes[0], seen + length, sizeof seen - 1 - length)) > 0) {
        length += (size_t)got;
        seen[length] = 0;
        found = memmem(seen, length, text, strlen(text)) != NULL;
    }
    if (found) {
        tell(1, start);
        printf("processor=%" PRIu64 "\n", processor_time(child));
        printf("beyond=%" PRIu64 "\n", memory_beside(child, guest_bytes));
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (!found)
        fprintf(stderr, "probe: '%s' never came:\n%s\n", text, seen);
    return !found;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 0);
}

int main(int argc, char **argv)
{
    if (getpid() == 1) {
        printf("the guest has an init\n");
        fflush(stdout);
        for (;;)
            pause();
    }
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "ticks") == 0 && argc == 2)
        ticks();
    else if (strcmp(what, "bare") == 0 && argc == 4)
        bare(argv[2], number(argv[3]));
    else if (strcmp(what, "port") == 0 && argc == 4)
        port((uint16_t)number(argv[2]), number(argv[3]));
    else if (strcmp(what, "config") == 0 && argc == 5)
        config(argv[2], (uint32_t)number(argv[3]), number(argv[4]));
    else if (strcmp(what, "disk") == 0 && argc == 5)
        disk(argv[2], (unsigned)number(argv[3]), number(argv[4]));
    else if (strcmp(what, "serve") == 0 && argc == 3)
        serve((uint16_t)number(argv[2]));
    else if (strcmp(what, "copy") == 0 && argc == 6)
        copy(argv[2], (uint16_t)number(argv[3]), argv[4], number(argv[5]));
    else if (strcmp(what, "until") == 0 && argc > 4)
        return until(argv[2], number(argv[3]), argv + 4);
    else {
        fprintf(stderr, "usage: see the beginning of probe.c\n");
        return 2;
    }
    return 0;
}
