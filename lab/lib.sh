# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The common part of the lab's commands: where files are kept, and how to tell whether they are up to date.
# Sourced, never run. Sets lab_dir (this folder) and lab_cache; lab_ready sets lab_linux and lab_built.

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_cache=${HATCHWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hatchway}
mkdir -p "$lab_cache"
lab_cache=$(cd "$lab_cache" && pwd)

# modprobe, depmod and lspci are in folders that a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

lab_fail() {
    printf '%s: %s\n' "lab/$(basename "$0")" "$*" >&2
    exit 125
}

lab_say() {
    printf '%s: %s\n' "lab/$(basename "$0")" "$*"
}

lab_as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Installs missing packages. Each argument is a command or file that must exist, a colon, and the package that provides it.
lab_install() {
    local requirement missing=()
    for requirement in "$@"; do
        command -v "${requirement%%:*}" > /dev/null || [[ -e ${requirement%%:*} ]] || missing+=("${requirement##*:}")
    done
    ((${#missing[@]} == 0)) && return
    lab_say "installing ${missing[*]}"
    lab_as_root apt-get update -qq
    lab_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# The version of everything that is built: a digest of the scripts, sources and kernel that it is built from. Several checkouts
# share the cache, so each version has its own folder.
lab_version() {
    (cd "$lab_dir" && cat lib.sh prepare init/* src/*.* src/*/* "$lab_cache/linux/release") | sha256sum | cut -c 1-16
}

# lab_linux: the unpacked kernel. lab_built: what was built for it. Fails when lab/prepare has to be run.
lab_locate() {
    [[ -e $lab_cache/linux/release ]] || return 1
    lab_linux=$lab_cache/linux/$(<"$lab_cache/linux/release")
    lab_built=$lab_cache/built/$(lab_version)
    [[ -e $lab_built/done && -e $lab_linux/done ]]
}

# Makes the lab usable; returns at once when it is.
lab_ready() {
    command -v qemu-system-x86_64 > /dev/null && lab_locate && return
    "$lab_dir/prepare" >&2
    lab_locate || lab_fail "lab/prepare did not leave what it should have"
}

# Quotes a value for QEMU's command line, where a comma separates options and a doubled comma stands for one.
lab_quoted() {
    printf '%s' "${1//,/,,}"
}

lab_kernel_release() {
    basename "$lab_linux"
}
