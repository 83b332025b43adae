# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Disk images that UEFI firmware starts from, made by anybody: no loop devices, no mounts. Sourced, never run.

# Where the EFI system partition begins, the first one: in sectors of 512 bytes, and as mtools writes it.
disk_esp_start=2048
disk_esp=@@1M

# The number's four bytes, least significant first, as printf(1) takes them.
disk_le32() {
    printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $((($1 >> 8) & 255)) $((($1 >> 16) & 255)) $((($1 >> 24) & 255))
}

# disk_partition OUT INDEX TYPE START SECTORS: an entry of the MBR without CHS (UEFI 2.10 §5.2.1).
disk_partition() {
    # shellcheck disable=SC2059 # the format is what is to be written
    printf "\\0\\0\\2\\0\\x$3\\xff\\xff\\xff$(disk_le32 "$4")$(disk_le32 "$5")" |
        dd of="$1" bs=1 seek=$((446 + 16 * $2)) conv=notrunc status=none
}

# disk_new OUT SECTORS [PROGRAM]: an image with nothing but an EFI system partition of that size, and in that what firmware starts.
disk_new() {
    rm -f "$1"
    truncate -s $(((disk_esp_start + $2) * 512)) "$1"
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
    disk_partition "$1" 0 ef $disk_esp_start "$2"
    # With clusters of a sector it has as many as FAT32 wants, however small.
    mkfs.vfat -F 32 -s 1 --offset $disk_esp_start "$1" $(($2 / 2)) > /dev/null
    (($# > 2)) || return 0
    MTOOLS_SKIP_CHECK=1 mmd -i "$1$disk_esp" ::/EFI ::/EFI/BOOT
    MTOOLS_SKIP_CHECK=1 mcopy -i "$1$disk_esp" "$3" ::/EFI/BOOT/BOOTX64.EFI
}

# disk_grub OUT MODULES CONFIGURATION: a GRUB that has all it needs in itself.
disk_grub() {
    grub-mkstandalone -O x86_64-efi -o "$1" --modules="$2" --install-modules="$2" --fonts= --locales= --themes= "boot/grub/grub.cfg=$3"
}
