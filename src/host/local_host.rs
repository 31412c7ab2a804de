//! The machine's details in one place: what it consists of, and its moving figures.

use super::locality::Locality;
use super::mounts::{MAX_FILESYSTEMS, Mount, MountTable};
use super::root::Root;
use super::space::{Space, SpaceError, SpaceProbe};
use super::tallies::{self, Tallies};
use super::{disks, machine, measure, nics};
use crate::model::host::{HostFilesystem, NumaNode};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::measurement::Sample;
use crate::model::name::HostId;
use crate::model::observation::{CollectError, HostDeviceFacts, HostStatistics};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest time a reading waits for filesystems (operations.md F2).
pub const FILESYSTEM_DEADLINE: Duration = Duration::from_secs(2);

/// The machine we run on. All methods block at most [`FILESYSTEM_DEADLINE`]; call them off the event loop.
#[derive(Debug)]
pub struct LocalHost {
    root: Root,
    probe: SpaceProbe,
    deadline: Duration,
    locality: Locality,
    sizes: Sizes,
    /// What the filesystems said when they were last asked.
    answers: Mutex<Vec<(PathBuf, Result<(), String>)>>,
    /// The same in figures, of filesystems and of pools, with when: samples of the same round need not ask again.
    looked: Mutex<Looked>,
    tallies: Mutex<Tallies>,
}

impl LocalHost {
    /// Reads below `root` and asks the kernel for the size of filesystems.
    pub fn new(root: Root) -> Self {
        Self::with_probe(root, SpaceProbe::default(), FILESYSTEM_DEADLINE)
    }

    /// As [`LocalHost::new`], with another way to ask for sizes and another deadline.
    pub fn with_probe(root: Root, probe: SpaceProbe, deadline: Duration) -> Self {
        Self {
            root,
            probe,
            deadline,
            locality: Locality::default(),
            sizes: Sizes::default(),
            answers: Mutex::default(),
            looked: Mutex::default(),
            tallies: Mutex::default(),
        }
    }

    /// Everything at once; filesystems are asked once for both.
    pub fn read(&self) -> (HostDeviceFacts, HostStatistics, Vec<CollectError>) {
        let mut errors = Vec::new();
        let spaces = self.spaces(&mut errors);
        let facts = self.device_facts(&spaces, &mut errors);
        let statistics = self.moving_figures(&spaces, &mut errors);
        (facts, statistics, errors)
    }

    /// NICs, disks, filesystems, operating system and kernel. A filesystem that does not answer keeps
    /// the size it had; 0 if it never answered.
    pub fn devices(&self) -> (HostDeviceFacts, Vec<CollectError>) {
        let mut errors = Vec::new();
        let spaces = self.spaces(&mut errors);
        (self.device_facts(&spaces, &mut errors), errors)
    }

    /// Available memory and space, CPU times, huge pages and uptime. What does not answer is absent.
    pub fn statistics(&self) -> (HostStatistics, Vec<CollectError>) {
        let mut errors = Vec::new();
        let spaces = self.spaces(&mut errors);
        (self.moving_figures(&spaces, &mut errors), errors)
    }

    /// NUMA nodes with memory and processors.
    pub fn numa_nodes(&self) -> Vec<NumaNode> {
        machine::numa_nodes(&self.root)
    }

    /// The table of mounts, to find out what local paths lie on; never touches a filesystem that could hang.
    ///
    /// # Errors
    /// The system's error when the table cannot be read.
    pub fn mount_table(&self) -> std::io::Result<MountTable> {
        MountTable::read(&self.root)
    }

    /// The mount that one absolute path lies on; for many paths take [`LocalHost::mount_table`].
    pub fn mount_of(&self, path: &Path) -> Option<Mount> {
        self.mount_table().ok()?.mount_of(path).cloned()
    }

    /// Mount points (and paths asked for) that have not answered within the deadline, with how long.
    pub fn hung_mounts(&self) -> BTreeMap<PathBuf, Duration> {
        self.probe.hung(self.deadline)
    }

    /// Space of the filesystem under a path, e.g. a pool's target.
    ///
    /// # Errors
    /// [`SpaceError`] after [`FILESYSTEM_DEADLINE`] at the latest; at once if its mount is known to be hung.
    pub fn space_of(&self, path: &Path) -> Result<Space, SpaceError> {
        let mount = self.mount_of(path).map(|mount| self.root.path(mount.mount_point));
        if let Some(time) = mount.and_then(|mount| self.hung_mounts().remove(&mount)) {
            return Err(SpaceError::Hung(time));
        }
        let place = self.root.path(path);
        let mut answers = self.probe.ask(std::slice::from_ref(&place), self.deadline);
        answers.remove(&place).unwrap_or(Err(SpaceError::NotAsked))
    }

