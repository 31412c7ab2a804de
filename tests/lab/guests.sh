# shellcheck shell=bash
# The guests, networks and pools that a lab starts with; sourced by `lab`. No guest has an operating system: an ordinary
# kernel does not boot under the nested KVM of some of our machines, and none is needed for what the lab shows.

# A boot sector that switches interrupts off and halts: the guest idles, where firmware without a boot disk retries for
# ever on a full core.
write_boot_sector() {
    {
        printf '\xfa\xf4\xeb\xfd'
        head -c 506 /dev/zero
        printf '\x55\xaa'
    } > "$1"
}

# make_disk FILE SIZE: a qcow2 image with the halting boot sector.
make_disk() {
    local raw="$1.raw"
    write_boot_sector "$raw"
    truncate -s "$2" "$raw"
    qemu-img convert -f raw -O qcow2 "$raw" "$1"
    rm "$raw"
}

# KVM where it works, else emulation. The lab's guests do the same on both.
virt_type() {
    if [ -w /dev/kvm ]; then echo kvm; else echo qemu; fi
}

# qemu_guest TYPE NAME MEMORY_MIB TITLE DEVICES
qemu_guest() {
    cat <<END
<domain type='$1'>
  <name>$2</name>
  <title>$4</title>
  <memory unit='MiB'>$3</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <clock offset='utc'/>
  <devices>
    $5
    <controller type='usb' model='none'/>
    <memballoon model='virtio'><stats period='5'/></memballoon>
    <video><model type='none'/></video>
  </devices>
</domain>
END
}

# disk FILE TARGET
disk() {
    echo "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$1'/><target dev='$2' bus='virtio'/></disk>"
}

# network_nic NETWORK MAC
network_nic() {
    echo "<interface type='network'><mac address='$2'/><source network='$1'/><model type='virtio'/></interface>"
}

# A container whose init ends on SIGTERM, so that an orderly shutdown works.
container() {
    cat <<END
<domain type='lxc'>
  <name>$1</name>
  <title>$2</title>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os>
    <type>exe</type>
    <init>/bin/sh</init>
    <initarg>-c</initarg>
    <initarg>trap 'exit 0' TERM; while :; do sleep 3600 &amp; wait; done</initarg>
  </os>
  <devices>
    <interface type='network'><mac address='$3'/><source network='lab'/></interface>
    <console type='pty'/>
  </devices>
</domain>
END
}

# define_from KIND HOST_DIR DRIVER: libvirt XML on standard input.
define_from() {
    local file="$2/definition.xml"
    cat > "$file"
    virsh_on "$2" "$3" "$1" "$file" > /dev/null
    rm "$file"
}

# Every host has an isolated network `lab`. With an address it also gives out leases (one dnsmasq).
make_network() {
    local host_dir=$1 address=$2
    define_from net-define "$host_dir" qemu <<END
<network>
  <name>lab</name>
  <bridge name='virbr-lab' stp='off'/>
  ${address:+<ip address='$address.1' netmask='255.255.255.0'><dhcp><range start='$address.100' end='$address.199'/></dhcp></ip>}
</network>
END
    virsh_on "$host_dir" qemu net-start lab > /dev/null
    virsh_on "$host_dir" qemu net-autostart lab > /dev/null
}

# make_pool HOST_DIR NAME TARGET: the same path inside and outside of the host.
make_pool() {
    define_from pool-define "$1" qemu <<END
<pool type='dir'><name>$2</name><target><path>$3</path></target></pool>
END
    virsh_on "$1" qemu pool-start "$2" > /dev/null
    virsh_on "$1" qemu pool-autostart "$2" > /dev/null
}

# --- lab one ----------------------------------------------------------------------------------------------------

# web-1 runs from a disk of its own, web-2 from an overlay on base.qcow2 with a second disk, db-1 is off and has two
# snapshots, edge-1 is a container; pool `images` holds their disks and two volumes that nobody uses.
populate_one() {
    local host_dir=$1 images="$1/images"
    mkdir -p "$images"
    make_disk "$images/base.qcow2" 1M
    cp "$images/base.qcow2" "$images/web-1.qcow2"
    cp "$images/base.qcow2" "$images/db-1.qcow2"
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 "$images/web-2.qcow2"
    qemu-img create -q -f qcow2 "$images/web-2-data.qcow2" 16M
    make_pool "$host_dir" images "$images"
    virsh_on "$host_dir" qemu vol-create-as images spare.raw 4M --format raw > /dev/null
    virsh_on "$host_dir" qemu vol-create-as images spare.qcow2 64M --format qcow2 > /dev/null
    make_network "$host_dir" 192.168.150
    define_guests_of_one "$host_dir" "$images"
    start_guests "$host_dir" qemu web-1 web-2
    start_guests "$host_dir" lxc edge-1
}

define_guests_of_one() {
    local host_dir=$1 images=$2 type
    type=$(virt_type)
    qemu_guest "$type" web-1 24 'Web front, on the network' \
        "$(disk "$images/web-1.qcow2" vda) $(network_nic lab 52:54:00:1a:b0:01)" |
        define_from define "$host_dir" qemu
    qemu_guest "$type" web-2 32 'Web front, on an overlay, two disks' \
        "$(disk "$images/web-2.qcow2" vda) $(disk "$images/web-2-data.qcow2" vdb)" |
        define_from define "$host_dir" qemu
    qemu_guest "$type" db-1 32 'Data base, off, with snapshots' \
        "$(disk "$images/db-1.qcow2" vda) $(network_nic lab 52:54:00:1a:b0:03)" |
        define_from define "$host_dir" qemu
    virsh_on "$host_dir" qemu snapshot-create-as db-1 installed 'As installed' > /dev/null
    virsh_on "$host_dir" qemu snapshot-create-as db-1 before-upgrade 'Before the upgrade' > /dev/null
    container edge-1 'Edge function, a container' 00:16:3e:1a:b0:04 | define_from define "$host_dir" lxc
}

# --- lab cluster ------------------------------------------------------------------------------------------------

# Every host runs app-X; the first one also runs `mover`, emulated because a nested KVM guest may not migrate.
populate_cluster_host() {
    local host_dir=$1 shared=$2 letter=$3 mac_end
    mac_end=$(printf '%02x' "'$letter")
    make_pool "$host_dir" shared "$shared"
    make_network "$host_dir" ''
    make_disk "$shared/app-$letter.qcow2" 1M
    qemu_guest "$(virt_type)" "app-$letter" 24 "Stays on kvm-$letter" \
        "$(disk "$shared/app-$letter.qcow2" vda) $(network_nic lab "52:54:00:1a:c0:$mac_end")" |
        define_from define "$host_dir" qemu
    start_guests "$host_dir" qemu "app-$letter"
}

populate_mover() {
    local host_dir=$1 shared=$2
    make_disk "$shared/mover.qcow2" 1M
    qemu_guest qemu mover 32 'Migrates' "$(disk "$shared/mover.qcow2" vda) $(network_nic lab 52:54:00:1a:c0:01)" |
        define_from define "$host_dir" qemu
    start_guests "$host_dir" qemu mover
}

start_guests() {
    local host_dir=$1 driver=$2 guest
    shift 2
    for guest; do
        virsh_on "$host_dir" "$driver" start "$guest" > /dev/null
    done
}
