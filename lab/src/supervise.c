/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs QEMU and carries one command's standard streams into the machine that it emulates (see wire.h).
 *
 * usage: supervise TIMEOUT TTY LOG COUNT QEMU-ARGUMENT... COMMAND [ARGUMENT...]
 *
 * TIMEOUT: seconds, 0 for none. TTY: 1 to give the command a terminal. LOG: file that takes QEMU's messages.
 * COUNT: how many arguments make up QEMU's command line. QEMU finds its ends of the ports as descriptors 10 to 13
 * (in, out, err, ctl). The exit status is the command's; 124 after a timeout; 125 when the machine ended before the
 * command did; 128 + n after signal n. QEMU dies with this process, whichever way this process ends.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>

#define STATUS_TIMEOUT 124
#define STATUS_LAB_FAILED 125
#define FIRST_QEMU_FD 10

enum { IN, OUT, ERR, CTL, PORTS };

static struct {
    pid_t qemu;
    int ports[PORTS];
    struct flow streams[3];
    int timer;
    int signals;
    bool tty;
    const char *log;
    char **command;
    char line[128]; /* the ctl line being read */
    size_t line_length;
    bool ready;
    bool told_closed[3];
    bool finished;
    int status;
    unsigned long long expect[3]; /* bytes that the command wrote, known once finished */
} lab;

static bool have_terminal_state;
static struct termios terminal_state;

static void die(const char *what)
{
    fprintf(stderr, "lab/run: %s: %s\n", what, strerror(errno));
    exit(STATUS_LAB_FAILED);
}

static void restore_terminal(void)
{
    if (have_terminal_state)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_state);
}

static void make_terminal_raw(void)
{
    if (tcgetattr(STDIN_FILENO, &terminal_state) != 0)
        return;
    struct termios raw = terminal_state;
    cfmakeraw(&raw);
    have_terminal_state = true;
    atexit(restore_terminal);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

/* QEMU ends on SIGTERM and removes its sockets on the way; one that does not is killed after two seconds. */
static void end_qemu(void)
{
    if (lab.qemu <= 0)
        return;
    kill(lab.qemu, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(lab.qemu, NULL, WNOHANG) != 0) {
            lab.qemu = 0;
            return;
        }
        usleep(10 * 1000);
    }
    kill(lab.qemu, SIGKILL);
    waitpid(lab.qemu, NULL, 0);
    lab.qemu = 0;
}

static void start_qemu(char **argv)
{
    int ends[PORTS];
    for (int i = 0; i < PORTS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            die("socketpair");
        /* Above the numbers that QEMU is told. */
        ends[i] = fcntl(pair[1], F_DUPFD_CLOEXEC, FIRST_QEMU_FD + PORTS);
        close(pair[1]);
        lab.ports[i] = fcntl(pair[0], F_DUPFD_CLOEXEC, FIRST_QEMU_FD + PORTS);
        close(pair[0]);
        if (ends[i] < 0 || lab.ports[i] < 0 || fcntl(lab.ports[i], F_SETFL, O_NONBLOCK) != 0)
            die("socketpair");
    }

    pid_t self = getpid();
    lab.qemu = fork();
    if (lab.qemu < 0)
        die("fork");
    if (lab.qemu == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) /* the parent ended before prctl */
            _exit(STATUS_LAB_FAILED);
        setpgid(0, 0); /* the terminal's Ctrl-C is for the supervisor */
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        int null = open("/dev/null", O_RDWR);
        int log = open(lab.log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (null < 0 || log < 0)
            die(lab.log);
        dup2(null, STDIN_FILENO);
        for (int i = 0; i < PORTS; i++)
            dup2(ends[i], FIRST_QEMU_FD + i);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execvp(argv[0], argv);
        die(argv[0]);
    }
    for (int i = 0; i < PORTS; i++)
        close(ends[i]);
}

