//! The alarm catalogue: every type of alarm with its identity, rules and texts.
//!
//! It is data: `catalogue.toml` beside this file. `build.rs` makes [`AlarmType`] of it; this module reads the rest
//! at first use. Nothing here decides about an alarm.

use crate::model::PerceivedSeverity;
use crate::model::alarm::{AlarmTypeDescriptor, ClearingRule, EventType, ProbableCause};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The id nearest to a word that is none: for people who mistyped one. Nothing if none is near.
pub fn nearest(word: &str) -> Option<&'static str> {
    let ids = AlarmType::ALL.iter().map(|kind| kind.id());
    let (distance, id) = ids.map(|id| (distance(word, id), id)).min()?;
    (distance <= word.chars().count().div_ceil(3)).then_some(id)
}

/// Characters to put in, take out or exchange to get from one word to the other; case counts for nothing.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, character) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (to, wanted) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(character != *wanted);
            diagonal = row[to + 1];
            row[to + 1] = exchanged.min(row[to] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;

include!(concat!(env!("OUT_DIR"), "/alarm_types.rs"));

/// What the fault rules need to know of a type beside what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRules {
    /// Order of roots: the lower, the nearer to the root of an incident. [`ORDINARY_RANK`] where it does not matter.
    pub rank: u32,
    /// Types that are children of this one, on the same object, on its parts and on what depends on it. Each has a
    /// higher rank.
    pub explains: Vec<AlarmType>,
    /// Types that tell the same fault on the same object (or on a part and its whole): not told beside this one,
    /// reclassified if they were.
    pub absorbs: Vec<AlarmType>,
    /// Critical for important objects (`vrm.importance=critical`, or with a service reference).
    pub critical_if_important: bool,
}

/// Texts of a type that only documents show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmPage {
    /// Likely causes.
    pub causes: String,
    /// Steps of the repair; together they are the descriptor's repair action.
    pub steps: Vec<String>,
    /// Commands that show more.
    pub look: Vec<String>,
    /// Why nothing here detects it; empty for types that something does.
    pub not_detectable: String,
}

/// Rank of types that are no root of others.
pub const ORDINARY_RANK: u32 = 90;

/// One type, complete.
#[derive(Debug)]
struct Entry {
    descriptor: AlarmTypeDescriptor,
    rules: AlarmRules,
    page: AlarmPage,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(rename = "type")]
    types: Vec<Row>,
}

/// A type as the file writes it; the meaning of each key is told at the head of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: u32,
    id: AlarmType,
    objects: Vec<String>,
    event_type: String,
    cause: String,
    severities: Vec<PerceivedSeverity>,
    clearing: ClearingRule,
    #[serde(default)]
    hold_on: u32,
    #[serde(default)]
    hold_off: u32,
    #[serde(default)]
    thresholds: BTreeMap<String, f64>,
    #[serde(default)]
    off_by_default: bool,
    #[serde(default)]
    external: bool,
    #[serde(default)]
    survives_object: bool,
    #[serde(default)]
    critical_if_important: bool,
    #[serde(default = "ordinary_rank")]
    rank: u32,
    #[serde(default)]
    explains: Vec<AlarmType>,
    #[serde(default)]
    absorbs: Vec<AlarmType>,
    detectable: Vec<String>,
    #[serde(default)]
    not_detectable: String,
    meaning: String,
    causes: String,
    detection: String,
    clears: String,
    repair: Vec<String>,
    look: Vec<String>,
}

fn ordinary_rank() -> u32 {
    ORDINARY_RANK
}

/// Version and entries in the order of [`AlarmType::ALL`].
static CATALOGUE: LazyLock<(u32, Vec<Entry>)> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("catalogue.toml")).expect("compiled in, and read by a test");
    (file.version, file.types.into_iter().map(Row::into_entry).collect())
});

/// Version of the catalogue; rises with every change that a reader of it may notice.
pub fn version() -> u32 {
    CATALOGUE.0
}

/// The type as it is published.
pub fn descriptor(alarm_type: AlarmType) -> &'static AlarmTypeDescriptor {
    &entry(alarm_type).descriptor
}

/// All types as they are published, in the order of their numbers.
pub fn descriptors() -> impl Iterator<Item = &'static AlarmTypeDescriptor> {
    AlarmType::ALL.into_iter().map(descriptor)
}

/// What the fault rules need to know of a type.
pub fn rules(alarm_type: AlarmType) -> &'static AlarmRules {
    &entry(alarm_type).rules
}

/// The texts for documents.
pub fn page(alarm_type: AlarmType) -> &'static AlarmPage {
    &entry(alarm_type).page
}

fn entry(alarm_type: AlarmType) -> &'static Entry {
    CATALOGUE.1.get(alarm_type as usize).expect("the file holds every type in order: build.rs made them from it")
}

