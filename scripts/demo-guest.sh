# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# The demo's part in the guest: what it sees of the disk, and its digest. The kernel command line says how many bytes count.
bytes=$(sed -n 's/.*\bdemo.bytes=\([0-9]*\).*/\1/p' /proc/cmdline)
device=$(basename "$(dirname "$(dirname "$(readlink -f /sys/class/block/nvme0n1/device)")")")
echo "RESULT lspci=$(lspci -nn -s "$device")"
echo "RESULT driver=$(basename "$(readlink "/sys/bus/pci/devices/$device/driver")")"
echo "RESULT sha256=$(head -c "$bytes" /dev/nvme0n1 | sha256sum | cut -d ' ' -f 1)"
echo "RESULT interrupts=$(awk '/nvme/ { sum += $2 } END { print sum }' /proc/interrupts)"
