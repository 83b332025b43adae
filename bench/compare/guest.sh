# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guests (L2) of bench/run: does what it reads from the console, a line at a time, and says when each has ended.

net=$(sed -n 's/.*bench.net=\([^ ]*\).*/\1/p' /proc/cmdline)
# shellcheck disable=SC2034 # what is read uses it
far=$net.1
ip link set eth0 up && ip address add "$net.2/24" dev eth0
echo "=== 0"
while read -r line; do
    eval "$line"
    echo "=== $?"
done
