//! Request ids: a repeat gets the first outcome, other content under the same id is refused.

use super::command::{CommandContext, CommandError};
use crate::model::name::digest16;
use crate::model::{Name, Timestamp};
use crate::store::RequestRow;
use std::collections::HashMap;
use std::time::Duration;

/// Remembered for two days in memory as in the store; promised are 24 hours.
const LIFE: Duration = Duration::from_secs(2 * 24 * 3600);

/// At most 100,000 ids in memory (about 20 MB); the oldest go first and are then no longer known.
const CAPACITY: usize = 100_000;

/// Longest request id: 128 bytes.
pub(super) const LONGEST: usize = 128;

/// What is remembered of requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    known: HashMap<String, RequestRow>,
}

impl Requests {
    pub(super) fn restore(rows: Vec<RequestRow>) -> Self {
        Self { known: rows.into_iter().map(|row| (row.request_id.clone(), row)).collect() }
    }

    /// The object a repeated request changed the first time; nothing for a new request.
    pub(super) fn repeated(&self, context: &CommandContext, content: &str) -> Result<Option<Name>, CommandError> {
        if context.request_id.len() > LONGEST {
            return Err(CommandError::InvalidField {
                field: "request_id".into(),
                reason: format!("longer than {LONGEST} bytes"),
            });
        }
        match self.known.get(&context.request_id) {
            None => Ok(None),
            Some(row) if row.fingerprint == fingerprint(context, content) => Ok(Some(Name::new(row.target.as_str()))),
            Some(_) => Err(CommandError::RequestIdReused(context.request_id.clone())),
        }
    }

    /// Remembers a request; the row goes into its transaction. Nothing for a caller without an id.
    pub(super) fn remember(
        &mut self,
        context: &CommandContext,
        content: &str,
        target: &Name,
        time: Timestamp,
    ) -> Option<RequestRow> {
        if context.request_id.is_empty() {
            return None;
        }
        let row = RequestRow {
            request_id: context.request_id.clone(),
            time,
            fingerprint: fingerprint(context, content),
            target: target.to_string(),
        };
        if self.known.len() >= CAPACITY {
            self.shed(time);
        }
        self.known.insert(row.request_id.clone(), row.clone());
        Some(row)
    }

    fn shed(&mut self, now: Timestamp) {
        self.known.retain(|_, row| now.since(row.time) < LIFE);
        if self.known.len() >= CAPACITY {
            let mut times: Vec<Timestamp> = self.known.values().map(|row| row.time).collect();
            times.sort_unstable();
            let median = times[times.len() / 2];
            self.known.retain(|_, row| row.time > median);
        }
    }
}

fn fingerprint(context: &CommandContext, content: &str) -> String {
    digest16(&format!("{}\n{}\n{content}", context.actor.principal, context.method))
}
