# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guest (L2), which has two CPUs, two SCSI or USB disks and a NIC: reads the disks whole, five times, and pings, while each
# of their interrupts is moved back and forth between the CPUs. Prints "RESULT NAME=VALUE" lines. The kernel command line gives the NIC's
# network: net=10.0.N.

# Waits up to twenty seconds for a command to succeed: drivers probe in the background.
await() {
    i=0
    while ! "$@" > /dev/null 2>&1 && [ $i -lt 200 ]; do
        i=$((i + 1))
        usleep 100000
    done
}

disks_are_there() {
    [ -e /dev/sda ] && [ -e /dev/sdb ]
}

read_disk() {
    for _ in 1 2 3 4 5; do
        dd if="/dev/$1" bs=64k iflag=direct 2> /dev/null | sha256sum
    done | sort | uniq -c > "/tmp/sums.$1"
}

# The numbers of the devices' interrupts.
interrupts() {
    sed -n -E 's/^ *([0-9]+):.*(xhci_hcd|sym53c8xx|eth0).*/\1/p' /proc/interrupts
}

move() {
    moves=0
    while [ ! -e /tmp/done ]; do
        for mask in 1 2; do
            for number in $(interrupts); do
                echo $mask > "/proc/irq/$number/smp_affinity" && moves=$((moves + 1))
            done
            usleep 20000
        done
    done
    echo $moves > /tmp/moves
}

modprobe -a usb-storage sd_mod
await disks_are_there
ip link set eth0 up
await grep -q 1 /sys/class/net/eth0/carrier
network=$(sed 's/.*net=\([^ ]*\).*/\1/' /proc/cmdline)
ip address add "$network.15/24" dev eth0
move &
mover=$!
read_disk sda &
first=$!
read_disk sdb &
second=$!
echo "RESULT ping=$(ping -c 10 -W 10 -s 1400 "$network.2" | sed -n 's/^\(.*\) packets transmitted, \(.*\) packets received.*/\2\/\1/p')"
wait $first $second
touch /tmp/done
wait $mover
for disk in sda sdb; do
    slot=$(readlink -f /sys/block/$disk/device | grep -o '/0000:00:[^/]*' | cut -d : -f 3)
    echo "RESULT disk.$slot=$(awk '{ print $1, $2 }' /tmp/sums.$disk)"
done
echo "RESULT moves=$(cat /tmp/moves)"
echo "BEGIN interrupts"
cat /proc/interrupts
echo "END interrupts"
echo "BEGIN kernel warnings"
dmesg -r | grep '^<[0-4]>'
echo "END kernel warnings"
poweroff -f
