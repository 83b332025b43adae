# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the emulated host (L1) for bench/run: two guests side by side, one of Hatchway's and one of QEMU's, do the same things in turns.
# Writes "FIGURE CONTENDER VALUE" lines to a file for each group: one a repetition, in the order of the repetitions.
#
# usage: host.sh RESULTS WORK PROGRAM HANDLERS REGREAD KERNEL ROUNDS GROUP...
#
# The devices are two sets of pci-testdev and nvme, at 06 and 07 for Hatchway and at 08 and 09 for QEMU, and the host's own pci-testdev at 0a.
set -euo pipefail

results=$1 work=$2 hatchway=$3 handlers=$4 regread=$5 kernel=$6 rounds=$7 groups=("${@:8}")
probe=$work/probe
arguments='console=ttyS0 quiet panic=-1 noxsave'
memory=256

say() {
    printf '%(%T)T %s\n' -1 "$*"
}

# record FIGURE CONTENDER COMMAND...: what the command says, as nanoseconds for one.
record() {
    local value
    value=$("${@:3}" | each) || { say "$1 of $2 failed: ${*:3}"; exit 1; }
    printf '%s\t%s\t%s\n' "$1" "$2" "$value" >> "$results/$group.tsv"
}

# The answer of a probe, as nanoseconds for one.
each() {
    sed -nE 's/.*count=([0-9]+) ns=([0-9]+).*/\1 \2/p' | awk '{ print $2 / $1; found = 1 } END { exit !found }'
}

# Guests: input[NAME] and output[NAME] are descriptors of the console, process[NAME] the monitor.
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

# What the guest prints until its next prompt. Fails as its command does.
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

# in_turns FIGURE COMMAND: nanoseconds for one of what the command does, in both guests, repeated.
in_turns() {
    local name
    for name in hatchway qemu; do
        record "$1" $name ask $name "$2"
    done
}

# Many short turns: the machine's pace changes within seconds.
exits() {
    local round
    for ((round = 0; round < rounds * 8; round++)); do
        record bare-port bare "$probe" bare port 200
        record bare-memory bare "$probe" bare memory 200
        record host-read bare "$regread" 0000:00:0a.0 1 0 4 10000
        in_turns empty-port "probe port 0xed0 200"
        in_turns io-bar "regread 0000:00:06.0 1 0 4 200"
        in_turns config-own "probe config 00:06.0 0 100"
        in_turns config-device "probe config 00:06.0 4 100"
        in_turns direct "regread 0000:00:07.0 0 0 4 10000"
        record host-direct bare "$regread" 0000:00:0a.0 0 0 4 10000
        record handler hatchway ask hatchway "regread 0000:00:06.0 1 0x40 4 200"
    done
}

boots() {
    local round figure
    local ours=("$hatchway" run -c 1 -m ${memory}M -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio)
    local theirs=(qemu-system-x86_64 -accel kvm -cpu host -m $memory -nodefaults -display none -no-reboot -serial stdio)
    local linux=(--kernel "$kernel" --initrd "$work/init.cpio")
    # The first of each reads files and does not count.
    for ((round = -1; round < rounds; round++)); do
        ((round >= 0)) && figure=boot || figure=warm-up
        record $figure hatchway "$probe" until init "${ours[@]}" "${linux[@]}" --cmdline "$arguments" boot
        record $figure qemu "$probe" until init "${theirs[@]}" -M q35 "${linux[@]/#--/-}" -append "$arguments"
        record $figure microvm "$probe" until init "${theirs[@]}" -M microvm "${linux[@]/#--/-}" -append "$arguments"
    done
}

# vapic is for Windows of 32 bits. With it QEMU sets the vCPU's registers while Linux starts, the task register then says "busy", and
# the emulated host's processor (QEMU 7.2's software emulation, target/i386/tcg) refuses ports to user programs of the guest.
begin_both() {
    local linux=(--kernel "$kernel" --initrd "$work/guest.cpio")
    say "starting both guests"
    begin hatchway "$hatchway" run -c 1 -m ${memory}M -s 0:0,hostbridge -s 1:0,lpc -l com1,stdio \
        -s "6:0,passthru,0/6/0,handler=$handlers" -s 7:0,passthru,0/7/0 \
        "${linux[@]}" --cmdline "$arguments iomem=relaxed" both
    begin qemu qemu-system-x86_64 -M q35 -accel kvm -cpu host -m $memory -nodefaults -display none -no-reboot -serial stdio \
        -global kvm-apic.vapic=off \
        -device vfio-pci,host=00:08.0,addr=6 -device vfio-pci,host=00:09.0,addr=7 \
        "${linux[@]/#--/-}" -append "$arguments iomem=relaxed"
}

for group in "${groups[@]}"; do
    case $group in
        boots) ;;
        *) [[ -n ${process[qemu]:-} ]] || begin_both ;;
    esac
    say "$group"
    $group
done
((${#process[@]} == 0)) || kill "${process[@]}"
