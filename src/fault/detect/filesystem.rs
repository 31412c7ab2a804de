//! Filesystems of hosts that fill up.

use super::context::Context;
use super::levels::{self, float, gib, percent};
use super::parts::{self, lies_under};
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::fault::rules::Grading;
use crate::model::alarm::ThresholdDirection;
use crate::model::host::{Host, HostFilesystem};
use crate::model::{Body, HostId, Object, ObjectClass, PerceivedSeverity};

/// Filesystems that are full by nature, or lie elsewhere and have alarms of their own: images, layers, memory,
/// network.
const NOT_JUDGED: [&str; 24] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "cramfs",
    "ecryptfs",
    "erofs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "iso9660",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "overlay",
    "ramfs",
    "smb3",
    "smbfs",
    "squashfs",
    "tmpfs",
    "udf",
    "virtiofs",
];

/// Adds what the filesystems of a host show. One whose figures are missing is left as it is.
pub(super) fn assess(object: &Object, host: &Host, context: &Context<'_>, assessment: &mut Assessment) {
    assessment.judged.push(AlarmType::HostFilesystemHigh);
    for filesystem in host.filesystems.iter().filter(|filesystem| is_judged(filesystem)) {
        let Some(free) = host.volatile.filesystem_available_bytes.get(&filesystem.mount_point) else {
            let name = parts::filesystem(&object.name, &filesystem.mount_point);
            assessment.kept.push((AlarmType::HostFilesystemHigh, name));
            continue;
        };
        assessment.findings.extend(filling(object, filesystem, *free, context));
    }
}

/// True for writable local filesystems (operations.md F14).
fn is_judged(filesystem: &HostFilesystem) -> bool {
    let kind = filesystem.fs_type.as_str();
    !filesystem.read_only && filesystem.size_bytes > 0 && !kind.starts_with("fuse") && !NOT_JUDGED.contains(&kind)
}

fn filling(object: &Object, filesystem: &HostFilesystem, free: u64, context: &Context<'_>) -> Option<Finding> {
    let name = parts::filesystem(&object.name, &filesystem.mount_point);
    let grading = (context.grading)(AlarmType::HostFilesystemHigh, &name);
    let used = percent(filesystem.size_bytes.saturating_sub(free), filesystem.size_bytes);
    let stands = context.severity(AlarmType::HostFilesystemHigh, &name);
    let mut severity = levels::worst(stands, |severity, held| {
        levels::beyond(&grading, "percent", used, severity, held, ThresholdDirection::Up)
            && scarce(&grading, free, severity)
    })?;
    if severity == PerceivedSeverity::Critical && !is_vital(object, &filesystem.mount_point, context) {
        severity = PerceivedSeverity::Major;
    }
    let text =
        format!("{} of {} is used to {used:.0} %, {} are free", filesystem.mount_point, object.name.id(), gib(free));
    let crossing = levels::crossing(&grading, "percent", used, severity, ThresholdDirection::Up);
    let finding = Finding::new(AlarmType::HostFilesystemHigh, &name, text).severity(severity).crossing(crossing);
    Some(context.steady(finding.with("mount_point", filesystem.mount_point.clone())))
}

/// A large filesystem has much left at a high percentage: both must be low. Without a level in bytes percent decide.
fn scarce(grading: &Grading, free: u64, severity: PerceivedSeverity) -> bool {
    levels::level(grading, "free_bytes", severity).is_none_or(|level| float(free) < level)
}

/// True if a host does not work without it, or machines' disks are on it.
fn is_vital(object: &Object, mount_point: &str, context: &Context<'_>) -> bool {
    let host = object.name.host_id();
    matches!(mount_point, "/" | "/var") || host.is_some_and(|host| holds_images(&host, mount_point, context, false))
}

/// True if a disk of a machine of this host lies under a mount point; of one that runs, if asked for that.
pub(super) fn holds_images(host: &HostId, mount_point: &str, context: &Context<'_>, running: bool) -> bool {
    let machines = context.world.objects(ObjectClass::VirtualMachine);
    machines.iter().any(|machine| {
        let Body::VirtualMachine(vm) = &machine.body else { return false };
        vm.host.as_ref() == Some(host)
            && (!running || vm.run_state.is_active())
            && vm.definition.disks.iter().any(|disk| lies_under(&disk.source, mount_point))
    })
}
