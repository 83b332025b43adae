# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guest (L2): uses an NVMe disk, two NICs and QEMU's edu device through their drivers, as far as they are present.
# Prints "RESULT NAME=VALUE" lines. The kernel command line gives a NIC's network: hw.DRIVER=10.0.N.

parameter() {
    sed -n "s/.*\\b$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline
}

result() {
    echo "RESULT $*"
}

# Waits up to ten seconds for a path: drivers probe in the background.
await() {
    local i=0
    while [ ! -e "$1" ] && [ $i -lt 100 ]; do
        i=$((i + 1))
        usleep 100000
    done
    [ -e "$1" ]
}

interface_of() {
    for path in /sys/class/net/*; do
        case $(readlink "$path/device/driver") in
            */"$1") echo "${path##*/}" ;;
        esac
    done
}

has_device() {
    grep -qi "^PCI_ID=$1\$" /sys/bus/pci/devices/*/uevent
}

disk() {
    await /dev/nvme0n1 || { result nvme.sha256=missing; return; }
    result nvme.sha256="$(sha256sum < /dev/nvme0n1 | cut -d ' ' -f 1)"
    result nvme.bytes="$(blockdev --getsize64 /dev/nvme0n1)"
}

# ping_gateway NAME DRIVER...
ping_gateway() {
    name=$1
    shift
    for driver in "$@"; do
        interface=$(interface_of "$driver")
        [ -z "$interface" ] || break
    done
    network=$(parameter "hw.$name")
    if [ -z "$interface" ] || [ -z "$network" ]; then
        result "$name=missing"
        return
    fi
    ip link set "$interface" up
    # The link comes up, with an interrupt, some time after the interface.
    i=0
    while [ "$(cat "/sys/class/net/$interface/carrier")" != 1 ] && [ $i -lt 100 ]; do
        i=$((i + 1))
        usleep 100000
    done
    ip address add "$network.15/24" dev "$interface"
    result "$name.driver=$driver"
    # As RECEIVED/SENT.
    result "$name.ping=$(ping -c 3 -W 5 -I "$interface" "$network.2" | sed -n 's/^\(.*\) packets transmitted, \(.*\) packets received.*/\2\/\1/p')"
    ip address del "$network.15/24" dev "$interface"
}

edu() {
    await /dev/uio0 || { result edu=missing; return; }
    edu-test 3 | while read -r line; do
        result "edu.$line"
    done
    result edu.msi="$(cat /sys/class/uio/uio0/device/msi_irqs/* 2> /dev/null || echo none)"
}

lspci -nk
has_device 1b36:0010 && disk
has_device 8086:10d3 && ping_gateway e1000e e1000e
has_device 10ec:8139 && ping_gateway rtl8139 8139cp 8139too
has_device 1234:11e8 && edu
echo "BEGIN interrupts"
cat /proc/interrupts
echo "END interrupts"
echo "BEGIN kernel warnings"
dmesg -r | grep '^<[0-4]>'
echo "END kernel warnings"
result "done"
poweroff -f