/* ctl carries a few lines and one job of at most some 100 KB: waiting for room is fine. */
static void send_ctl(const void *data, size_t length)
{
    const char *bytes = data;
    while (length > 0) {
        ssize_t n = send(lab.ports[CTL], bytes, length, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = lab.ports[CTL], .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return; /* QEMU is gone; its end is noticed where it is waited for */
        }
    }
}

static struct winsize terminal_size(void)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    return size;
}

static void send_job(void)
{
    extern char **environ;
    char *job = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&job, &length);
    char *cwd = getcwd(NULL, 0);
    size_t count = 0;

    while (environ[count] != NULL)
        count++;
    if (stream == NULL)
        die("job");
    fprintf(stream, "%s%c%zu%c", cwd != NULL ? cwd : "/", 0, count, 0);
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s%c", environ[i], 0);
    for (char **argument = lab.command; *argument != NULL; argument++)
        fprintf(stream, "%s%c", *argument, 0);
    fclose(stream);
    free(cwd);

    char header[64];
    struct winsize size = terminal_size();
    int n = snprintf(header, sizeof header, "J %zu %d %d\n", length, lab.tty ? size.ws_row : 0, size.ws_col);
    send_ctl(header, (size_t)n);
    send_ctl(job, length);
    free(job);
}

static void take_ctl_line(const char *line)
{
    int status;
    unsigned long long out, err;

    if (strcmp(line, "R") == 0 && !lab.ready) {
        lab.ready = true;
        send_job();
    } else if (sscanf(line, "X %d %llu %llu", &status, &out, &err) == 3) {
        lab.finished = true;
        lab.status = status;
        lab.expect[OUT] = out;
        lab.expect[ERR] = err;
    }
}

/* Returns false once QEMU has closed its end. */
static bool read_ctl(void)
{
    char bytes[256];
    ssize_t n = read(lab.ports[CTL], bytes, sizeof bytes);
    if (retry(n))
        return true;
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            lab.line[lab.line_length] = '\0';
            take_ctl_line(lab.line);
            lab.line_length = 0;
        } else if (lab.line_length < sizeof lab.line - 1) {
            lab.line[lab.line_length++] = bytes[i];
        }
    }
    return n > 0;
}

static void pump_stdin(void)
{
    struct flow *in = &lab.streams[IN];
    flow_drain(in);
    if (in->ended && flow_empty(in) && !lab.told_closed[IN]) {
        lab.told_closed[IN] = true;
        shutdown(in->to, SHUT_WR); /* QEMU closes the port's host side: the agent reads end-of-file */
    }
}

/* Reports a reader that went away to the agent, so that the command gets its SIGPIPE. */
static void pump_output(int which)
{
    struct flow *f = &lab.streams[which];
    flow_drain(f);
    if (f->broken && !lab.told_closed[which]) {
        char line[] = {'C', ' ', (char)('0' + which), '\n'};
        lab.told_closed[which] = true;
        send_ctl(line, sizeof line);
    }
}

static bool output_delivered(int which)
{
    const struct flow *f = &lab.streams[which];
    return f->broken || (flow_empty(f) && (f->ended || f->total >= lab.expect[which]));
}

