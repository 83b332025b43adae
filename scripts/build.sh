# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What ./demo, ./test and .ci/run share. Sourced in the repository's folder.

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

need_dotnet() {
    command -v dotnet > /dev/null ||
        { echo "the .NET 10 SDK is missing: https://learn.microsoft.com/dotnet/core/install/linux-debian" >&2; exit 1; }
}

# need_packages PACKAGE:PROOF...   PROOF is a command's name or a file that the package brings.
need_packages() {
    local entry missing=() root=()
    for entry in "$@"; do
        command -v "${entry#*:}" > /dev/null || [[ -e ${entry#*:} ]] || missing+=("${entry%%:*}")
    done
    ((${#missing[@]} > 0)) || return 0
    [[ $(id -u) == 0 ]] || root=(sudo)
    "${root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# Makes out/hatchway from the working tree.
publish_program() {
    dotnet publish src/Hatchway -c Release -o out -v quiet -nologo
}

# Makes out/native/hatchway from it: the same as native code.
publish_native() {
    dotnet publish src/Hatchway -c Release -p:Native=true -o out/native -v quiet -nologo
}
