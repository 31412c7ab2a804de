//! `docs/alarms.md` and `docs/runbooks/`, made from the alarm catalogue. After a change of
//! `src/fault/catalogue.toml`, `VRM_REGENERATE=1 cargo test --test tidy alarm_pages` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use vrm::fault::catalogue::{AlarmType, descriptor, page, rules, version};
use vrm::model::alarm::{AlarmTypeDescriptor, ClearingRule};

use crate::sources::{ROOT, files_below, read, shown};

const PREFACE: &str = "\
# Alarms

Made from `src/fault/catalogue.toml` by a test in `tests/tidy`; do not edit by hand.

An alarm tells one kind of fault at one managed object. Its *type* fixes event type, probable cause (ITU-T X.733 and
X.736, numbers of the IANA-ITU-ALARM-TC-MIB) and specific problem, which is the type's id; ids and numbers are for
ever. A type has a severity or several; which one an alarm has is decided by what was found, and can be changed by an
alarm profile. `ListAlarmTypes` serves this page to programs, `vrmctl explain TYPE` to people; each type has a page
with commands in `runbooks/`.

How to read it:

* **Severity**: by default, lowest first; several are told apart by level or circumstances (*Detection*).
* **Clears**: *automatic* when the condition is gone; *quiet time* after some time without it; *manual* by a person,
  because nothing tells that it is good again.
* **Hold**: seconds that a condition must persist before it is told, and be gone before it is cleared.
* **Seen by**: *local*, a monitoring VRM on the host itself; *remote*, one elsewhere; *manage*, a VRM in profile manage
  (without *local* or *remote* beside it: only there; what reads files of the host still needs the host to be local);
  *agent*, a host with a `vrmd` of its own (not there yet); *external*, reported by smartd, mdadm, ipmi or a person.
  Types that nothing here detects say why. They are listed so that nobody takes their silence for health.
* **Explains**: alarms of these types on the same object, on its parts and on what depends on it become its children:
  they are kept with their severity and point to their root. **Absorbs**: the same fault seen twice; these types are
  not told beside it.
* The end of an object clears its alarms, except those that say that it failed.
";

/// What the capitals in commands stand for.
const PLACEHOLDERS: [(&str, &str); 19] = [
    ("ALIAS", "the device's alias, in the alarm's attributes"),
    ("BMC", "address of the host's management controller"),
    ("BRIDGE", "the network's bridge"),
    ("DISK", "the disk: `vda` of a machine, `sda` of a host"),
    ("FILE", "the disk's or image's file"),
    ("GATEWAY", "the default gateway"),
    ("HOST", "the host's name"),
    ("ID", "the alarm's id"),
    ("IMAGE", "the image"),
    ("MEMBER", "an interface of the bond"),
    ("MOUNT", "the mount point"),
    ("NET", "the network's name"),
    ("NIC", "the interface"),
    ("PID", "the machine's process"),
    ("POOL", "the pool's name"),
    ("SERVER", "the storage server"),
    ("URI", "the host's libvirt address, e.g. `qemu+ssh://HOST/system`; `qemu:///system` on it"),
    ("URL", "the sink's address"),
    ("VM", "the machine's name"),
];

fn severities(descriptor: &AlarmTypeDescriptor) -> String {
    descriptor.severities.iter().map(|severity| severity.as_str()).collect::<Vec<_>>().join(" / ")
}

fn clearing(descriptor: &AlarmTypeDescriptor) -> &'static str {
    match descriptor.clearing {
        ClearingRule::Automatic => "automatic",
        ClearingRule::Manual => "manual",
        ClearingRule::QuietTime => "quiet time",
    }
}

fn hold(descriptor: &AlarmTypeDescriptor) -> String {
    format!("{} / {}", descriptor.hold_on_seconds, descriptor.hold_off_seconds)
}

