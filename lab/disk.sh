# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes disk images from which UEFI firmware starts, without root: no loop devices, no mounts. Sourced, never run.

# The start of the EFI system partition, the first one: in sectors of 512 bytes, and in mtools's notation.
disk_esp_start=2048
disk_esp=@@1M

# Prints the number's four bytes, least significant first, as escapes for printf(1).
disk_le32() {
    printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $((($1 >> 8) & 255)) $((($1 >> 16) & 255)) $((($1 >> 24) & 255))
}

# disk_partition OUT INDEX TYPE START SECTORS: writes an entry of the MBR, without CHS addresses (UEFI 2.10 §5.2.1).
disk_partition() {
    # shellcheck disable=SC2059 # the format is what is to be written
    printf "\\0\\0\\2\\0\\x$3\\xff\\xff\\xff$(disk_le32 "$4")$(disk_le32 "$5")" |
        dd of="$1" bs=1 seek=$((446 + 16 * $2)) conv=notrunc status=none
}

# disk_new OUT SECTORS [PROGRAM]: makes an image with only an EFI system partition of that size, which holds the program that firmware starts.
disk_new() {
    rm -f "$1"
    truncate -s $(((disk_esp_start + $2) * 512)) "$1"
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
    disk_partition "$1" 0 ef $disk_esp_start "$2"
    # Clusters of one sector give as many clusters as FAT32 requires, however small the partition is.
    mkfs.vfat -F 32 -s 1 --offset $disk_esp_start "$1" $(($2 / 2)) > /dev/null
    (($# > 2)) || return 0
    MTOOLS_SKIP_CHECK=1 mmd -i "$1$disk_esp" ::/EFI ::/EFI/BOOT
    MTOOLS_SKIP_CHECK=1 mcopy -i "$1$disk_esp" "$3" ::/EFI/BOOT/BOOTX64.EFI
}

# disk_grub OUT MODULES CONFIGURATION: makes a GRUB that contains all it needs.
disk_grub() {
    grub-mkstandalone -O x86_64-efi -o "$1" --modules="$2" --install-modules="$2" --fonts= --locales= --themes= "boot/grub/grub.cfg=$3"
}
