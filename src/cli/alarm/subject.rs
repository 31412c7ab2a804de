//! What people call the object of an alarm, and who did something to it. Pure.

use crate::cli::kind::Kind;
use crate::client::class_of_name;
use crate::wire::v1;

/// `vm/web-1`, `host/kvm-07`, `vm/web-1/disks/vda`: the alarm's object as it can be typed.
pub fn object(alarm: &v1::Alarm) -> String {
    named(&alarm.object, &alarm.object_label)
}

/// A resource name with the label people know it by.
pub fn named(name: &str, label: &str) -> String {
    let segments: Vec<&str> = name.split('/').collect();
    // The longest beginning that names an object; what is behind is a part of it.
    for end in (1..=segments.len()).rev() {
        let Some(class) = class_of_name(&segments[..end].join("/")) else { continue };
        let own = segments[end - 1];
        let is_cryptic = uuid::Uuid::parse_str(own).is_ok();
        let shown = if label.is_empty() || (end < segments.len() && !is_cryptic) { own } else { label };
        let part = segments[end..].iter().map(|segment| format!("/{segment}")).collect::<String>();
        // The label of a part may say the part already.
        let part = if shown == label && label.ends_with(&part) { String::new() } else { part };
        return format!("{}/{shown}{part}", Kind::Object(class).word());
    }
    if label.is_empty() { name.to_owned() } else { label.to_owned() }
}

/// The person and the identity that vouched: `alice via oss-1`.
pub fn person(actor: Option<&v1::Actor>) -> String {
    match actor {
        None => String::new(),
        Some(actor) if actor.user.is_empty() => actor.principal.clone(),
        Some(actor) if actor.principal.is_empty() => actor.user.clone(),
        Some(actor) => format!("{} via {}", actor.user, actor.principal),
    }
}

/// Last segment of `alarms/UUID`.
pub fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_called_as_they_are_typed() {
        let machine = "virtualMachines/6f1c3a52-0000-4000-8000-000000000001";
        assert_eq!(named(machine, "web-1"), "vm/web-1");
        assert_eq!(named(&format!("{machine}/disks/vda"), "web-1"), "vm/web-1/disks/vda");
        assert_eq!(named(&format!("{machine}/disks/vda"), "web-1/disks/vda"), "vm/web-1/disks/vda");
        assert_eq!(named("hosts/kvm-07", ""), "host/kvm-07");
        assert_eq!(named("hosts/kvm-07/storagePools/default", "default"), "pool/default");
        assert_eq!(named("hosts/kvm-07/filesystems/root", "kvm-07"), "host/kvm-07/filesystems/root");
        assert_eq!(named("something/else", "shown"), "shown");
    }

    #[test]
    fn the_person_is_shown_with_who_vouched() {
        let actor = |user: &str, principal: &str| v1::Actor {
            user: user.to_owned(),
            principal: principal.to_owned(),
            ..v1::Actor::default()
        };
        assert_eq!(person(Some(&actor("alice", "oss-1"))), "alice via oss-1");
        assert_eq!(person(Some(&actor("", "uid:0(root)"))), "uid:0(root)");
        assert_eq!(person(None), "");
    }
}