fn cause(descriptor: &AlarmTypeDescriptor) -> String {
    format!("{} ({})", descriptor.probable_cause.name, descriptor.probable_cause.number)
}

fn seen_by(descriptor: &AlarmTypeDescriptor) -> String {
    if descriptor.detectable.is_empty() {
        return "not detectable here".to_owned();
    }
    let words = descriptor.detectable.iter().map(|word| word.trim_start_matches("monitor_"));
    words.collect::<Vec<_>>().join(", ")
}

/// `vmCrashed`, as a link to its section or page.
fn links(types: &[AlarmType], target: fn(AlarmType) -> String) -> String {
    types.iter().map(|kind| format!("[{}]({})", kind.id(), target(*kind))).collect::<Vec<_>>().join(", ")
}

fn section(kind: AlarmType) -> String {
    format!("#{}", kind.id().to_lowercase())
}

fn beside(kind: AlarmType) -> String {
    format!("{}.md", kind.id())
}

/// Types whose list holds this one.
fn holders(kind: AlarmType, list: fn(AlarmType) -> &'static [AlarmType]) -> Vec<AlarmType> {
    AlarmType::ALL.into_iter().filter(|other| list(*other).contains(&kind)).collect()
}

fn explains(kind: AlarmType) -> &'static [AlarmType] {
    &rules(kind).explains
}

fn absorbs(kind: AlarmType) -> &'static [AlarmType] {
    &rules(kind).absorbs
}

/// Switches of a type, as sentences.
fn remarks(kind: AlarmType) -> Vec<&'static str> {
    let descriptor = descriptor(kind);
    let mut remarks = Vec::new();
    if descriptor.off_by_default {
        remarks.push("Off unless an alarm profile switches it on.");
    }
    if descriptor.external {
        remarks.push("May be reported from outside (`vrmctl raise`, ReportCondition).");
    }
    if descriptor.survives_object {
        remarks.push("Outlives its object: the object's end does not clear it.");
    }
    if rules(kind).critical_if_important {
        remarks.push("Critical for objects with label `vrm.importance=critical` or a service reference.");
    }
    remarks
}

/// A level as people write it.
fn level(name: &str, value: f64) -> String {
    const GIBI: f64 = 1_073_741_824.0;
    if name.contains("_bytes") && value % GIBI == 0.0 {
        return format!("{} GiB", value / GIBI);
    }
    format!("{value}")
}

fn thresholds(descriptor: &AlarmTypeDescriptor) -> String {
    let levels = descriptor.thresholds.iter().map(|(name, value)| format!("`{name}` = {}", level(name, *value)));
    levels.collect::<Vec<_>>().join(", ")
}

fn alarms_md() -> String {
    let mut text = PREFACE.to_owned();
    let detectable = AlarmType::ALL.into_iter().filter(|kind| !descriptor(*kind).detectable.is_empty()).count();
    let count = AlarmType::ALL.len();
    writeln!(text, "\nVersion {} of the catalogue: {count} types, {detectable} of them detectable here.\n", version())
        .expect("a string takes everything");
    text.push_str("| # | type | object | event type | probable cause | severity | clears | hold | seen by |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for kind in AlarmType::ALL {
        let d = descriptor(kind);
        writeln!(
            text,
            "| {} | [{}]({}) | {} | {} | {} | {} | {} | {} | {} |",
            d.number,
            d.id,
            section(kind),
            d.object_classes.join(", "),
            d.event_type.as_str(),
            cause(d),
            severities(d),
            clearing(d),
            hold(d),
            seen_by(d)
        )
        .expect("a string takes everything");
    }
    for kind in AlarmType::ALL {
        text.push('\n');
        text.push_str(&alarm_section(kind));
    }
    text
}

