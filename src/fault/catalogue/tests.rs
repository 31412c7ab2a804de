use super::*;
use std::collections::BTreeSet;

/// What may follow the dot of a threshold's name beside a severity: distance of the level that clears.
const HYSTERESIS: &str = "hysteresis";

fn all() -> impl Iterator<Item = (AlarmType, &'static AlarmTypeDescriptor)> {
    AlarmType::ALL.into_iter().map(|alarm_type| (alarm_type, descriptor(alarm_type)))
}

#[test]
fn the_whole_file_can_be_read() {
    let file: File = toml::from_str(include_str!("../catalogue.toml")).unwrap();
    assert_eq!(file.types.len(), AlarmType::ALL.len());
    for row in &file.types {
        assert!(cause(&row.cause).is_some(), "{:?}: cause {}", row.id, row.cause);
        assert!(event_type(&row.event_type).is_some(), "{:?}: event type {}", row.id, row.event_type);
    }
    assert!(version() > 0);
}

#[test]
fn every_type_is_found_by_its_id() {
    for alarm_type in AlarmType::ALL {
        assert_eq!(AlarmType::parse(alarm_type.id()), Some(alarm_type));
        assert_eq!(descriptor(alarm_type).id, alarm_type.id());
        assert_eq!(serde_json::to_value(alarm_type).unwrap(), alarm_type.id());
    }
    assert_eq!(AlarmType::parse("vmcrashed"), None);
}

#[test]
fn ids_and_numbers_are_unique_and_in_order() {
    let ids: BTreeSet<_> = all().map(|(_, d)| d.id.clone()).collect();
    assert_eq!(ids.len(), AlarmType::ALL.len());
    assert!(descriptors().map(|d| d.number).is_sorted_by(|a, b| a < b));
    // 11 and 12 of the first draft cannot happen here and are not used again.
    assert!(descriptors().all(|d| d.number != 11 && d.number != 12));
    assert_eq!(AlarmType::ALL.len(), 93);
}

/// The identity of every alarm type: what an OSS keys on. A line may be added, none may change.
#[test]
fn the_identity_of_a_type_is_for_ever() {
    let mut identities = String::new();
    for (_, d) in all() {
        let (event, cause) = (d.event_type.as_str(), &d.probable_cause);
        identities.push_str(&format!("{} {} {event} {} {}\n", d.number, d.id, cause.number, cause.name));
    }
    insta::assert_snapshot!(identities);
}

#[test]
fn a_probable_cause_belongs_to_its_event_type() {
    for (alarm_type, d) in all() {
        let (_, _, families) = CAUSES.iter().find(|(number, ..)| *number == d.probable_cause.number).unwrap();
        assert!(families.contains(&d.event_type), "{alarm_type:?}: {:?} in {:?}", d.probable_cause, d.event_type);
    }
}

#[test]
fn causes_are_unique_and_used() {
    let used: BTreeSet<u32> = descriptors().map(|d| d.probable_cause.number).collect();
    let known: BTreeSet<u32> = CAUSES.iter().map(|(number, ..)| *number).collect();
    let names: BTreeSet<&str> = CAUSES.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(known.len(), CAUSES.len());
    assert_eq!(names.len(), CAUSES.len());
    assert_eq!(used, known);
}

#[test]
fn severities_are_sorted_and_real() {
    for (alarm_type, d) in all() {
        assert!(!d.severities.is_empty() && d.severities.is_sorted_by(|a, b| a < b), "{alarm_type:?}");
        assert!(!d.severities.contains(&PerceivedSeverity::Indeterminate), "{alarm_type:?}");
        if rules(alarm_type).critical_if_important {
            assert_eq!(d.severities.last(), Some(&PerceivedSeverity::Critical), "{alarm_type:?}");
        }
    }
}

#[test]
fn every_type_has_all_its_texts() {
    for (alarm_type, d) in all() {
        let page = page(alarm_type);
        let mut texts = vec![&d.meaning, &d.detection, &d.clearing_condition, &d.repair_action, &page.causes];
        texts.extend(&page.steps);
        for text in texts {
            assert!(text.len() > 5 && text.ends_with(['.', '!']), "{alarm_type:?}: {text:?} is no sentence");
            assert!(!text.contains(['|', '\n', '\t']) && text.len() <= 400, "{alarm_type:?}: {text:?}");
        }
        assert!(page.look.iter().all(|command| !command.trim().is_empty()), "{alarm_type:?}");
        assert!(page.look.len() >= 2, "{alarm_type:?} says too little on how to look");
        assert_eq!(d.repair_action, page.steps.join(" "));
        assert!(!d.object_classes.is_empty(), "{alarm_type:?}");
    }
}

#[test]
fn meanings_are_no_copies() {
    let meanings: BTreeSet<_> = descriptors().map(|d| &d.meaning).collect();
    let detections: BTreeSet<_> = descriptors().map(|d| &d.detection).collect();
    assert_eq!(meanings.len(), AlarmType::ALL.len());
    assert_eq!(detections.len(), AlarmType::ALL.len());
}

