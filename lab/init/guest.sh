#!/bin/busybox sh
# shellcheck shell=dash disable=SC2094 # a terminal is read and written
# SPDX-License-Identifier: BSD-2-Clause
# /init of L2, the guest: loads drivers for the devices that it finds, runs /run-me on the console if it exists (else a shell),
# and powers off.

/bin/busybox mkdir -p /bin /dev /proc /sys /tmp /run /root
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
hostname guest
ip link set lo up

# Twice, because a bus's driver adds devices.
for _ in 1 2; do
    find /sys/devices -name modalias -exec cat {} + | sort -u | xargs modprobe -abq 2> /dev/null
done

# The kernel lists the console's terminal last.
console=$(sed 's/.* //' /sys/class/tty/console/active)
console=/dev/${console:-ttyS0}

if [ -e /run-me ]; then
    # Raw: what the script prints arrives unchanged, and nothing typed is echoed.
    stty -F "$console" raw -echo
    sh /run-me < "$console" > "$console" 2>&1
else
    echo "No /run-me: a shell. It ends with 'exit'; the guest then powers off."
    setsid cttyhack sh < "$console" > "$console" 2>&1
fi
sync
poweroff -f