fn alarm_section(kind: AlarmType) -> String {
    let d = descriptor(kind);
    let mut lines = vec![
        format!("## {}\n", d.id),
        format!("{}\n", d.meaning),
        format!("* Cause: {}", page(kind).causes),
        format!("* Detection: {}", d.detection),
        format!("* Clears: {}", d.clearing_condition),
        format!("* Repair: {}", d.repair_action),
        match page(kind).not_detectable.as_str() {
            "" => format!("* Seen by: {}.", seen_by(d)),
            reason => format!("* Not detectable here: {reason}"),
        },
    ];
    if !d.thresholds.is_empty() {
        lines.push(format!("* Levels: {}.", thresholds(d)));
    }
    if !explains(kind).is_empty() {
        lines.push(format!("* Explains: {}.", links(explains(kind), section)));
    }
    if !absorbs(kind).is_empty() {
        lines.push(format!("* Absorbs: {}.", links(absorbs(kind), section)));
    }
    lines.extend(remarks(kind).iter().map(|remark| format!("* {remark}")));
    lines.push(format!("* [Runbook](runbooks/{}.md)", d.id));
    lines.join("\n") + "\n"
}

fn runbook(kind: AlarmType) -> String {
    let (d, page) = (descriptor(kind), page(kind));
    let mut text = format!(
        "# {}\n\nMade from `src/fault/catalogue.toml` by a test in `tests/tidy`; do not edit by hand.\n\n\
         Severity {}, of {}. Event type {}, probable cause {}.\n",
        d.id,
        severities(d),
        d.object_classes.join(" or "),
        d.event_type.as_str(),
        cause(d)
    );
    let mut add = |title: &str, body: &str| {
        write!(text, "\n## {title}\n\n{}\n", body.trim_end()).expect("a string takes everything");
    };
    add("What it means", &format!("{}\n\nLikely causes: {}", d.meaning, page.causes));
    add("How to look", &look(kind));
    let steps = page.steps.iter().zip(1..).map(|(step, number)| format!("{number}. {step}"));
    add("What to do", &steps.collect::<Vec<_>>().join("\n"));
    add("When it clears", &clears(d));
    add("How it is found", &found(kind));
    let related = related(kind);
    if !related.is_empty() {
        add("Related", &related);
    }
    text
}

/// The commands, and what their capitals stand for.
fn look(kind: AlarmType) -> String {
    let id = kind.id();
    let mut commands =
        vec![format!("vrmctl get alarms --filter 'alarm_type = {id}'"), "vrmctl describe alarm ID".to_owned()];
    commands.extend(page(kind).look.iter().filter(|command| *command != "vrmctl describe alarm ID").cloned());
    let used: BTreeSet<&str> = commands.iter().flat_map(|command| capitals(command)).collect();
    let meanings: BTreeMap<&str, &str> = PLACEHOLDERS.into_iter().collect();
    let mut text = format!("```\n{}\n```\n\n", commands.join("\n"));
    for word in used {
        if let Some(meaning) = meanings.get(word) {
            writeln!(text, "* `{word}`: {meaning}").expect("a string takes everything");
        }
    }
    text
}

/// Words of a command that are written in capitals.
fn capitals(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()))
}

fn clears(d: &AlarmTypeDescriptor) -> String {
    let how = match d.clearing {
        ClearingRule::Automatic | ClearingRule::QuietTime => "The alarm clears by itself then.",
        ClearingRule::Manual => "Nothing else tells that it is good again: `vrmctl clear alarm ID`.",
    };
    format!("{} {how}", d.clearing_condition)
}

fn found(kind: AlarmType) -> String {
    let d = descriptor(kind);
    let mut text = d.detection.clone();
    if d.hold_on_seconds > 0 {
        write!(text, " Told when it has persisted for {} s.", d.hold_on_seconds).expect("a string takes everything");
    }
    match page(kind).not_detectable.as_str() {
        "" => write!(text, "\n\nSeen by: {}.", seen_by(d)),
        reason => write!(text, "\n\nNot detectable here: {reason}"),
    }
    .expect("a string takes everything");
    if !d.thresholds.is_empty() {
        write!(text, "\n\nLevels that an alarm profile may change: {}.", thresholds(d)).expect("it does");
    }
    for remark in remarks(kind) {
        write!(text, "\n\n{remark}").expect("a string takes everything");
    }
    text
}

