# shellcheck shell=bash
# One lab host: its directories, cgroups, namespaces and network link; sourced by `lab`.
#
# HOST_DIR = DIR/HOST holds
#   uuid, cgroups                   its identity; the cgroups it has made
#   init, ready                     "PID START_TIME" of its first process, a tini; pid of the host-init beneath
#   control                         the fifo its host-init reads
#   etc lib run log cache           its /etc/libvirt, /var/lib/libvirt, /run/libvirt, /var/log/libvirt, /var/cache/libvirt
#   hosts, address, link            its /etc/hosts; in a cluster its address and its veth end ("NAME INDEX")

# sun_path holds 107 characters; the longest name under a host is run/libvirt-admin-sock.
readonly SOCKET_PATH_MAX=107

# START_TIME of a process: with the pid it names one process for ever, so a reused pid is never killed. Fails for one
# that has ended, reaped or not.
process_start() {
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # Field 2, the command name, may hold blanks: counted from behind it, 0 is the state and 19 the start time.
    read -ra fields <<< "${stat##*) }"
    [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}

# Prints the pid of the host's first process; fails when the host is not up.
host_init_pid() {
    local pid start
    read -r pid start 2>/dev/null < "$1/init" || return 1
    [ "$(process_start "$pid")" = "$start" ] && echo "$pid"
}

in_host() {
    local pid
    pid=$(host_init_pid "$1") || die "$(basename "$1") is not up"
    shift
    nsenter --target "$pid" --mount --uts --net --cgroup "$@"
}

# --- making -----------------------------------------------------------------------------------------------------

# make_host_dirs HOST_DIR SHARED_DIR LISTEN NAMES: NAMES are lines for its /etc/hosts.
make_host_dirs() {
    local host_dir=$1 shared=$2 listen=$3 names=$4
    local longest="$host_dir/run/libvirt-admin-sock"
    [ "${#longest}" -le "$SOCKET_PATH_MAX" ] ||
        die "$host_dir is too long a path: a unix socket's name has at most $SOCKET_PATH_MAX characters"
    mkdir -p "$host_dir"/{etc,lib,run,log,cache}
    chmod 755 "$host_dir" "$host_dir"/*
    cat /proc/sys/kernel/random/uuid > "$host_dir/uuid"
    printf '127.0.0.1 localhost\n%s\n' "$names" > "$host_dir/hosts"
    mkfifo "$host_dir/control"
    write_libvirt_settings "$host_dir" "$shared" "$listen"
}

write_libvirt_settings() {
    local host_dir=$1 shared=$2 listen=$3
    cat > "$host_dir/etc/libvirtd.conf" <<END
listen_tls = 0
listen_tcp = $([ "$listen" = no ] && echo 0 || echo 1)
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_ro_perms = "0777"
host_uuid = "$(cat "$host_dir/uuid")"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
END
    # Guests run as root because DIR may lie where user libvirt-qemu cannot go (a home of mode 0700).
    cat > "$host_dir/etc/qemu.conf" <<END
user = "root"
group = "root"
security_driver = "none"
shared_filesystems = [ "$shared" ]
END
    touch "$host_dir/etc/lxc.conf" "$host_dir/etc/virtlogd.conf" "$host_dir/etc/network.conf"
}

# Joins the calling process to new cgroups beneath its own, one per hierarchy, and records them.
enter_host_cgroups() {
    local host_dir=$1 cgroup_name=$2 line controllers path mount_point cgroup
    local lines
    mapfile -t lines < /proc/self/cgroup
    : > "$host_dir/cgroups"
    for line in "${lines[@]}"; do
        controllers=${line#*:}
        path=${controllers#*:}
        controllers=${controllers%%:*}
        if [ -z "$controllers" ]; then
            [ "${#lines[@]}" -eq 1 ] || continue
            # cgroup2 alone: at its root, since a group that holds processes hands no controllers down.
            mount_point=$(findmnt -nro TARGET -t cgroup2 | head -n 1) path=/
        else
            mount_point=$(findmnt -nro TARGET -t cgroup -O "${controllers}" | head -n 1)
        fi
        # A container without a cgroup namespace shows the machine's path but mounts only its own part.
        [ -d "$mount_point$path" ] || path=/
        cgroup=$mount_point${path%/}/$cgroup_name
        mkdir -p "$cgroup"
        echo "$cgroup" >> "$host_dir/cgroups"
        case ,$controllers, in
            *,cpuset,*) inherit_cpuset "$cgroup" ;;
        esac
        echo "$BASHPID" > "$cgroup/cgroup.procs"
    done
}

# A new cgroup of version 1 has no CPUs and takes no process until it is given some.
inherit_cpuset() {
    local file
    for file in cpuset.cpus cpuset.mems; do
        cat "$1/../$file" > "$1/$file"
    done
}

# The host lives on: it must hold neither the lab's lock nor a pipe that a test runner waits on.
close_inherited_files() {
    local file
    for file in "/proc/$BASHPID/fd/"*; do
        file=${file##*/}
        [ "$file" -le 2 ] || eval "exec $file>&-"
    done
}