#[test]
fn what_explains_stands_above_what_it_explains() {
    for alarm_type in AlarmType::ALL {
        let rules = rules(alarm_type);
        for child in &rules.explains {
            let below = super::rules(*child).rank;
            assert!(rules.rank < below, "{alarm_type:?} ({}) explains {child:?} ({below})", rules.rank);
        }
        for other in &rules.absorbs {
            assert_ne!(*other, alarm_type);
            assert!(
                !super::rules(*other).absorbs.contains(&alarm_type),
                "{alarm_type:?} and {other:?} absorb each other"
            );
        }
        let both: Vec<_> = rules.explains.iter().filter(|t| rules.absorbs.contains(t)).collect();
        assert!(both.is_empty(), "{alarm_type:?} both explains and absorbs {both:?}");
        for list in [&rules.explains, &rules.absorbs] {
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len(), "{alarm_type:?} names one twice");
        }
    }
}

#[test]
fn roots_come_in_the_order_of_the_design() {
    use AlarmType::{
        HostNicLinkDown, HostUnreachable, PoolInaccessible, StorageBackingLost, VirtualNetworkUplinkLost, VmCrashed,
        VmDiskNoSpace, VrmIsolated,
    };
    let order = [
        VrmIsolated,
        HostUnreachable,
        StorageBackingLost,
        VirtualNetworkUplinkLost,
        HostNicLinkDown,
        PoolInaccessible,
        VmDiskNoSpace,
        VmCrashed,
    ];
    assert!(order.map(|alarm_type| rules(alarm_type).rank).is_sorted_by(|a, b| a < b));
}

#[test]
fn one_fault_is_one_alarm() {
    let absorbs = |one: AlarmType, other| rules(one).absorbs.contains(&other);
    assert!(absorbs(AlarmType::VmGuestPanicked, AlarmType::VmCrashed));
    assert!(absorbs(AlarmType::VmDiskNoSpace, AlarmType::VmPausedIoError));
    assert!(absorbs(AlarmType::VmWatchdogFired, AlarmType::VmUnexpectedStop));
    assert!(absorbs(AlarmType::HostDown, AlarmType::HostUnreachable));
}

#[test]
fn only_failures_survive_their_object() {
    let numbers: Vec<u32> = descriptors().filter(|d| d.survives_object).map(|d| d.number).collect();
    assert_eq!(numbers, [44, 45, 46, 47, 61, 69]);
}

#[test]
fn hold_times_fit_the_way_of_clearing() {
    for (alarm_type, d) in all() {
        match d.clearing {
            ClearingRule::Manual => assert_eq!(d.hold_off_seconds, 0, "{alarm_type:?} is cleared by a person"),
            ClearingRule::QuietTime => {
                assert!(d.hold_off_seconds >= 60, "{alarm_type:?} has no quiet time");
                // Nothing says that it is over, so that a single sign would outlast any hold-on.
                assert_eq!(d.hold_on_seconds, 0, "{alarm_type:?}: the detection counts");
            }
            ClearingRule::Automatic => assert!(d.hold_off_seconds <= 600, "{alarm_type:?} clears late"),
        }
        assert!(d.hold_on_seconds <= 7 * 86_400, "{alarm_type:?}");
        if d.detectable == ["external"] {
            assert_eq!(d.hold_on_seconds, 0, "{alarm_type:?}: a reporter has judged already");
        }
    }
}

#[test]
fn threshold_levels_rise_or_fall_with_severity() {
    for (alarm_type, d) in all() {
        let mut metrics: BTreeMap<&str, Vec<(PerceivedSeverity, f64)>> = BTreeMap::new();
        for (name, level) in &d.thresholds {
            assert!(level.is_finite() && *level > 0.0, "{alarm_type:?}: {name} = {level}");
            let Some((metric, suffix)) = name.split_once('.') else { continue };
            if suffix == HYSTERESIS {
                assert!(
                    d.thresholds.keys().any(|other| other != name && other.starts_with(&format!("{metric}.")))
                        || d.external
                );
                continue;
            }
            let severity = PerceivedSeverity::parse(suffix).unwrap_or_else(|| panic!("{alarm_type:?}: {name}"));
            assert!(d.severities.contains(&severity), "{alarm_type:?}: {name} is no severity of it");
            metrics.entry(metric).or_default().push((severity, *level));
        }
        for (metric, mut levels) in metrics {
            levels.sort_by_key(|(severity, _)| *severity);
            let rising = levels.is_sorted_by(|a, b| a.1 < b.1);
            assert!(rising || levels.is_sorted_by(|a, b| a.1 > b.1), "{alarm_type:?}: {metric} {levels:?}");
        }
    }
}

#[test]
fn the_words_of_detectability_are_known_and_fit() {
    const WORDS: [&str; 5] = ["monitor_local", "monitor_remote", "manage", "agent", "external"];
    for (alarm_type, d) in all() {
        let known: Vec<_> = WORDS.into_iter().filter(|word| d.detectable.iter().any(|w| w == word)).collect();
        assert_eq!(d.detectable, known, "{alarm_type:?}: known words, once, in order");
        assert_eq!(d.detectable.is_empty(), !page(alarm_type).not_detectable.is_empty(), "{alarm_type:?}");
        assert_eq!(d.external, known.contains(&"external"), "{alarm_type:?}");
        if known.contains(&"monitor_remote") {
            assert!(known.contains(&"monitor_local") && known.contains(&"manage"), "{alarm_type:?}");
        }
    }
}

#[test]
fn at_least_sixty_types_are_detectable_here() {
    let count = descriptors().filter(|d| !d.detectable.is_empty()).count();
    assert!(count >= 60, "{count}");
}
