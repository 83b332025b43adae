#!/bin/busybox sh
# shellcheck shell=dash disable=SC2013 # local is known to busybox; the command line is read by words
# SPDX-License-Identifier: BSD-2-Clause
# /init of L1, the emulated host. Its parameters are words of the kernel command line:
#   lab.modules=BASE64     folder on the real machine that holds this kernel's modules
#   lab.writable=BASE64    folder of the real machine to mount read-write (repeatable; 9p tags w0, w1, ...)
#   lab.bind=LIST          slots (06,07.1,...) or "all": bound to vfio-pci
#   lab.first=BASE64       shell command to run before those drivers
#   lab.drivers            load the host's own drivers for all other lab devices
#   lab.kvm                load kvm-amd, and what works around a fault of the processor that QEMU emulates

/bin/busybox mkdir -p /bin /dev /proc /sys /root /lower /upper
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

fail() {
    echo "lab init: $*"
    poweroff -f
}

decode() {
    printf %s "$1" | base64 -d
}

# Every function in slots from 06 on, and every function behind a bridge. Bridges (header type 1) stay with the host.
lab_devices() {
    local path address slot header
    for path in /sys/bus/pci/devices/*; do
        address=${path##*/}
        slot=${address#*:*:}
        slot=$((0x${slot%.*}))
        case $address in
            0000:00:*) if [ $slot -lt 6 ] || [ $slot -eq 31 ]; then continue; fi ;;
        esac
        header=$(hexdump -s 14 -n 1 -e '1/1 "%d"' "$path/config")
        [ $((header & 127)) -eq 0 ] && echo "$address"
    done
}

is_wanted() {
    local word address=$1
    for word in $(echo "$2" | tr , ' '); do
        case $word in
            all) return 0 ;;
            *:*:*.*) ;;
            *:*.*) word=0000:$word ;;
            *.*) word=0000:00:$word ;;
            *:*) word=0000:$word.0 ;;
            *) word=0000:00:$word.0 ;;
        esac
        [ "$word" = "$address" ] && return 0
    done
    return 1
}

modprobe -a virtio_pci virtio_console 9pnet_virtio 9p overlay || fail "modules"

mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /lower || fail "the real machine's files"
mount -t tmpfs -o size=75%,mode=755 tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root || fail "overlay"

kvm='' bind='' drivers='' first='' writable=0
for word in $(cat /proc/cmdline); do
    value=${word#*=}
    case $word in
        lab.modules=*)
            modules=/root/lib/modules/$(uname -r)
            mkdir -p "$modules"
            mount --bind "/lower$(decode "$value")" "$modules" || fail "modules on the real machine"
            ;;
        lab.writable=*)
            path=/root$(decode "$value")
            mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap w$writable "$path" || fail "$path"
            writable=$((writable + 1))
            ;;
        lab.bind=*) bind=$bind,$value ;;
        lab.drivers) drivers=yes ;;
        lab.first=*) first=$(decode "$value") ;;
        lab.kvm) kvm='kvm_amd cr8_intercept' ;;
    esac
done

# shellcheck disable=SC2086 # no module when kvm is empty
modprobe -a vfio_pci vfio_iommu_type1 tun $kvm

other=''
for address in $(lab_devices); do
    if is_wanted "$address" "$bind"; then
        echo vfio-pci > /sys/bus/pci/devices/"$address"/driver_override
        echo "$address" > /sys/bus/pci/drivers_probe
        [ -e /sys/bus/pci/drivers/vfio-pci/"$address" ] || echo "lab init: $address could not be bound to vfio-pci"
    else
        other="$other $(cat /sys/bus/pci/devices/"$address"/modalias)"
    fi
done

hostname lab
ip link set lo up
mkdir -p /dev/pts /dev/shm /dev/hugepages
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t hugetlbfs hugetlbfs /dev/hugepages
mount -t debugfs debugfs /sys/kernel/debug
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
mount --rbind /dev /root/dev
mount --rbind /sys /root/sys
mount -t proc proc /root/proc
mount -t tmpfs -o mode=755 tmpfs /root/run

if [ -n "$first" ]; then
    PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot /root /bin/sh -c "$first" || echo "lab init: status $? of: $first"
fi
# shellcheck disable=SC2086 # a list
[ -z "$drivers" ] || chroot /root /sbin/modprobe -ab $other

exec /agent /root
