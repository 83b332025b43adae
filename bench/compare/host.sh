# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the emulated host (L1) for bench/run: two guests side by side, one on Hatchway and one on QEMU, do the same work alternately.
# Writes "FIGURE CONTENDER VALUE" lines to one file for each group: one line for each repetition, in order.
#
# usage: host.sh RESULTS WORK PROGRAM NATIVE HANDLERS REGREAD KERNEL ROUNDS GROUP...
#
# The devices are two sets of pci-testdev and nvme, at 06 and 07 for Hatchway and at 08 and 09 for QEMU, and a pci-testdev at 0a for the
# host itself. For scale they are pci-testdevs, from 06 on; for vectors a pci-testdev and an nvme with 2048 vectors, which both use in turn.
set -euo pipefail

results=$1 work=$2 hatchway=$3 native=$4 handlers=$5 regread=$6 kernel=$7 rounds=$8 groups=("${@:9}")
probe=$work/probe
arguments='console=ttyS0 quiet panic=-1 noxsave'
memory=256

say() {
    printf '%(%T)T %s\n' -1 "$*"
}

# put FIGURE CONTENDER VALUE
put() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >> "$results/$group.tsv"
}

# record FIGURE CONTENDER COMMAND...: records the command's answer, as nanoseconds for one operation.
record() {
    local answer
    # The answer is parsed only once it is complete: on one CPU a parser that started earlier would be measured, too.
    answer=$("${@:3}") && answer=$(each <<< "$answer") || { say "$1 of $2 failed: ${*:3}"; exit 1; }
    put "$1" "$2" "$answer"
}

# Converts a probe's answer to nanoseconds for one operation.
each() {
    sed -nE 's/.*count=([0-9]+) ns=([0-9]+).*/\1 \2/p' | awk '{ print $2 / $1; found = 1 } END { exit !found }'
}

# Guests: input[NAME] and output[NAME] are descriptors of the guest's console, process[NAME] is the monitor's process.
declare -A input output process

# begin NAME COMMAND...: starts a monitor and waits for the guest's first prompt.
begin() {
    local name=$1 from to
    shift
    mkfifo "/tmp/$name.in" "/tmp/$name.out"
    "$@" < "/tmp/$name.in" > "/tmp/$name.out" 2> "/tmp/$name.log" &
    process[$name]=$!
    exec {to}> "/tmp/$name.in" {from}< "/tmp/$name.out"
    input[$name]=$to output[$name]=$from
    answer "$name" > /dev/null
}

# Prints the guest's output until its next prompt. Returns the status of the guest's command.
answer() {
    local line
    while IFS= read -r -t 300 -u "${output[$1]}" line; do
        line=${line%$'\r'}
        case $line in
            '=== '*) return "${line#=== }" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
    say "$1 does not answer" >&2
    cat "/tmp/$1.log" >&2
    return 1
}

# ask NAME COMMAND: runs a command in a guest.
ask() {
    printf '%s\n' "$2" >&"${input[$1]}"
    answer "$1"
}

# in_turns FIGURE COMMAND: records nanoseconds for one operation of a command in both guests, repeatedly.
in_turns() {
    local name
    for name in hatchway qemu; do
        record "$1" $name ask $name "$2"
    done
}

# trapped PREFIX CONTENDER COMMAND...: records nanoseconds for one access of each kind, for a guest that prints the ticks of 200 (exits.S).
# When the guest first enables vectors, that figure is the time for all of them.
trapped() {
    local name ticks answer one kinds=7
    # A guest with vectors prints one line more.
    [[ $kernel == */exits-0.elf ]] || kinds=8
    answer=$("${@:3}" < /dev/null 2> /tmp/trapped.log | grep -E '^[a-z-]+ [0-9a-f]{8}') || true
    (($(wc -l <<< "$answer") == kinds)) || { say "$2 did not measure all: $answer"; cat /tmp/trapped.log; exit 1; }
    while read -r name ticks; do
        one="/ 200"
        [[ $name != unmask ]] || one="* 1024"
        put "$1-$name" "$2" "$(awk "BEGIN { print $((0x${ticks%$'\r'})) * $tick $one }")"
    done <<< "$answer"
}

