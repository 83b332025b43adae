# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guests (L2) of bench/run: executes the commands that it reads from the console, one a line, and reports when each has ended.

net=$(sed -n 's/.*bench.net=\([^ ]*\).*/\1/p' /proc/cmdline)
# shellcheck disable=SC2034 # what is read uses it
far=$net.1
ip link set eth0 up && ip address add "$net.2/24" dev eth0
echo "=== 0"
while read -r line; do
    eval "$line"
    echo "=== $?"
done
