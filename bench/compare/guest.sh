# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guests (L2) of bench/run: does what it reads from the console, a line at a time, and says when each has ended.

ip link set eth0 up 2> /dev/null && ip address add "$(sed -n 's/.*bench.address=\([^ ]*\).*/\1/p' /proc/cmdline)" dev eth0
echo "=== 0"
while read -r line; do
    eval "$line"
    echo "=== $?"
done
