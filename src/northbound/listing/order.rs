//! The order of a list.

use crate::model::Object;
use crate::northbound::failure::Failure;
use crate::northbound::reason::Reason;

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
}

impl Order {
    /// Understands `order_by`.
    ///
    /// # Errors
    /// `INVALID_ORDER_BY`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut words = text.split_whitespace();
        let key = match words.next() {
            None | Some("name") => Key::Name,
            Some("display_name") => Key::DisplayName,
            Some("create_time") => Key::CreateTime,
            Some("update_time") => Key::UpdateTime,
            Some(_) => return Err(bad("there are name, display_name, create_time and update_time")),
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
        }
    }
}

fn bad(what: &str) -> Failure {
    Failure::violation(Reason::InvalidOrderBy, "order_by", what)
}

/// A number as text that sorts like the number, also below zero.
fn sortable(number: i64) -> String {
    format!("{:020}", i128::from(number) - i128::from(i64::MIN))
}
