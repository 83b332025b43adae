# shellcheck shell=dash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the guest (L2), which has two CPUs: one reads a register of the NVMe controller in slot 4 continuously, while the other switches
# memory decoding off and on, and then the controller's power. Needs iomem=relaxed.
device=0000:00:04.0

register() {
    regread $device 0 0 8 "$1" | cut -d ' ' -f 1
}

seconds() {
    cut -d . -f 1 /proc/uptime
}

# switch_for NAME SECONDS REGISTER OFF ON
switch_for() {
    rm -f /tmp/stop
    (
        rounds=0
        while [ ! -e /tmp/stop ]; do
            register 20000 > /dev/null
            rounds=$((rounds + 1))
        done
        echo "RESULT $1.rounds=$rounds"
    ) &
    end=$(($(seconds) + $2))
    count=0
    while [ "$(seconds)" -lt $end ]; do
        setpci -s $device "$3=$4"
        setpci -s $device "$3=$5"
        count=$((count + 1))
    done
    touch /tmp/stop
    wait
    echo "RESULT $1.switched=$count"
    echo "RESULT $1.after=$(register 1)"
}

echo $device > /sys/bus/pci/devices/$device/driver/unbind
setpci -s $device COMMAND=2
echo "RESULT before=$(register 1)"
setpci -s $device COMMAND=0
echo "RESULT off=$(register 1)"
switch_for decoding 60 COMMAND 0 2
switch_for power 20 CAP_PM+4.w 3 0
echo $device > /sys/bus/pci/drivers/nvme/bind
i=0
while [ ! -e /dev/nvme0n1 ] && [ $i -lt 100 ]; do
    i=$((i + 1))
    usleep 100000
done
echo "RESULT nvme.sha256=$(sha256sum < /dev/nvme0n1 | cut -d ' ' -f 1)"
poweroff -f
