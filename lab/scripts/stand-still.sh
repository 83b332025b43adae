# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the emulated host (L1) beside a guest: waits for $1 seconds and then, unless it was ended, shows twice what the monitors are
# doing.
sleep "$1" &
sleep=$!
trap 'kill $sleep; exit' TERM
wait $sleep
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
for look in 1 2; do
    echo "--- nothing for $1 s, look $look"
    for process in $(pidof hatchway qemu-system-x86_64); do
        for task in "/proc/$process/task/"*; do
            echo "$task: $(cat "$task/comm") $(cut -d ' ' -f 3,14,15 "$task/stat" 2> /dev/null)"
            cat "$task/stack"
        done
    done
    # The counters of all guests together, except zeroes.
    for figure in /sys/kernel/debug/kvm/*; do
        [ ! -f "$figure" ] || [ "$(cat "$figure")" = 0 ] || echo "$(basename "$figure") $(cat "$figure")"
    done
    sleep 2
done
