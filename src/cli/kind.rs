//! The kinds of the command line: what a person may type for them, and what they are.

use super::exit::Failure;
use crate::client::class_of_name;
use crate::wire::v1::ObjectClass;

/// A kind of thing that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A class of managed objects.
    Object(ObjectClass),
    /// An alarm of the list.
    Alarm,
    /// A type of the alarm catalogue.
    AlarmType,
    /// A rule that puts alarms aside.
    Shelf,
    /// A rule that grades alarms.
    Profile,
    /// A measured quantity.
    Metric,
    /// A standing order to measure.
    Job,
    /// A watch on a metric.
    Monitor,
    /// An open stream of the daemon.
    Session,
    /// An entry of the contexts file.
    Context,
}

/// Class, name shown, and every spelling accepted (lower case).
const KINDS: [(Kind, &[&str]); 20] = [
    (
        Kind::Object(ObjectClass::VirtualMachine),
        &["vm", "vms", "virtualmachine", "virtualmachines", "virtual-machine", "virtual-machines"],
    ),
    (Kind::Object(ObjectClass::Host), &["host", "hosts"]),
    (
        Kind::Object(ObjectClass::StoragePool),
        &["pool", "pools", "storagepool", "storagepools", "storage-pool", "storage-pools"],
    ),
    (Kind::Object(ObjectClass::Volume), &["volume", "volumes", "vol", "vols"]),
    (Kind::Object(ObjectClass::Network), &["network", "networks", "net", "nets"]),
    (Kind::Object(ObjectClass::Snapshot), &["snapshot", "snapshots", "snap", "snaps"]),
    (Kind::Object(ObjectClass::Image), &["image", "images"]),
    (
        Kind::Object(ObjectClass::StorageBacking),
        &["backing", "backings", "storagebacking", "storagebackings", "storage-backing", "storage-backings"],
    ),
    (Kind::Object(ObjectClass::Hypervisor), &["hypervisor", "hypervisors"]),
    (Kind::Object(ObjectClass::Cluster), &["cluster", "clusters"]),
    (Kind::Object(ObjectClass::Vrm), &["vrm", "vrms"]),
    (Kind::Alarm, &["alarm", "alarms", "al", "als"]),
    (Kind::AlarmType, &["alarm-type", "alarm-types", "alarmtype", "alarmtypes"]),
    (Kind::Shelf, &["shelf", "shelves", "alarmshelf", "alarmshelves", "alarm-shelf", "alarm-shelves"]),
    (Kind::Profile, &["profile", "profiles", "alarmprofile", "alarmprofiles", "alarm-profile", "alarm-profiles"]),
    (Kind::Metric, &["metric", "metrics"]),
    (Kind::Job, &["job", "jobs", "measurementjob", "measurementjobs", "measurement-job", "measurement-jobs"]),
    (
        Kind::Monitor,
        &["monitor", "monitors", "thresholdmonitor", "thresholdmonitors", "threshold-monitor", "threshold-monitors"],
    ),
    (Kind::Session, &["session", "sessions"]),
    (Kind::Context, &["context", "contexts"]),
];

/// Kinds of later parts, so that they are not called misspelled.
const LATER: [&str; 3] = ["operation", "op", "group"];

impl Kind {
    /// Reads what a person typed.
    ///
    /// # Errors
    /// Wrong use, with the kinds that exist.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let lower = text.to_ascii_lowercase();
        if let Some((kind, _)) = KINDS.iter().find(|(_, spellings)| spellings.contains(&lower.as_str())) {
            return Ok(*kind);
        }
        let singular = lower.strip_suffix('s').unwrap_or(&lower);
        if LATER.contains(&lower.as_str()) || LATER.contains(&singular) {
            return Err(Failure::usage(format!("kind {text:?} is not in this version"))
                .with_next(format!("vrmctl get {}", Self::words().join("|"))));
        }
        Err(Failure::usage(format!("unknown kind {text:?}; kinds are: {}", Self::words().join(" "))))
    }

    /// The words shown for all kinds.
    pub fn words() -> Vec<&'static str> {
        KINDS.iter().map(|(kind, _)| kind.word()).collect()
    }

    /// The word shown for it.
    pub fn word(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .and_then(|(_, spellings)| spellings.first())
            .copied()
            .unwrap_or("object")
    }

    /// The word for several.
    pub fn plural(self) -> String {
        match self {
            Self::Shelf => "shelves".to_owned(),
            _ => format!("{}s", self.word()),
        }
    }

    /// Its class, if it is one of managed objects.
    pub fn class(self) -> Option<ObjectClass> {
        match self {
            Self::Object(class) => Some(class),
            _ => None,
        }
    }
}