# Starts host-init; returns when its mounts are made. The caller then gives it a link and says start-libvirtd.
start_host() {
    local host_dir=$1 name=$2 listen=$3 cgroup_name=$4
    (
        self=$BASHPID
        enter_host_cgroups "$host_dir" "$cgroup_name"
        echo "$self $(process_start "$self")" > "$host_dir/init"
        close_inherited_files
        exec setsid unshare --mount --uts --net --cgroup --propagation private \
            tini -s -- "$LAB_HOME/host-init" "$host_dir" "$name" "$listen"
    ) < /dev/null >> "$host_dir/log/host-init.log" 2>&1 &
    disown
    wait_for "host $name to make its mounts (see $host_dir/log/host-init.log)" 10 test -e "$host_dir/ready"
}

# A veth pair between the lab's bridge and the host's eth0.
link_host() {
    local host_dir=$1 link=$2 bridge=$3 address=$4 pid
    pid=$(host_init_pid "$host_dir")
    ip link add "$link" type veth peer name eth0 netns "$pid"
    record_interface "$host_dir/link" "$link"
    ip link set "$link" master "$bridge" up
    in_host "$host_dir" ip address add "$address/24" dev eth0
    in_host "$host_dir" ip link set eth0 up
}

# record_interface FILE NAME: the index tells it from a later one of that name.
record_interface() {
    echo "$2 $(cat "/sys/class/net/$2/ifindex")" > "$1"
}

# Prints the name of the interface in FILE; fails when it is gone or there is none.
recorded_interface() {
    local name index
    read -r name index 2>/dev/null < "$1" || return 1
    [ "$(cat "/sys/class/net/$name/ifindex" 2>/dev/null)" = "$index" ] && echo "$name"
}

delete_recorded_interface() {
    local name
    ! name=$(recorded_interface "$1") || ip link delete "$name"
}

# --- libvirtd and guests ----------------------------------------------------------------------------------------

# Prints the pid of the host's libvirtd; fails when none runs.
libvirtd_pid() {
    local pid
    pid=$(cat "$1/run/libvirtd.pid" 2>/dev/null) || return 1
    process_start "$pid" > /dev/null && [ "$(cat "/proc/$pid/comm")" = libvirtd ] && echo "$pid"
}

start_libvirtd() {
    local host_dir=$1
    host_init_pid "$host_dir" > /dev/null || die "$(basename "$host_dir") is not up"
    echo start-libvirtd > "$host_dir/control"
    wait_for "libvirtd of $(basename "$host_dir") to answer (see $host_dir/log)" 30 \
        virsh -q -c "$(local_uri "$host_dir" qemu)" uri
}

local_uri() {
    echo "$2+unix:///system?socket=$1/run/libvirt-sock"
}

# Prints the pid of the QEMU or of the container's controller behind a running guest.
guest_pid() {
    cat "$1/run/qemu/$2.pid" 2>/dev/null || cat "$1/run/lxc/$2.pid" 2>/dev/null ||
        die "$2 does not run on $(basename "$1")"
}

# --- taking down ------------------------------------------------------------------------------------------------

# Every process of the host, also those that left their parent: whoever is in its cgroups.
host_processes() {
    local cgroup
    while read -r cgroup; do
        [ ! -d "$cgroup" ] || find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null
    done < "$1/cgroups" | sort -nu
}

# host-init and its tini go last: they reap the others, and a cgroup with an unreaped process cannot be removed.
stop_host() {
    local host_dir=$1
    [ -e "$host_dir/cgroups" ] || return 0
    thaw_containers "$host_dir"
    wait_for "the processes of $(basename "$host_dir") to end" 20 kill_guests_and_daemons "$host_dir"
    kill_all "$(host_processes "$host_dir")"
    # It would go with the host's network namespace, but only some time later.
    delete_recorded_interface "$host_dir/link"
    wait_for "the cgroups of $(basename "$host_dir") to be free" 20 remove_cgroups "$host_dir"
}

# SIGKILL does not reach a process in a frozen cgroup of version 1, which is what a paused container is.
thaw_containers() {
    local cgroup state
    while read -r cgroup; do
        [ -d "$cgroup" ] || continue
        while read -r state; do
            echo THAWED > "$state" 2>/dev/null || true
        done < <(find "$cgroup" -name freezer.state)
    done < "$1/cgroups"
}

# True when nobody but host-init and its tini is left.
kill_guests_and_daemons() {
    local host_dir=$1 tini host_init others
    tini=$(host_init_pid "$host_dir") || tini=none
    host_init=$(cat "$host_dir/ready" 2>/dev/null) || host_init=none
    others=$(host_processes "$host_dir" | grep -vx -e "$tini" -e "$host_init") || true
    kill_all "$others"
    [ -z "$others" ]
}

kill_all() {
    local pid
    for pid in $1; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}

remove_cgroups() {
    local cgroup
    while read -r cgroup; do
        [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ ! -d "$cgroup" ] || return 1
    done < "$1/cgroups"
}

# Only what make_host_dirs made, and never across a mount.
remove_host_dir() {
    [ -e "$1/uuid" ] || return 0
    rm -rf --one-file-system "$1"
}
