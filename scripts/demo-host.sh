#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo's part on a host: gives the NVMe disk ADDRESS to a guest and compares what both read. Writes the reason of a failure to FOLDER/why.
# usage: demo-host.sh ADDRESS KERNEL FOLDER   (FOLDER holds the guest's initrd and takes what is written)
set -euo pipefail

address=$1 kernel=$2 folder=$3
device=/sys/bus/pci/devices/$address
most=$((64 << 20))
PATH=$PATH:/usr/sbin:/sbin

step() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

fail() {
    echo "$*" > "$folder/why"
    exit 1
}

driver_of() {
    basename "$(readlink "$1/driver" 2> /dev/null || echo none)"
}

# set_driver DRIVER: gives the device to it.
set_driver() {
    modprobe "$1"
    echo "$1" > "$device/driver_override"
    [[ ! -e $device/driver ]] || echo "$address" > "$device/driver/unbind"
    echo "$address" > /sys/bus/pci/drivers_probe
    [[ $(driver_of "$device") == "$1" ]] || fail "$address can't be bound to $1"
}

result() {
    sed -n "s/^RESULT $1=//p" "$folder/console" | tr -d '\r' | tail -n 1
}

counter() {
    sed -n "s/^ *\"$1\": \([0-9]*\),*/\1/p" "$folder/stats.json" | tail -n 1
}

[[ $(id -u) == 0 ]] || fail "giving a device away needs root here: sudo ./demo $address"
[[ -e $device ]] || fail "this host has no PCI function $address: 'lspci -D' lists them"
[[ $(driver_of "$device") == nvme ]] || fail "$address is bound to $(driver_of "$device"): name an NVMe disk that the host's driver has"
disk=$(basename "$(find "$device"/nvme/*/ -maxdepth 1 -name 'nvme*n1' | head -n 1)")
[[ -n $disk ]] || fail "$address has no namespace to read"
! grep -q "^/dev/$disk" /proc/mounts /proc/swaps || fail "/dev/$disk is in use: name a spare disk"

step "1. The host's device, its driver and its IOMMU group"
lspci -nns "$address"
group=$(basename "$(readlink "$device/iommu_group" 2> /dev/null)") || fail "$address has no IOMMU group: is the IOMMU on?"
echo "driver: $(driver_of "$device"), disk: /dev/$disk"
echo "group $group: $(ls "/sys/kernel/iommu_groups/$group/devices" | tr '\n' ' ')"

step "2. What the host reads from it"
bytes=$(blockdev --getsize64 "/dev/$disk")
bytes=$((bytes < most ? bytes : most))
host_digest=$(head -c "$bytes" "/dev/$disk" | sha256sum | cut -d ' ' -f 1)
echo "SHA-256 of $bytes bytes: $host_digest"

step "3. Taken from the host's driver, given to vfio-pci"
trap 'set_driver nvme' EXIT
set_driver vfio-pci
echo "driver: $(driver_of "$device")"

step "4. A Linux guest with the device"
command=(out/hatchway run -c 1 -m 256M -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio -s "4:0,passthru,$address"
    --stats "$folder/stats.json" --kernel "$kernel" --initrd "$folder/initrd"
    --cmdline "console=ttyS0 quiet panic=-1 noxsave demo.bytes=$bytes" linuxguest)
for word in "${command[@]}"; do
    if [[ $word == *' '* ]]; then printf "'%s' " "$word"; else printf '%s ' "$word"; fi
done
echo
status=0
"${command[@]}" < /dev/null > "$folder/console" 2>&1 || status=$?
((status == 1)) || { cat "$folder/console"; fail "hatchway ended with status $status, not 1 for power off"; }
echo "lspci in the guest: $(result lspci)"
echo "driver:             $(result driver)"
echo "SHA-256, guest:     $(result sha256)"
echo "SHA-256, host:      $host_digest"
echo "interrupts:         $(result interrupts), from the device to the guest in the kernel"
echo "KVM exits:          $(counter exits), of which $(counter io_exits) for ports and $(counter mmio_exits) for memory"

[[ $(result sha256) == "$host_digest" ]] || fail "the guest read something else than the host"
[[ $(result driver) == nvme ]] || fail "the guest's driver is '$(result driver)'"
(($(result interrupts) > 0)) || fail "no interrupt arrived"

step "5. The guest has powered off (status $status): the host's driver takes the disk back"
trap - EXIT
set_driver nvme
# The driver probes in the background; the disk appears within ten seconds or not at all.
for _ in $(seq 100); do
    [[ ! -b /dev/$disk ]] || break
    sleep 0.1
done
[[ $(head -c "$bytes" "/dev/$disk" | sha256sum | cut -d ' ' -f 1) == "$host_digest" ]] || fail "the host can't read its disk any more"
echo "driver: $(driver_of "$device"), and the disk reads as before"
