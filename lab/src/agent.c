/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first process of L1, once its file systems are mounted: takes one job from the supervisor (see wire.h), runs it
 * in a chroot and carries its standard streams.
 *
 * usage: agent ROOT
 */
#define _GNU_SOURCE
#include "wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#define PORT_WAIT_MS 10000

enum { IN, OUT, ERR, CTL, PORTS };

static const char *const port_names[PORTS] = {PORT_IN, PORT_OUT, PORT_ERR, PORT_CTL};

struct job {
    char *cwd;
    char **environment;
    char **arguments;
    unsigned short rows;
    unsigned short columns;
};

static int ports[PORTS];
static struct flow streams[3];
static int terminal = -1; /* the pseudo terminal's own side, when the job has one */
static pid_t child;

/* The kernel's console log is the only place to complain. Process 1 must not exit: that is a panic. */
static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "lab agent: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    exit(1);
}

static int find_port(const char *wanted)
{
    for (int id = 0; id < 32; id++) {
        char path[64], name[64];
        snprintf(path, sizeof path, "/sys/class/virtio-ports/vport0p%d/name", id);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        bool found = fgets(name, sizeof name, file) != NULL;
        fclose(file);
        name[strcspn(name, "\n")] = '\0';
        if (found && strcmp(name, wanted) == 0) {
            snprintf(path, sizeof path, "/dev/vport0p%d", id);
            return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
    }
    return -1;
}

/*
 * The ports are announced one after the other by messages from QEMU, and a port reads as end-of-file until its host
 * side is known to be connected. Neither has an event to wait for before the port is open.
 */
static void open_ports(void)
{
    for (int i = 0; i < PORTS; i++) {
        int waited = 0;
        while ((ports[i] = find_port(port_names[i])) < 0) {
            if (waited++ > PORT_WAIT_MS)
                fail("no port named %s", port_names[i]);
            usleep(1000);
        }
        struct pollfd p = {.fd = ports[i], .events = POLLOUT};
        while (poll(&p, 1, 0) >= 0 && (p.revents & POLLHUP) != 0) {
            if (waited++ > PORT_WAIT_MS)
                fail("port %s is not connected", port_names[i]);
            usleep(1000);
        }
    }
}

static void send_ctl(const char *format, ...)
{
    char line[128];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    while (write(ports[CTL], line, (size_t)length) < 0) {
        struct pollfd p = {.fd = ports[CTL], .events = POLLOUT};
        if (!retry(-1))
            fail("ctl: %s", strerror(errno));
        poll(&p, 1, -1);
    }
}

static void read_ctl_exactly(char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = read(ports[CTL], bytes, length);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (retry(n)) {
            struct pollfd p = {.fd = ports[CTL], .events = POLLIN};
            poll(&p, 1, -1);
        } else {
            fail("ctl closed");
        }
    }
}

static void read_ctl_line(char *line, size_t room)
{
    size_t length = 0;
    do {
        read_ctl_exactly(line + length, 1);
    } while (line[length++] != '\n' && length < room - 1);
    line[length] = '\0';
}

static struct job read_job(void)
{
    char line[64];
    size_t length;
    struct job job = {0};

    read_ctl_line(line, sizeof line);
    if (sscanf(line, "J %zu %hu %hu", &length, &job.rows, &job.columns) != 3)
        fail("not a job: %s", line);
    char *bytes = malloc(length);
    if (bytes == NULL)
        fail("no memory for the job");
    read_ctl_exactly(bytes, length);

    size_t strings = 0;
    for (size_t i = 0; i < length; i++)
        strings += bytes[i] == '\0';
    char **all = calloc(strings + 2, sizeof *all); /* a NULL after the environment, a NULL at the end */
    char *next = bytes;
    job.cwd = next;
    next += strlen(next) + 1;
    size_t count = strtoul(next, NULL, 10);
    next += strlen(next) + 1;
    job.environment = all;
    job.arguments = all + count + 1;
    for (size_t i = 0; i < strings - 2; i++) {
        all[i < count ? i : i + 1] = next;
        next += strlen(next) + 1;
    }
    return job;
}

