//! The machine's samples: its figures, those of its parts, and space of its filesystems and pools.

use super::mounts::Mount;
use super::root::Root;
use super::sheet::Sheet;
use super::space::{Space, SpaceError};
use super::{figures, part_figures};
use crate::model::measurement::{AbsentReason, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::name::{HostId, Name};
use crate::model::observation::CollectError;
use std::collections::BTreeMap;

/// Everything that can be read without asking a filesystem.
pub fn machine(root: &Root, host: &HostId, errors: &mut Vec<CollectError>) -> Vec<Sample> {
    let owner = Owner::Host(host.clone());
    let boot = boot(root);
    let mut sheets = vec![figures::whole(root, errors)];
    sheets.extend(part_figures::processors(root, errors));
    sheets.extend(part_figures::numa_nodes(root, errors));
    sheets.extend(part_figures::disks(root, errors));
    sheets.extend(part_figures::nics(root, errors));
    sheets.extend(part_figures::sensors(root, errors));
    sheets.into_iter().map(|sheet| sheet.sample(&owner, boot)).collect()
}

/// Filesystems with what they answered.
pub fn filesystems(root: &Root, host: &HostId, spaces: &[(Mount, Result<Space, SpaceError>)]) -> Vec<Sample> {
    let owner = Owner::Host(host.clone());
    let boot = boot(root);
    let sheet = |(mount, answer): &(Mount, Result<Space, SpaceError>)| {
        let mut sheet = Sheet::new(Part::Filesystem(mount.mount_point.display().to_string().into()));
        put_space(
            &mut sheet,
            answer,
            [
                (Metric::HostFsSize, |space| space.size_bytes),
                (Metric::HostFsUsed, |space| space.used_bytes),
                (Metric::HostFsAvailable, |space| space.available_bytes),
                (Metric::HostFsInodesFree, |space| space.inodes_free),
            ],
        );
        sheet.sample(&owner, boot)
    };
    spaces.iter().map(sheet).collect()
}

/// Pools of files with what the filesystems under their folders answered; theirs is all they have.
pub fn pools(host: &HostId, answers: &BTreeMap<String, Result<Space, SpaceError>>) -> Vec<Sample> {
    let sample = |(pool, answer): (&String, &Result<Space, SpaceError>)| {
        let mut sheet = Sheet::new(Part::Whole);
        put_space(
            &mut sheet,
            answer,
            [
                (Metric::PoolCapacity, |space| space.size_bytes),
                (Metric::PoolAllocation, |space| space.used_bytes),
                (Metric::PoolAvailable, |space| space.available_bytes),
                (Metric::PoolFiguresAge, |_| 0),
            ],
        );
        sheet.sample(&Owner::Other(Name::storage_pool(host, pool)), 0)
    };
    answers.iter().map(sample).collect()
}

/// A metric and where it stands in an answer about space.
type SpaceFigure = (Metric, fn(&Space) -> u64);

fn put_space(sheet: &mut Sheet, answer: &Result<Space, SpaceError>, metrics: [SpaceFigure; 4]) {
    for (metric, of) in metrics {
        match answer {
            Ok(space) => sheet.put(metric, Some(of(space))),
            Err(SpaceError::Hung(_) | SpaceError::NotAsked) => sheet.lack(metric, AbsentReason::NotResponding),
            Err(SpaceError::Hidden(_) | SpaceError::Failed(_)) => sheet.lack(metric, AbsentReason::Unsupported),
        }
    }
}

/// Which boot the counters belong to: the kernel's own id, which stays when the clock is set.
fn boot(root: &Root) -> u64 {
    let id = root.word("/proc/sys/kernel/random/boot_id");
    let id = uuid::Uuid::parse_str(&id).ok().map(|id| id.as_u64_pair().0);
    let time = || {
        let table = root.text(figures::STAT).unwrap_or_default();
        table.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
    };
    id.or_else(time).unwrap_or_default()
}
