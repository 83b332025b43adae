#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes a Debian package of out/hatchway, which 'dotnet publish src/Hatchway -c Release -o out' makes, and prints its path.
# usage: scripts/package-debian.sh [FOLDER]   where it goes; out/ by default
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/out}
program=$root/out/hatchway
[[ -x $program ]] || { echo "package-debian: $program is not there: dotnet publish src/Hatchway -c Release -o out" >&2; exit 1; }

version=$("$program" --version)
version=${version#hatchway }
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
umask 022
chmod 755 "$tree"

put() { install -D -m "$1" "$2" "$tree$3"; }

put 755 "$program" /usr/bin/hatchway
put 755 "$root/packaging/override" /usr/lib/hatchway/override
put 644 "$root/packaging/60-hatchway.rules" /usr/lib/udev/rules.d/60-hatchway.rules
put 644 "$root/packaging/hatchway-reserve.service" /usr/lib/systemd/system/hatchway-reserve.service
put 644 "$root/packaging/hatchway-found.service" /usr/lib/systemd/system/hatchway-found.service
put 755 "$root/packaging/initramfs-hook" /usr/share/initramfs-tools/hooks/hatchway
put 755 "$root/packaging/initramfs-init-top" /usr/share/initramfs-tools/scripts/init-top/hatchway
put 644 "$root/LICENSE" /usr/share/doc/hatchway/copyright
# The pages as they lie in the repository, with what they link to.
(cd "$root" && find README.md CONTRIBUTING.md docs/*.md docs/*.svg lab/README.md bench/README.md samples -type f -not -path '*/bin/*' -not -path '*/obj/*') |
    while read -r page; do put 644 "$root/$page" "/usr/share/doc/hatchway/$page"; done
# The unit does nothing before there is a file for it: it need not be enabled by hand.
mkdir -p "$tree/usr/lib/systemd/system/sysinit.target.wants"
ln -s ../hatchway-reserve.service "$tree/usr/lib/systemd/system/sysinit.target.wants/"

# A page with several names has them all in its NAME section.
for page in "$root"/docs/man/*.1; do
    put 644 "$page" "/usr/share/man/man1/$(basename "$page")"
    for name in $(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p' "$page"); do
        [[ -e $tree/usr/share/man/man1/$name.1 ]] || ln -s "$(basename "$page").gz" "$tree/usr/share/man/man1/$name.1.gz"
    done
done
gzip -9n "$tree"/usr/share/man/man1/*.1

complete() {
    mkdir -p "$tree$(dirname "$2")"
    "$program" completion "$1" > "$tree$2"
}
complete bash /usr/share/bash-completion/completions/hatchway
complete zsh /usr/share/zsh/vendor-completions/_hatchway
complete fish /usr/share/fish/vendor_completions.d/hatchway.fish

mkdir "$tree/DEBIAN"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$tree/DEBIAN/md5sums"
cat > "$tree/DEBIAN/control" << END
Package: hatchway
Version: $version
Architecture: amd64
Maintainer: The Hatchway authors <hatchway@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
Depends: libc6 (>= 2.31), libgcc-s1, libstdc++6, kmod
Recommends: pci.ids, ovmf
Section: admin
Priority: optional
Description: virtual machine monitor for KVM with PCI passthrough
 Runs a guest with PCI functions of this host, by VFIO, with the command line of
 FreeBSD's bhyve. Says why a device can't be given away and what to do, takes
 devices from the host's drivers, and reads and writes their registers.
END
# The initial file system has the hook's part, and a copy of what is to be taken, until it is made anew: so it is, with the package and without it.
echo activate-noawait update-initramfs > "$tree/DEBIAN/triggers"

package=$folder/hatchway_${version}_amd64.deb
dpkg-deb --build --root-owner-group -Zxz -z1 "$tree" "$package" > /dev/null
echo "$package"