    /// Whether the filesystems answered when they were last asked, and those under the paths of `pools` now;
    /// what rose and what is degraded since the last call, whoever made it.
    pub fn incidents(&self, pools: &BTreeMap<String, PathBuf>, time: Timestamp) -> Vec<Incident> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let filesystems = answers.into_iter().map(|(mount, answer)| {
            let subject = IncidentSubject::HostFilesystem(mount.display().to_string());
            tallies::incident(time, subject, IncidentKind::Probed(answer))
        });
        let mut incidents: Vec<Incident> = filesystems.collect();
        for (pool, answer) in self.pool_spaces(pools) {
            let Some(answer) = verdict(answer) else { continue };
            let path = pools.get(&pool).map(PathBuf::as_path).unwrap_or(Path::new(""));
            let subject = IncidentSubject::StoragePool(pool);
            let mut incident = tallies::incident(time, subject, IncidentKind::Probed(answer));
            incident.details.insert("path".to_owned(), path.display().to_string());
            incidents.push(incident);
        }
        incidents.extend(self.tallies.lock().unwrap_or_else(PoisonError::into_inner).look(&self.root, time));
        incidents
    }

    /// Samples of this machine and of its pools of files, which lie in the folders of `pools`. What a filesystem
    /// answered a moment ago, to whomever, is not asked again.
    pub fn samples(&self, host: &HostId, pools: &BTreeMap<String, PathBuf>) -> (Vec<Sample>, Vec<CollectError>) {
        let mut errors = Vec::new();
        let mut samples = measure::machine(&self.root, host, &mut errors);
        let known = recent(&self.looked().filesystems);
        let spaces = known.or_else(|| self.spaces(&mut errors)).unwrap_or_default();
        samples.extend(measure::filesystems(&self.root, host, &spaces));
        let known = recent(&self.looked().pools).filter(|known| known.keys().eq(pools.keys()));
        let answers = known.unwrap_or_else(|| self.pool_spaces(pools));
        samples.extend(measure::pools(host, &answers));
        (samples, errors)
    }

    /// Space under each pool's folder.
    fn pool_spaces(&self, pools: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Result<Space, SpaceError>> {
        let answers: BTreeMap<_, _> = pools.iter().map(|(pool, path)| (pool.clone(), self.space_of(path))).collect();
        self.looked().pools = Some((Instant::now(), answers.clone()));
        answers
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the endpoint is this machine: see [`Locality::is_local`].
    pub fn is_local(&self, host_uuid: &str, host_name: &str, uri: &str) -> bool {
        self.locality.is_local(&self.root, host_uuid, host_name, uri)
    }

    /// Real filesystems with their figures; one of size zero is the kernel's own.
    fn spaces(&self, errors: &mut Vec<CollectError>) -> Spaces {
        let table = match self.mount_table() {
            Ok(table) => table,
            Err(error) => {
                errors.push(problem("mount table", error));
                return None;
            }
        };
        let mut listed: Vec<&Mount> = table.filesystems().collect();
        if listed.len() > MAX_FILESYSTEMS {
            let left_out = listed.len() - MAX_FILESYSTEMS;
            errors.push(problem("filesystems", format!("{left_out} beyond {MAX_FILESYSTEMS} left out")));
            listed.truncate(MAX_FILESYSTEMS);
        }
        let places: Vec<PathBuf> = listed.iter().map(|mount| self.root.path(&mount.mount_point)).collect();
        let mut answers = self.probe.ask(&places, self.deadline);
        let verdicts = listed
            .iter()
            .zip(&places)
            .filter_map(|(mount, place)| Some((mount.mount_point.clone(), verdict(answers.get(place)?.clone())?)));
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = verdicts.collect();
        let measured = listed.into_iter().zip(&places).filter_map(|(mount, place)| {
            let answer = answers.remove(place).unwrap_or(Err(SpaceError::NotAsked));
            if let Err(error) = &answer {
                errors.push(problem(&format!("filesystem {}", mount.mount_point.display()), error));
            }
            (!answer.as_ref().is_ok_and(|space| space.size_bytes == 0)).then(|| (mount.clone(), answer))
        });
        let measured: Vec<_> = measured.collect();
        self.remember_sizes(&measured);
        self.looked().filesystems = Some((Instant::now(), measured.clone()));
        Some(measured)
    }

    /// Keeps the size of what answered, and forgets what is not mounted any more.
    fn remember_sizes(&self, measured: &[(Mount, Result<Space, SpaceError>)]) {
        let mut sizes = lock(&self.sizes);
        let known = std::mem::take(&mut *sizes);
        *sizes = measured
            .iter()
            .filter_map(|(mount, space)| {
                let size = space
                    .as_ref()
                    .ok()
                    .map(|space| space.size_bytes)
                    .or_else(|| known.get(&mount.mount_point).copied())?;
                Some((mount.mount_point.clone(), size))
            })
            .collect();
    }

    fn filesystem(&self, mount: &Mount) -> HostFilesystem {
        HostFilesystem {
            mount_point: mount.mount_point.display().to_string(),
            fs_type: mount.fs_type.clone(),
            source: mount.source.clone(),
            size_bytes: lock(&self.sizes).get(&mount.mount_point).copied().unwrap_or_default(),
            read_only: mount.read_only,
        }
    }

    fn device_facts(&self, spaces: &Spaces, errors: &mut Vec<CollectError>) -> HostDeviceFacts {
        let mounts = spaces.as_ref().map(|spaces| spaces.iter().map(|(mount, _)| self.filesystem(mount)));
        let mut facts = HostDeviceFacts {
            filesystems: mounts.map(Iterator::collect),
            os_name: machine::os_name(&self.root),
            kernel_version: machine::kernel_version(&self.root),
            boot_id: machine::boot_id(&self.root),
            ..HostDeviceFacts::default()
        };
        match nics::nics(&self.root) {
            Ok(nics) => facts.nics = Some(nics),
            Err(error) => errors.push(problem("nics", error)),
        }
        match disks::disks(&self.root) {
            Ok(disks) => facts.disks = Some(disks),
            Err(error) => errors.push(problem("disks", error)),
        }
        let missing = [
            ("nics", facts.nics.is_none()),
            ("disks", facts.disks.is_none()),
            ("filesystems", facts.filesystems.is_none()),
            ("os_name", facts.os_name.is_none()),
            ("kernel_version", facts.kernel_version.is_none()),
        ];
        let unreadable = missing.into_iter().filter(|(_, is_missing)| *is_missing);
        facts.not_available =
            unreadable.map(|(part, _)| (part.to_owned(), "cannot be read on this machine".to_owned())).collect();
        facts
    }

    fn moving_figures(&self, spaces: &Spaces, errors: &mut Vec<CollectError>) -> HostStatistics {
        let memory = machine::memory(&self.root);
        if let Err(error) = &memory {
            errors.push(problem("memory", error));
        }
        let available = spaces.iter().flatten().filter_map(|(mount, space)| {
            Some((mount.mount_point.display().to_string(), space.as_ref().ok()?.available_bytes))
        });
        HostStatistics {
            memory_free_bytes: memory.ok().map(|memory| memory.available_bytes),
            cpu_time_ns: machine::cpu_time_ns(&self.root),
            huge_pages: machine::huge_pages(&self.root),
            filesystem_available_bytes: available.collect(),
            uptime_seconds: machine::uptime_seconds(&self.root),
        }
    }
}

/// Last known sizes by mount point: a hung filesystem has not changed its size.
type Sizes = Mutex<BTreeMap<PathBuf, u64>>;

/// Real filesystems with their figures where they answered; nothing if there is no mount table.
type Spaces = Option<Vec<(Mount, Result<Space, SpaceError>)>>;

/// Answers and when they came.
type Answered<T> = Option<(Instant, T)>;

/// The last answers of filesystems and pools.
#[derive(Debug, Default)]
struct Looked {
    filesystems: Answered<Vec<(Mount, Result<Space, SpaceError>)>>,
    pools: Answered<BTreeMap<String, Result<Space, SpaceError>>>,
}

/// Answers younger than this are those of the same round.
const SAME_ROUND: Duration = Duration::from_secs(4);

fn recent<T: Clone>(answered: &Answered<T>) -> Option<T> {
    let (_, answers) = answered.as_ref().filter(|(time, _)| time.elapsed() < SAME_ROUND)?;
    Some(answers.clone())
}

/// Whether a filesystem answered, and else why not; nothing if it was not asked.
fn verdict(answer: Result<Space, SpaceError>) -> Option<Result<(), String>> {
    match answer {
        Ok(_) => Some(Ok(())),
        Err(SpaceError::NotAsked | SpaceError::Hidden(_)) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

/// The map is consistent whatever a panicking thread did.
fn lock(sizes: &Sizes) -> MutexGuard<'_, BTreeMap<PathBuf, u64>> {
    sizes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn problem(what: &str, reason: impl std::fmt::Display) -> CollectError {
    CollectError { what: what.to_owned(), reason: reason.to_string() }
}
