/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays a square wave of 16-bit stereo at 48 kHz through OSS (linux/soundcard.h), at full volume.
 *
 * usage: play-tone MILLISECONDS [HALF_PERIOD [AMPLITUDE]]     HALF_PERIOD in frames, default 48
 *
 * Prints "frames=N" when the device has played all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/soundcard.h>
#include <unistd.h>

#define RATE 48000

static void fail(const char *what)
{
    fprintf(stderr, "play-tone: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void set(int fd, unsigned long request, int value, const char *what)
{
    int given = value;
    if (ioctl(fd, request, &given) < 0 || given != value)
        fail(what);
}

/* A codec starts muted. */
static void unmute(void)
{
    int mixer = open("/dev/mixer", O_RDWR);
    int full = 100 | (100 << 8);
    if (mixer < 0 || ioctl(mixer, SOUND_MIXER_WRITE_VOLUME, &full) < 0)
        fail("/dev/mixer: volume");
    full = 100 | (100 << 8);
    if (ioctl(mixer, SOUND_MIXER_WRITE_PCM, &full) < 0)
        fail("/dev/mixer: pcm");
    close(mixer);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: play-tone MILLISECONDS [HALF_PERIOD [AMPLITUDE]]\n");
        return 2;
    }
    unsigned long frames = strtoul(argv[1], NULL, 0) * RATE / 1000;
    unsigned long half = argc > 2 ? strtoul(argv[2], NULL, 0) : 48;
    int16_t amplitude = argc > 3 ? (int16_t)strtol(argv[3], NULL, 0) : 8192;
    int16_t buffer[2 * 1024];

    if (half == 0)
        half = 1;
    unmute();
    int dsp = open("/dev/dsp", O_WRONLY);
    if (dsp < 0)
        fail("/dev/dsp");
    set(dsp, SNDCTL_DSP_SETFMT, AFMT_S16_LE, "format");
    set(dsp, SNDCTL_DSP_CHANNELS, 2, "channels");
    set(dsp, SNDCTL_DSP_SPEED, RATE, "rate");
    for (unsigned long done = 0; done < frames;) {
        size_t count = frames - done < 1024 ? frames - done : 1024;
        for (size_t i = 0; i < count; i++)
            buffer[2 * i] = buffer[2 * i + 1] = (done + i) / half % 2 ? (int16_t)-amplitude : amplitude;
        size_t bytes = count * 2 * sizeof *buffer;
        for (size_t written = 0; written < bytes;) {
            ssize_t now = write(dsp, (char *)buffer + written, bytes - written);
            if (now <= 0)
                fail("write");
            written += (size_t)now;
        }
        done += count;
    }
    if (ioctl(dsp, SNDCTL_DSP_SYNC, NULL) < 0)
        fail("sync");
    close(dsp);
    printf("frames=%lu\n", frames);
    return 0;
}