impl Row {
    fn into_entry(self) -> Entry {
        let cause = cause(&self.cause).expect("a test looks every cause up");
        Entry {
            rules: AlarmRules {
                rank: self.rank,
                explains: self.explains,
                absorbs: self.absorbs,
                critical_if_important: self.critical_if_important,
            },
            descriptor: AlarmTypeDescriptor {
                number: self.number,
                id: self.id.id().to_owned(),
                object_classes: self.objects,
                event_type: event_type(&self.event_type).expect("a test looks every event type up"),
                probable_cause: cause,
                severities: self.severities,
                clearing: self.clearing,
                hold_on_seconds: self.hold_on,
                hold_off_seconds: self.hold_off,
                thresholds: self.thresholds,
                off_by_default: self.off_by_default,
                external: self.external,
                survives_object: self.survives_object,
                meaning: self.meaning,
                detection: self.detection,
                clearing_condition: self.clears,
                repair_action: self.repair.join(" "),
                detectable: self.detectable,
            },
            page: AlarmPage {
                causes: self.causes,
                steps: self.repair,
                look: self.look,
                not_detectable: self.not_detectable,
            },
        }
    }
}

fn event_type(name: &str) -> Option<EventType> {
    EventType::ALL.into_iter().find(|event_type| event_type.as_str() == name)
}

/// Probable causes in use, with their numbers in the IANA-ITU-ALARM-TC-MIB and the event types they belong to
/// (X.733 table 2, X.736 table 1, M.3100). Where the MIB has two of a name, this is the one of X.733.
const CAUSES: [(u32, &str, &[EventType]); 41] = {
    use EventType::{
        Communications, Environmental, Equipment, IntegrityViolation, OperationalViolation, ProcessingError,
        QualityOfService, SecurityServiceOrMechanismViolation, TimeDomainViolation,
    };
    [
        (73, "diskFailure", &[Equipment]),
        (77, "lossOfRedundancy", &[Equipment]),
        (78, "powerSupplyFailure", &[Equipment]),
        (107, "coolingFanFailure", &[Environmental]),
        (160, "databaseInconsistency", &[ProcessingError]),
        (164, "timeoutExpired", &[ProcessingError]),
        (203, "excessiveErrorRate", &[QualityOfService]),
        (207, "systemResourcesOverload", &[QualityOfService]),
        (501, "applicationSubsystemFailure", &[ProcessingError]),
        (504, "communicationsProtocolError", &[Communications]),
        (505, "communicationsSubsystemFailure", &[Communications]),
        (506, "configurationOrCustomizationError", &[ProcessingError]),
        (507, "congestion", &[QualityOfService]),
        (508, "corruptData", &[ProcessingError]),
        (514, "equipmentMalfunction", &[Equipment]),
        (516, "fileError", &[ProcessingError]),
        (521, "inputOutputDeviceError", &[Equipment]),
        (523, "lanError", &[Communications]),
        (527, "lossOfSignal", &[Communications]),
        (530, "outOfMemory", &[ProcessingError]),
        (532, "performanceDegraded", &[QualityOfService]),
        (535, "processorProblems", &[Equipment]),
        (541, "resourceAtOrNearingCapacity", &[QualityOfService]),
        (542, "responseTimeExcessive", &[QualityOfService]),
        (544, "softwareError", &[ProcessingError]),
        (545, "softwareProgramAbnormallyTerminated", &[ProcessingError]),
        (546, "softwareProgramError", &[ProcessingError]),
        (547, "storageCapacityProblem", &[ProcessingError]),
        (548, "temperatureUnacceptable", &[Environmental]),
        (549, "thresholdCrossed", &[QualityOfService]),
        (550, "timingProblem", &[Equipment]),
        (554, "underlyingResourceUnavailable", &[ProcessingError]),
        (555, "versionMismatch", &[ProcessingError]),
        (600, "authenticationFailure", &[SecurityServiceOrMechanismViolation]),
        (605, "duplicateInformation", &[IntegrityViolation]),
        (607, "informationModificationDetected", &[IntegrityViolation]),
        (609, "keyExpired", &[TimeDomainViolation]),
        (612, "outOfService", &[OperationalViolation]),
        (613, "proceduralError", &[OperationalViolation]),
        (614, "unauthorizedAccessAttempt", &[SecurityServiceOrMechanismViolation]),
        (615, "unexpectedInformation", &[IntegrityViolation]),
    ]
};

fn cause(name: &str) -> Option<ProbableCause> {
    CAUSES
        .iter()
        .find(|(_, other, _)| *other == name)
        .map(|(number, name, _)| ProbableCause { number: *number, name: (*name).to_owned() })
}