static void take_signal(void)
{
    struct signalfd_siginfo info;
    if (read(lab.signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGWINCH) {
        char line[64];
        struct winsize size = terminal_size();
        if (lab.tty && lab.ready)
            send_ctl(line, (size_t)snprintf(line, sizeof line, "W %d %d\n", size.ws_row, size.ws_col));
        return;
    }
    end_qemu();
    exit(128 + (int)info.ssi_signo);
}

static void fail_early(void)
{
    end_qemu();
    restore_terminal();
    have_terminal_state = false;
    fprintf(stderr, "lab/run: the emulated machine ended before the command did; its log is %s, its last lines:\n", lab.log);
    if (fork() == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        /* Warnings about features that TCG lacks appear at every start, and are harmless. */
        execlp("sh", "sh", "-c", "grep -av 'TCG doesn.t support' \"$1\" | tail -n 8", "sh", lab.log, (char *)NULL);
        _exit(1);
    }
    wait(NULL);
    exit(STATUS_LAB_FAILED);
}

static short wanted(const struct flow *f, bool reading)
{
    return (reading ? flow_empty(f) && !f->ended : !flow_empty(f)) ? (reading ? POLLIN : POLLOUT) : 0;
}

/* A descriptor without events to wait for is left out, or poll would always return for its hang-up. */
static struct pollfd watch(int fd, short events)
{
    return (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

static int run(void)
{
    while (!lab.finished || !output_delivered(OUT) || !output_delivered(ERR)) {
        struct flow *s = lab.streams;
        bool take_input = lab.ready && !lab.finished;
        struct pollfd p[] = {
            watch(lab.ports[CTL], POLLIN),
            watch(lab.signals, POLLIN),
            watch(lab.timer, POLLIN),
            watch(s[IN].from, take_input ? wanted(&s[IN], true) : 0),
            watch(s[IN].to, take_input ? wanted(&s[IN], false) : 0),
            watch(s[OUT].from, wanted(&s[OUT], true)),
            watch(s[OUT].to, wanted(&s[OUT], false)),
            watch(s[ERR].from, wanted(&s[ERR], true)),
            watch(s[ERR].to, wanted(&s[ERR], false)),
        };
        if (poll(p, sizeof p / sizeof *p, -1) < 0 && errno != EINTR)
            die("poll");
        if (p[1].revents != 0)
            take_signal();
        if (p[2].revents != 0) {
            end_qemu();
            restore_terminal();
            have_terminal_state = false;
            fprintf(stderr, "lab/run: timed out; the emulated machine's log is %s\n", lab.log);
            return STATUS_TIMEOUT;
        }
        if (p[3].revents != 0)
            flow_fill(&s[IN]);
        for (int which = OUT; which <= ERR; which++) {
            if (p[3 + 2 * which].revents != 0)
                flow_fill(&s[which]);
            if (!flow_empty(&s[which]) && (s[which].broken || p[4 + 2 * which].revents != 0))
                pump_output(which);
        }
        if (take_input)
            pump_stdin();
        if (p[0].revents != 0 && !read_ctl() && !lab.finished)
            fail_early();
    }
    end_qemu();
    return lab.status;
}

int main(int argc, char **argv)
{
    int count = argc > 4 ? atoi(argv[4]) : 0;
    if (count < 1 || argc < 5 + count + 1) {
        fprintf(stderr, "usage: supervise TIMEOUT TTY LOG COUNT QEMU-ARGUMENT... COMMAND [ARGUMENT...]\n");
        return STATUS_LAB_FAILED;
    }
    char **qemu = calloc((size_t)count + 1, sizeof *qemu);
    if (qemu == NULL)
        die("calloc");
    memcpy(qemu, argv + 5, (size_t)count * sizeof *qemu);
    int fd;
    do { /* descriptors 0 to 2 exist, whatever the caller closed */
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
    lab.tty = atoi(argv[2]) != 0;
    lab.log = argv[3];
    lab.command = argv + 5 + count;

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    lab.signals = signalfd(-1, &set, SFD_CLOEXEC);
    lab.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (lab.signals < 0 || lab.timer < 0)
        die("signalfd");
    struct itimerspec limit = {.it_value.tv_sec = atol(argv[1])};
    timerfd_settime(lab.timer, 0, &limit, NULL);

    start_qemu(qemu);
    free(qemu);
    if (lab.tty)
        make_terminal_raw();
    lab.streams[IN] = (struct flow){.from = STDIN_FILENO, .to = lab.ports[IN]};
    lab.streams[OUT] = (struct flow){.from = lab.ports[OUT], .to = STDOUT_FILENO};
    lab.streams[ERR] = (struct flow){.from = lab.ports[ERR], .to = STDERR_FILENO};
    return run();
}