/* In the child. Messages go where the command's own would. */
static void run_command(const struct job *job, const char *root)
{
    extern char **environ;

    setsid();
    if (job->rows != 0)
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    umask(022);
    environ = job->environment;
    if (chroot(root) != 0 || chdir(job->cwd) != 0) {
        dprintf(STDERR_FILENO, "lab/run: %s: %s in the emulated machine\n", job->cwd, strerror(errno));
        _exit(125);
    }
    execvp(job->arguments[0], job->arguments);
    dprintf(STDERR_FILENO, "lab/run: %s: %s\n", job->arguments[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static void set_size(unsigned short rows, unsigned short columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (terminal >= 0)
        ioctl(terminal, TIOCSWINSZ, &size);
}

static int open_terminal(const struct job *job)
{
    char path[64];
    terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0 || ptsname_r(terminal, path, sizeof path) != 0)
        fail("terminal: %s", strerror(errno));
    set_size(job->rows, job->columns);
    int side = open(path, O_RDWR | O_NOCTTY);
    if (side < 0)
        fail("%s: %s", path, strerror(errno));
    fcntl(terminal, F_SETFL, O_NONBLOCK);
    streams[IN] = (struct flow){.from = ports[IN], .to = terminal};
    streams[OUT] = (struct flow){.from = terminal, .to = ports[OUT]};
    streams[ERR] = (struct flow){.from = -1, .to = ports[ERR], .ended = true};
    return side;
}

static void start(const struct job *job, const char *root)
{
    int theirs[3];
    if (job->rows != 0) {
        theirs[0] = theirs[1] = theirs[2] = open_terminal(job);
    } else {
        for (int i = IN; i <= ERR; i++) {
            int ends[2];
            if (pipe2(ends, O_CLOEXEC) != 0)
                fail("pipe: %s", strerror(errno));
            int ours = i == IN ? ends[1] : ends[0];
            theirs[i] = i == IN ? ends[0] : ends[1];
            fcntl(ours, F_SETFL, O_NONBLOCK);
            streams[i] = i == IN ? (struct flow){.from = ports[i], .to = ours} : (struct flow){.from = ours, .to = ports[i]};
        }
    }
    child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0) {
        /* The three may have one another's numbers: move them out of the way first, then into place. */
        for (int i = 0; i < 3; i++)
            theirs[i] = fcntl(theirs[i], F_DUPFD, 20);
        for (int i = 0; i < 3; i++) {
            dup2(theirs[i], i);
            close(theirs[i]);
        }
        run_command(job, root);
    }
    close(theirs[0]);
    if (job->rows == 0) {
        close(theirs[1]);
        close(theirs[2]);
    }
}

static void close_flow_to(struct flow *f)
{
    if (f->to >= 0 && f->to != terminal)
        close(f->to);
    f->to = -1;
}

static void pump_input(void)
{
    struct flow *in = &streams[IN];
    flow_fill(in);
    flow_drain(in);
    if (in->ended && flow_empty(in) && in->to >= 0) {
        if (terminal >= 0 && write(terminal, "\004", 1) < 0) /* Ctrl-D */
            return;
        close_flow_to(in);
    }
}

static void take_ctl(void)
{
    char line[64];
    int which;
    unsigned short rows, columns;

    read_ctl_line(line, sizeof line);
    if (sscanf(line, "C %d", &which) == 1 && (which == OUT || which == ERR)) {
        struct flow *f = &streams[which];
        f->broken = f->ended = true;
        if (f->from >= 0 && f->from != terminal)
            close(f->from); /* the command's next write raises SIGPIPE */
        f->from = -1;
    } else if (sscanf(line, "W %hu %hu", &rows, &columns) == 2) {
        set_size(rows, columns);
    }
}

/* Reaps all children that process 1 inherits. Returns true, with the status as a shell has it, once the command has ended. */
static bool reap(int *status)
{
    int raw;
    bool ended = false;
    for (pid_t pid; (pid = waitpid(-1, &raw, WNOHANG)) > 0;) {
        if (pid != child)
            continue;
        ended = true;
        *status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    }
    return ended;
}

/*
 * What the command wrote before it ended is in the pipes. Its children may go on writing, which is not waited for: a pipe
 * holds 64 KiB, so a limit well above that ends the loop.
 */
static void drain_output(struct flow *f)
{
    uint64_t limit = f->total + (1 << 20);
    while (!f->broken && f->total < limit) {
        flow_fill(f);
        if (flow_empty(f))
            return;
        if (!flow_drain(f)) {
            struct pollfd p = {.fd = f->to, .events = POLLOUT};
            poll(&p, 1, -1);
        }
    }
}

static int carry(int signals)
{
    int status = 0;
    while (true) {
        struct flow *s = streams;
        struct pollfd p[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = ports[CTL], .events = POLLIN},
            {.fd = !s[IN].ended && flow_empty(&s[IN]) ? s[IN].from : -1, .events = POLLIN},
            {.fd = !flow_empty(&s[IN]) ? s[IN].to : -1, .events = POLLOUT},
            {.fd = !s[OUT].ended && flow_empty(&s[OUT]) ? s[OUT].from : -1, .events = POLLIN},
            {.fd = !flow_empty(&s[OUT]) ? s[OUT].to : -1, .events = POLLOUT},
            {.fd = !s[ERR].ended && flow_empty(&s[ERR]) ? s[ERR].from : -1, .events = POLLIN},
            {.fd = !flow_empty(&s[ERR]) ? s[ERR].to : -1, .events = POLLOUT},
        };
        if (poll(p, sizeof p / sizeof *p, -1) < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        if (p[1].revents & POLLIN)
            take_ctl();
        if (p[2].revents != 0 || p[3].revents != 0)
            pump_input();
        for (int i = OUT; i <= ERR; i++) {
            flow_fill(&s[i]);
            flow_drain(&s[i]);
        }
        struct signalfd_siginfo info;
        if (p[0].revents != 0 && read(signals, &info, sizeof info) > 0 && reap(&status))
            return status;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: agent ROOT");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

    open_ports();
    send_ctl("R\n");
    struct job job = read_job();
    start(&job, argv[1]);
    int status = carry(signals);
    drain_output(&streams[OUT]);
    drain_output(&streams[ERR]);
    sync();
    send_ctl("X %d %llu %llu\n", status, (unsigned long long)streams[OUT].total, (unsigned long long)streams[ERR].total);
    while (true)
        pause();
}
