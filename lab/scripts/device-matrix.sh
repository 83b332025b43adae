# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guest (L2): uses every device that has a driver for its purpose, and prints "RESULT NAME=VALUE" lines. Names contain the
# device's slot in the guest, as SS.F. The kernel command line gives the network of the NIC in a slot, net.SS.F=10.0.N; and
# nvme_core.multipath=N keeps a namespace with the controller through which it was found.

parameter() {
    sed -n "s/.*\\b$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline
}

result() {
    echo "RESULT $*"
}

# Waits up to twenty seconds for a command to succeed: drivers probe in the background.
await() {
    i=0
    while ! "$@" > /dev/null 2>&1 && [ $i -lt 200 ]; do
        i=$((i + 1))
        usleep 100000
    done
}

# The slot, as SS.F, of the PCI function whose folder in /sys contains a path.
slot_of() {
    readlink -f "$1" | grep -o '/0000:00:[^/]*' | tail -n 1 | cut -d : -f 3
}

# The functions with a PCI id, as SS.F.
slots_with() {
    grep -il "^PCI_ID=$1\$" /sys/bus/pci/devices/*/uevent | sed 's|.*/0000:00:\([^/]*\)/uevent|\1|'
}

disks_are_there() {
    [ "$(find /sys/block -name 'nvme*' -o -name 'sd*' -o -name 'mmcblk*' | wc -l)" -ge "$(parameter disks)" ]
}

# Reads the whole disk; then writes at its end, reads that back, and restores the content. Always past the page cache.
disk() {
    slot=$(slot_of "/sys/block/$1/device")
    result "disk.$slot=$(dd "if=/dev/$1" bs=64k iflag=direct 2> /dev/null | sha256sum | cut -d ' ' -f 1)"
    last=$(($(cat "/sys/block/$1/size") / 128 - 1))
    dd "if=/dev/$1" of=/tmp/kept bs=64k skip=$last count=1 iflag=direct 2> /dev/null
    dd if=/dev/urandom of=/tmp/written bs=64k count=1 2> /dev/null
    dd if=/tmp/written "of=/dev/$1" bs=64k seek=$last oflag=direct conv=notrunc 2> /dev/null
    dd "if=/dev/$1" of=/tmp/read bs=64k skip=$last count=1 iflag=direct 2> /dev/null
    dd if=/tmp/kept "of=/dev/$1" bs=64k seek=$last oflag=direct conv=notrunc 2> /dev/null
    result "written.$slot=$(cmp /tmp/written /tmp/read && echo same)"
}

nic() {
    slot=$(slot_of "/sys/class/net/$1/device")
    network=$(parameter "net.$slot")
    [ -n "$network" ] || return
    ip link set "$1" up
    # The link comes up, with an interrupt, some time after the interface.
    await grep -q 1 "/sys/class/net/$1/carrier"
    ip address add "$network.15/24" dev "$1"
    # As RECEIVED/SENT.
    result "ping.$slot=$(ping -c 3 -W 5 -s 1400 -I "$1" "$network.2" |
        sed -n 's/^\(.*\) packets transmitted, \(.*\) packets received.*/\2\/\1/p')"
    ip address del "$network.15/24" dev "$1"
    ip link set "$1" down
}

edu() {
    edu-test 3 | while read -r line; do
        result "edu.$line"
    done
}

# Enables a device without a driver, which does not answer before that.
enable() {
    echo 1 > "/sys/bus/pci/devices/0000:00:$1/enable"
}

register() {
    regread "0000:00:$1" "$2" "$3" "$4" 1 $5 | sed 's/value=\([^ ]*\).*/\1/'
}

# QEMU docs/specs/pci-testdev.rst: writing a number selects a test; the header then says where to write which value, counts
# the writes that arrive, and names the test.
testdev() {
    for bar in 0 1; do
        register "$1" $bar 0 1 0 > /dev/null
        at=$(register "$1" $bar 4 4)
        value=$(register "$1" $bar 8 4)
        width=$(register "$1" $bar 1 1)
        before=$(register "$1" $bar 12 4)
        regread "0000:00:$1" $bar "$at" "$((width))" 5 "$value" > /dev/null
        result "testdev.$1.bar$bar=$(($(register "$1" $bar 12 4) - before))"
        # The name's characters are in memory order.
        result "testdev.$1.name$bar=$(printf '%b' "$(register "$1" $bar 16 4 | sed 's/0x\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/')")"
    done
}

ivshmem() {
    register "$1" 2 0xffff8 8 0x0123456789abcdef > /dev/null
    register "$1" 2 0xfff00 1 0x5a > /dev/null
    result "ivshmem.$1=$(register "$1" 2 0xffff8 8)"
    result "ivshmem.$1.word=$(register "$1" 2 0xffffe 2)"
}

# Every device on the bus that is not a hub: its first interface's class, that interface's driver, and the speed.
usb() {
    for path in /sys/bus/usb/devices/*:*; do
        [ "$(cat "$path/bInterfaceClass")" = 09 ] && continue
        result "usb.$(slot_of "$path")=$(cat "$path/bInterfaceClass") $(basename "$(readlink "$path/driver")") $(cat "${path%:*}/speed")"
    done
}

lspci -nk
# Disks behind USB and SD appear only after init has loaded drivers.
modprobe -a usb-storage usbhid sd_mod mmc_block
await disks_are_there
for path in /sys/block/nvme* /sys/block/sd* /sys/block/mmcblk?; do
    [ ! -e "$path" ] || disk "${path##*/}"
done
for path in /sys/class/net/*; do
    [ ! -e "$path/device" ] || nic "${path##*/}"
done
[ ! -e /dev/uio0 ] || edu
for slot in $(slots_with 1B36:0005); do enable "$slot"; testdev "$slot"; done
for slot in $(slots_with 1AF4:1110); do enable "$slot"; ivshmem "$slot"; done
usb
modprobe -a snd-pcm-oss snd-mixer-oss
[ ! -e /dev/dsp ] || result "sound=$(play-tone 500)"
for path in /sys/bus/pci/devices/*; do
    [ ! -e "$path/driver" ] || result "driver.${path##*:}=$(basename "$(readlink "$path/driver")")"
done
echo "BEGIN interrupts"
cat /proc/interrupts
echo "END interrupts"
echo "BEGIN kernel warnings"
dmesg -r | grep '^<[0-4]>'
echo "END kernel warnings"
result "done"
poweroff -f