# Exits of a bare guest: those that KVM handles and those that the monitor handles. The clock counts instructions here.
alone() {
    local round tick kernel=$work/exits-0.elf ours q35
    tick=$("$probe" ticks | each)
    mapfile -t ours < <(ours 64)
    mapfile -t q35 < <(theirs 64 q35)
    for ((round = 0; round < rounds; round++)); do
        record alone-port bare "$probe" bare port 5000
        record alone-memory bare "$probe" bare memory 5000
        record alone-port-register bare "$regread" 0000:00:0a.0 1 0 4 10000
        record alone-memory-register bare "$regread" 0000:00:0a.0 0 0 4 10000
        trapped alone hatchway "${ours[@]}" -s "6:0,passthru,0/6/0,handler=$handlers" trapped
        trapped alone native "$native" "${ours[@]:1}" -s 6:0,passthru,0/6/0 trapped
        trapped alone qemu "${q35[@]}" -device vfio-pci,host=00:08.0,addr=6
    done
}

# The same with more devices, of two BARs each, and with more CPUs, which wait to be started.
scale() {
    local round tick count slot devices kernel=$work/exits-0.elf ours
    tick=$("$probe" ticks | each)
    for ((round = 0; round < rounds; round++)); do
        devices=()
        for count in 1 8 24; do
            for ((slot = 6 + ${#devices[@]} / 2; slot < 6 + count; slot++)); do
                devices+=(-s "$slot:0,passthru,0/$slot/0")
            done
            mapfile -t ours < <(ours 64)
            trapped scale $count "$native" "${ours[@]:1}" "${devices[@]}" scale
            started scale-start $count empty-port 64 "$native" "${ours[@]:1}" "${devices[@]}" scale
        done
        mapfile -t ours < <(ours 64 16)
        trapped scale cpus "$native" "${ours[@]:1}" "${devices[@]}" scale
        started scale-start cpus empty-port 64 "$native" "${ours[@]:1}" "${devices[@]}" scale
    done
}

# started FIGURE CONTENDER TEXT MEGABYTES COMMAND...: records a monitor's and its guest's processor time until the guest prints TEXT.
started() {
    local answer
    answer=$("$probe" until "$3" $(($4 << 20)) "${@:5}")
    put "$1" "$2" "$(sed -n 's/^processor=//p' <<< "$answer")"
}

# Starts of guests whose files are in the host's memory.
starts() {
    local round init=/tmp/init.cpio ours q35 microvm
    cp "$kernel" /tmp/vmlinux
    cp "$work/init.cpio" $init
    local kernel=/tmp/vmlinux
    mapfile -t ours < <(ours $memory)
    mapfile -t q35 < <(theirs $memory q35)
    mapfile -t microvm < <(theirs $memory microvm)
    for ((round = 0; round < rounds; round++)); do
        started start hatchway 'has an init' $memory "${ours[@]}" --initrd $init --cmdline "$arguments" start
        started start native 'has an init' $memory "$native" "${ours[@]:1}" --initrd $init --cmdline "$arguments" start
        started start qemu 'has an init' $memory "${q35[@]}" -initrd $init -append "$arguments"
        started start microvm 'has an init' $memory "${microvm[@]}" -initrd $init -append "$arguments"
    done
}

# Exits of the same bare guest beside a controller with none, some and all of MSI-X's 2048 vectors in use. For all of them QEMU takes
# minutes, and more than 1024 open files.
vectors() {
    local round tick kernel count ours q35
    tick=$("$probe" ticks | each)
    for ((round = 0; round < rounds; round++)); do
        for count in 0 256 2048; do
            kernel=$work/exits-$count.elf
            mapfile -t ours < <(ours 64)
            trapped vectors $count "$native" "${ours[@]:1}" -s 6:0,passthru,0/6/0 -s 7:0,passthru,0/7/0 vectors
            ! grep silent /tmp/trapped.log || exit 1
        done
        kernel=$work/exits-256.elf
        mapfile -t q35 < <(theirs 64 q35)
        trapped vectors qemu-256 "${q35[@]}" -device vfio-pci,host=00:06.0,addr=6 -device vfio-pci,host=00:07.0,addr=7
    done
}

# Many short rounds, because the machine's pace changes within seconds.
exits() {
    local round
    for ((round = 0; round < rounds * 8; round++)); do
        record bare-port bare "$probe" bare port 200
        record host-read bare "$regread" 0000:00:0a.0 1 0 4 10000
        in_turns empty-port "probe port 0xed0 200"
        in_turns io-bar "regread 0000:00:06.0 1 0 4 200"
        in_turns config-own "probe config 00:06.0 0 100"
        in_turns config-device "probe config 00:06.0 4 100"
        in_turns direct "regread 0000:00:07.0 0 0 4 10000"
        record handler hatchway ask hatchway "regread 0000:00:06.0 1 0x40 4 200"
    done
}

# ours MEGABYTES [CPUS]
ours() {
    printf '%s\n' "$hatchway" run -c "${2:-1}" -m "$1M" -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio --kernel "$kernel"
}

theirs() {
    printf '%s\n' qemu-system-x86_64 -M "$2" -accel kvm -cpu host -m "$1" -nodefaults -display none -no-reboot -serial stdio -kernel "$kernel"
}

# boot CONTENDER COMMAND...: records the time from exec to the guest's init, the guest's own part of it, which begins with its CPU's first
# instruction, and the monitor's memory at that point.
boot() {
    local answer whole tracing=/sys/kernel/tracing
    # The kernel keeps the time of the first entry and stops.
    echo mono > $tracing/trace_clock
    echo traceoff:1 > $tracing/events/kvm/kvm_entry/trigger
    echo 1 > $tracing/events/kvm/kvm_entry/enable
    echo 1 > $tracing/tracing_on
    echo exec > $tracing/trace_marker
    answer=$("$probe" until 'has an init' $((memory << 20)) "${@:2}") || { say "$1 did not boot"; exit 1; }
    echo 0 > $tracing/events/kvm/kvm_entry/enable
    echo '!traceoff' > $tracing/events/kvm/kvm_entry/trigger
    whole=$(each <<< "$answer")
    put boot "$1" "$whole"
    put boot-guest "$1" "$(sed -nE 's/^[^#].* ([0-9.]+): (tracing_mark_write|kvm_entry).*/\1/p' $tracing/trace |
        awk -v whole="$whole" 'NR == 1 { from = $1 } END { print whole - ($1 - from) * 1e9 }')"
    put memory "$1" "${answer##*beyond=}"
}

boots() {
    local round init=$work/init.cpio ours q35 microvm
    mapfile -t ours < <(ours $memory)
    mapfile -t q35 < <(theirs $memory q35)
    mapfile -t microvm < <(theirs $memory microvm)
    for ((round = 0; round < rounds; round++)); do
        boot hatchway "${ours[@]}" --initrd "$init" --cmdline "$arguments" boot
        boot native "$native" "${ours[@]:1}" --initrd "$init" --cmdline "$arguments" boot
        boot qemu "${q35[@]}" -initrd "$init" -append "$arguments"
        boot microvm "${microvm[@]}" -initrd "$init" -append "$arguments"
    done
}

# map CONTENDER FIGURE COMMAND...: records the seconds that a monitor waits for the kernel to allocate, pin and map the guest's memory for a
# device.
map() {
    rm -rf /tmp/calls
    mkdir /tmp/calls
    strace -ff --seccomp-bpf -T -o /tmp/calls/of -e trace=ioctl,madvise "${@:3}" < /dev/null > /dev/null 2> /tmp/map.log &
    # No vCPU runs before everything is mapped.
    until grep -qs KVM_RUN /tmp/calls/*; do
        kill -0 $! || { cat /tmp/map.log; exit 1; }
        sleep 0.2
    done
    # strace ends with the monitor that it started.
    xargs kill -KILL < "/proc/$!/task/$!/children"
    wait $! 2> /dev/null || true
    # Mappings that the guest's firmware causes later are made by vCPUs' threads, which are left out.
    put "$2" "$1" "$(grep -L KVM_RUN /tmp/calls/* | xargs cat | sed -nE '/VFIO_IOMMU_MAP_DMA|MADV_POPULATE_WRITE/s/.*<([0-9.]+)>$/\1/p' | awk '{ sum += $1 } END { print sum }')"
}

attach() {
    local round size pool=1024 kernel=$work/exits-0.elf ours q35
    for ((round = 0; round < rounds; round++)); do
        for size in 64 256 1024 4096; do
            mapfile -t ours < <(ours $size)
            mapfile -t q35 < <(theirs $size q35)
            map hatchway attach-$size "${ours[@]}" -s 7:0,passthru,0/7/0 attach
            map qemu attach-$size "${q35[@]}" -device vfio-pci,host=00:07.0
        done
        # The pool gets its pages for this measurement only: those for 4 GiB leave no room for other guests.
        echo $((pool / 2)) > /proc/sys/vm/nr_hugepages
        mapfile -t ours < <(ours $pool)
        mapfile -t q35 < <(theirs $pool q35)
        map hatchway attach-pool "${ours[@]}" -o memory.hugepages=2M -s 7:0,passthru,0/7/0 attach
        map qemu attach-pool "${q35[@]}" -object "memory-backend-memfd,id=ram,size=${pool}M,hugetlb=on,hugetlbsize=2M" -machine memory-backend=ram \
            -device vfio-pci,host=00:07.0
        echo 0 > /proc/sys/vm/nr_hugepages
    done
}

# Counts a guest's exits to its monitor, which the kernel counts for each thread.
user_exits() {
    awk -v threads="$(ls "/proc/${process[$1]}/task")" '
        BEGIN { split(threads, list, "\n"); for (i in list) ours[list[i]] = 1 }
        match($0, /common_pid: +[0-9]+/) { split(substr($0, RSTART, RLENGTH), pid, / +/); if (pid[2] in ours) sum += $NF }
        END { print sum + 0 }' /sys/kernel/tracing/events/kvm/kvm_userspace_exit/hist
}

processor_ticks() {
    awk '{ print $14 + $15 }' "/proc/${process[$1]}/stat"
}

# work FIGURE COUNT COMMAND...: records time, the monitor's processor time and user-space exits for one operation, in both guests. The
# console's exits are subtracted.
work() {
    local name ticks exits console order=(hatchway qemu)
    # The order alternates, because the second guest finds the host as the first has left it.
    ((round % 2 == 0)) || order=(qemu hatchway)
    for name in "${order[@]}"; do
        exits=$(user_exits $name)
        ask $name "echo count=1000 ns=1000000000" > /dev/null
        console=$(($(user_exits $name) - exits))
        ticks=$(processor_ticks $name) exits=$(user_exits $name)
        record "$1" $name ask $name "$3"
        put "$1-cpu" $name "$(awk "BEGIN { print ($(processor_ticks $name) - $ticks + 0.5) / $2 }")"
        put "$1-exits" $name "$(awk "BEGIN { print ($(user_exits $name) - $exits - $console) / $2 }")"
    done
}

disks() {
    local round
    # Many short rounds, as above.
    for ((round = 0; round < rounds * 4; round++)); do
        work nvme-1 200 'probe disk /dev/nvme0n1 1 200'
        work nvme-32 2000 'probe disk /dev/nvme0n1 32 2000'
        work blk-1 200 'probe disk /dev/vda 1 200'
        work blk-32 1000 'probe disk /dev/vda 32 1000'
    done
}

# shellcheck disable=SC2016 # the guest knows what is far
networks() {
    local round
    for ((round = 0; round < rounds; round++)); do
        work net-out 1 'probe copy $far 5000 out 1000000'
        work net-in 1 'probe copy $far 5000 in 1000000'
    done
}

# vapic is for 32-bit Windows. With it, QEMU sets the vCPU's registers while Linux starts; the task register then has the busy type, and
# the emulated host's processor (QEMU 7.2's software emulation, target/i386/tcg) denies the guest's user programs access to ports.
begin_both() {
    local ours q35 name
    mapfile -t ours < <(ours $memory)
    mapfile -t q35 < <(theirs $memory q35)
    "$probe" serve 5000 &
    process[server]=$!
    for name in hatchway qemu; do
        truncate -s 64M "/tmp/$name.img"
        ip tuntap add dev $name mode tap
        ip link set $name up
    done
    ip address add 10.9.1.1/24 dev hatchway
    ip address add 10.9.2.1/24 dev qemu
    echo 'hist:keys=common_pid' > /sys/kernel/tracing/events/kvm/kvm_userspace_exit/trigger
    say "starting both guests"
    begin hatchway "${ours[@]}" -s 3:0,virtio-blk,/tmp/hatchway.img -s 4:0,virtio-net,hatchway \
        -s "6:0,passthru,0/6/0,handler=$handlers" -s 7:0,passthru,0/7/0 \
        --initrd "$work/guest.cpio" --cmdline "$arguments iomem=relaxed bench.net=10.9.1" both
    begin qemu "${q35[@]}" -global kvm-apic.vapic=off \
        -drive file=/tmp/qemu.img,format=raw,if=none,id=disk,aio=threads -device virtio-blk-pci,drive=disk,addr=3 \
        -netdev tap,id=net,ifname=qemu,script=no,downscript=no -device virtio-net-pci,netdev=net,addr=4,romfile= \
        -device vfio-pci,host=00:08.0,addr=6 -device vfio-pci,host=00:09.0,addr=7 \
        -initrd "$work/guest.cpio" -append "$arguments iomem=relaxed bench.net=10.9.2"
}

mount -t tracefs none /sys/kernel/tracing 2> /dev/null || true
for group in "${groups[@]}"; do
    case $group in
        boots | attach | alone | scale | starts | vectors) ;;
        *) [[ -n ${process[qemu]:-} ]] || begin_both ;;
    esac
    say "$group"
    $group
done
[[ -z ${process[server]:-} ]] || kill "${process[@]}"