fn related(kind: AlarmType) -> String {
    let mut lines = Vec::new();
    let mut add = |words: &str, types: &[AlarmType]| {
        if !types.is_empty() {
            lines.push(format!("* {words}: {}.", links(types, beside)));
        }
    };
    add("Look first whether one of these explains it", &holders(kind, explains));
    add("It explains", explains(kind));
    add("Not told beside", &holders(kind, absorbs));
    add("It takes the place of", absorbs(kind));
    lines.join("\n")
}

/// Every generated file with its text.
fn pages() -> BTreeMap<PathBuf, String> {
    let docs = Path::new(ROOT).join("docs");
    let mut pages: BTreeMap<_, _> =
        AlarmType::ALL.into_iter().map(|kind| (docs.join("runbooks").join(beside(kind)), runbook(kind))).collect();
    pages.insert(docs.join("alarms.md"), alarms_md());
    pages
}

#[test]
fn alarms_md_and_runbooks_are_made_from_the_catalogue() {
    let pages = pages();
    let left_over: Vec<_> =
        files_below(&["docs/runbooks"]).into_iter().filter(|file| !pages.contains_key(file)).collect();
    if std::env::var_os("VRM_REGENERATE").is_some() {
        fs::create_dir_all(Path::new(ROOT).join("docs/runbooks")).expect("docs can be written");
        for (path, text) in &pages {
            fs::write(path, text).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
        }
        for file in &left_over {
            fs::remove_file(file).unwrap_or_else(|error| panic!("remove {}: {error}", file.display()));
        }
        return;
    }
    let old: Vec<_> = pages.iter().filter(|(path, text)| !path.is_file() || read(path) != **text).collect();
    let old: Vec<_> =
        old.into_iter().map(|(path, _)| shown(path)).chain(left_over.iter().map(|file| shown(file))).collect();
    assert!(old.is_empty(), "not what the catalogue says; run this with VRM_REGENERATE=1:\n{}", old.join("\n"));
}

#[test]
fn every_capital_in_a_command_is_explained() {
    // Words that commands themselves write in capitals.
    const OWN: [&str; 6] = ["DEV", "MODEL", "MOUNTPOINTS", "NAME", "SERIAL", "VRM"];
    let known: BTreeSet<&str> = PLACEHOLDERS.iter().map(|(word, _)| *word).chain(OWN).collect();
    let mut unknown = BTreeSet::new();
    for kind in AlarmType::ALL {
        for command in &page(kind).look {
            unknown.extend(capitals(command).filter(|word| !known.contains(word)).map(|word| (kind, word)));
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn commands_of_ours_have_a_verb_of_ours() {
    // What the alarm part of the command line adds.
    const ALARM_VERBS: [&str; 3] = ["unlock", "clear", "raise"];
    let arguments = read(&Path::new(ROOT).join("src/cli/args.rs"));
    let mut unknown = Vec::new();
    for kind in AlarmType::ALL {
        for command in page(kind).look.iter().filter_map(|command| command.strip_prefix("vrmctl ")) {
            let mut words = command.split(' ').skip_while(|word| word.starts_with('-') || word.contains(':'));
            let verb = words.next().unwrap_or_default();
            let variant = verb[..1].to_uppercase() + &verb[1..];
            let known = [" {", "(", ","].iter().any(|end| arguments.contains(&format!("    {variant}{end}")));
            if !known && !ALARM_VERBS.contains(&verb) {
                unknown.push(format!("{}: vrmctl {command}", kind.id()));
            }
        }
    }
    assert!(unknown.is_empty(), "no such verb:\n{}", unknown.join("\n"));
}
