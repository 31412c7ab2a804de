//! The order of a list.

use crate::model::{Alarm, Body, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::reason::Reason;
use crate::wire::convert;

/// Field and direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    key: Key,
    /// From the last to the first.
    pub descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Name,
    DisplayName,
    CreateTime,
    UpdateTime,
    RaiseTime,
    ChangeTime,
    Severity,
    FaultyObject,
}

/// Keys of managed resources.
const RESOURCE_KEYS: [(&str, Key); 4] = [
    ("name", Key::Name),
    ("display_name", Key::DisplayName),
    ("create_time", Key::CreateTime),
    ("update_time", Key::UpdateTime),
];

/// Keys of alarms.
const ALARM_KEYS: [(&str, Key); 6] = [
    ("name", Key::Name),
    ("raise_time", Key::RaiseTime),
    ("perceived_severity", Key::Severity),
    ("change_time", Key::ChangeTime),
    ("object", Key::FaultyObject),
    ("create_time", Key::CreateTime),
];

impl Order {
    /// Understands `order_by` for a class.
    ///
    /// # Errors
    /// `INVALID_ORDER_BY`.
    pub fn parse(text: &str, class: ObjectClass) -> Result<Self, Failure> {
        let keys: &[(&str, Key)] = if class == ObjectClass::Alarm { &ALARM_KEYS } else { &RESOURCE_KEYS };
        let mut words = text.split_whitespace();
        let key = match words.next() {
            None => Key::Name,
            Some(word) => match keys.iter().find(|(name, _)| *name == word) {
                Some((_, key)) => *key,
                None => {
                    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
                    return Err(bad(&format!("there are {}", names.join(", "))));
                }
            },
        };
        let descending = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(bad("after the field only asc or desc may follow")),
        };
        if words.next().is_some() {
            return Err(bad("one field only"));
        }
        Ok(Self { key, descending })
    }

    /// True for the order in which objects lie anyway.
    pub fn is_natural(self) -> bool {
        self.key == Key::Name && !self.descending
    }

    /// A text that sorts as the order wants; objects of equal keys go by name.
    pub fn key(self, object: &Object) -> String {
        match self.key {
            Key::Name => String::new(),
            Key::DisplayName => object.display_name(),
            Key::CreateTime => sortable(object.create_time.0),
            Key::UpdateTime => sortable(object.change_time.0),
            Key::RaiseTime => alarm_key(object, |alarm| sortable(alarm.raise_time.0)),
            Key::ChangeTime => alarm_key(object, |alarm| sortable(alarm.status_change_time.0)),
            Key::Severity => alarm_key(object, |alarm| convert::severity(alarm.perceived_severity).to_string()),
            Key::FaultyObject => alarm_key(object, |alarm| alarm.object.to_string()),
        }
    }
}

fn alarm_key(object: &Object, key: impl Fn(&Alarm) -> String) -> String {
    match &object.body {
        Body::Alarm(alarm) => key(alarm),
        _ => String::new(),
    }
}

fn bad(what: &str) -> Failure {
    Failure::violation(Reason::InvalidOrderBy, "order_by", what)
}

/// A number as text that sorts like the number, also below zero.
fn sortable(number: i64) -> String {
    format!("{:020}", i128::from(number) - i128::from(i64::MIN))
}
