#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the emulated host (L1): makes one virtual function of an NVMe controller that has its driver bound, gives it queues
# and vectors, brings it online and binds it to vfio-pci. Prints its address.
# usage: nvme-virtual-function.sh PHYSICAL-FUNCTION     as dddd:bb:ss.f
set -eu
device=/sys/bus/pci/devices/$1
controller=/dev/$(ls "$device/nvme")

# Virtualization Management (NVM Express Base 2.0, 5.29): CONTROLLER RESOURCE ACTION COUNT, resource 0 for queues and 1 for vectors.
# The request is struct nvme_admin_cmd (linux/nvme_ioctl.h): 72 bytes, opcode first, command dwords 10 and 11 at 40.
manage() {
    perl -e '
        my ($path, $controller, $resource, $action, $count) = @ARGV;
        open(my $file, "+<", $path) or die "$path: $!\n";
        my $command = pack("C x39 V V x24", 0x1c, $action | $resource << 8 | $controller << 16, $count);
        my $status = ioctl($file, 0xC0484E41, $command);
        defined $status or die "$path: virtualization management: $!\n";
        $status == 0 or die "$path: virtualization management: status $status\n";
    ' "$controller" "$@"
}

# Resources that the physical function holds become free at its next reset.
manage 0 1 1 0
manage 0 0 1 0
echo 1 > "$device/reset"
echo 0 > "$device/sriov_drivers_autoprobe"
echo 1 > "$device/sriov_numvfs"
manage 1 1 8 1
manage 1 0 8 2
manage 1 0 9 0
function=$(basename "$(readlink "$device/virtfn0")")
echo vfio-pci > "/sys/bus/pci/devices/$function/driver_override"
echo "$function" > /sys/bus/pci/drivers_probe
echo "$function"