/// Things asked for: kinds with the names given for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind.
    pub kind: Kind,
    /// Names as typed; empty for all.
    pub names: Vec<String>,
}

/// Reads `KIND [NAME…]`, `KIND/NAME…` (mixed kinds) and resource names; `stdin` replaces the name `-`.
///
/// # Errors
/// Wrong use: an unknown kind, or nothing given.
pub fn parse_requests(words: &[String], stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Vec<Request>, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::usage(format!("name a kind: {}", Kind::words().join(" "))));
    };
    if !first.contains('/') {
        let kind = Kind::parse(first)?;
        let mut names = Vec::new();
        for word in rest {
            if word == "-" { names.extend(stdin()) } else { names.push(word.clone()) }
        }
        let asked_for_none = !rest.is_empty() && names.is_empty();
        if asked_for_none {
            return Err(Failure::usage("no names came on standard input"));
        }
        return Ok(vec![Request { kind, names }]);
    }
    let mut requests: Vec<Request> = Vec::new();
    for word in words {
        let (kind, name) = parse_qualified(word)?;
        match requests.iter_mut().find(|request| request.kind == kind) {
            Some(request) => request.names.push(name),
            None => requests.push(Request { kind, names: vec![name] }),
        }
    }
    Ok(requests)
}

fn parse_qualified(word: &str) -> Result<(Kind, String), Failure> {
    if let Some(class) = class_of_name(word) {
        return Ok((Kind::Object(class), word.to_owned()));
    }
    let Some((kind, name)) = word.split_once('/') else {
        return Err(Failure::usage(format!("{word:?}: write KIND/NAME, or one kind for all names")));
    };
    if name.is_empty() {
        return Err(Failure::usage(format!("{word:?}: the name is missing")));
    }
    Ok((Kind::parse(kind)?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(words: &[&str]) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut stdin = || vec!["a".to_owned(), "b".to_owned()];
        let requests = parse_requests(&words, &mut stdin)?;
        Ok(requests.into_iter().map(|request| (request.kind.word().to_owned(), request.names)).collect())
    }

    fn one(kind: &str, names: &[&str]) -> (String, Vec<String>) {
        (kind.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn singular_plural_short_and_collection_are_one_kind() {
        for (kind, spellings) in KINDS {
            for spelling in spellings {
                assert_eq!(Kind::parse(spelling), Ok(kind));
            }
        }
        assert_eq!(Kind::parse("storagePools"), Ok(Kind::Object(ObjectClass::StoragePool)));
        assert_eq!(Kind::parse("VMs"), Ok(Kind::Object(ObjectClass::VirtualMachine)));
    }

    #[test]
    fn kinds_of_later_parts_are_called_so() {
        for word in ["op", "ops", "operations"] {
            let failure = Kind::parse(word).expect_err("later");
            assert!(failure.what.contains("not in this version"), "{failure}");
        }
        assert!(Kind::parse("vmm").expect_err("unknown").what.contains("unknown kind"));
    }

    #[test]
    fn names_follow_a_kind_or_carry_it() {
        assert_eq!(requests(&["vms"]), Ok(vec![one("vm", &[])]));
        assert_eq!(requests(&["vm", "web-1", "web-2@kvm-07"]), Ok(vec![one("vm", &["web-1", "web-2@kvm-07"])]));
        assert_eq!(requests(&["vm", "-", "c"]), Ok(vec![one("vm", &["a", "b", "c"])]));
        assert_eq!(
            requests(&["vm/web-1", "host/kvm-07", "vms/web-2"]),
            Ok(vec![one("vm", &["web-1", "web-2"]), one("host", &["kvm-07"])])
        );
        assert_eq!(
            requests(&["hosts/kvm-07/storagePools/default"]),
            Ok(vec![one("pool", &["hosts/kvm-07/storagePools/default"])])
        );
        assert_eq!(requests(&["hosts/kvm-07"]), Ok(vec![one("host", &["hosts/kvm-07"])]));
        assert!(requests(&["vm/web-1", "web-2"]).is_err());
        assert!(requests(&["vm/"]).is_err());
        assert!(requests(&[]).is_err());
    }
}
