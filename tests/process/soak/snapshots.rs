//! Everything as it was at a position: what subscribers' copies are compared with.

use super::watcher::{Watcher, of_alarm};
use crate::common::{Exact, Held, PATIENCE, TestClient, wait_for};
use std::collections::BTreeMap;
use vrm::wire::v1;

/// The whole inventory, a part of it, and the alarm list, each exactly at a position.
pub struct Snapshots {
    whole: Exact,
    part: Exact,
    alarms: Exact,
}

impl Snapshots {
    /// Looks at each until nothing changed while it was looked at.
    pub async fn take(client: &TestClient, filter: &str) -> Self {
        let whole = still(client, async || client.list("").await).await;
        let part = still(client, async || client.list(filter).await).await;
        let alarms = still(client, async || alarms(client).await).await;
        Self { whole, part, alarms }
    }

    /// The last of the positions.
    pub fn sequence(&self) -> u64 {
        self.whole.sequence.max(self.part.sequence).max(self.alarms.sequence)
    }

    /// What a subscriber must have at that position.
    pub fn of(&self, watcher: &Watcher) -> &Exact {
        match (watcher.wanted.alarms, watcher.wanted.filter.is_empty()) {
            (true, _) => &self.alarms,
            (false, true) => &self.whole,
            (false, false) => &self.part,
        }
    }
}

type Listed = (v1::StreamPosition, BTreeMap<String, Held>);

/// A list tells the position at which it was begun: if the log still stands there, the list is of that position.
async fn still(client: &TestClient, mut list: impl AsyncFnMut() -> Listed) -> Exact {
    let (exact, _) = wait_for("a list without changes meanwhile", PATIENCE, async || {
        let (position, objects) = list().await;
        let is_still = client.head().await == position;
        is_still.then_some(Exact { epoch: position.epoch, sequence: position.sequence, objects })
    })
    .await;
    exact
}

async fn alarms(client: &TestClient) -> Listed {
    let mut objects = BTreeMap::new();
    let mut request = v1::ListAlarmsRequest { page_size: 1_000, ..Default::default() };
    loop {
        let answer = client.alarms().list_alarms(request.clone()).await.expect("answers").into_inner();
        objects.extend(answer.alarms.iter().map(|alarm| (alarm.name.clone(), of_alarm(alarm))));
        if answer.next_page_token.is_empty() {
            return (answer.position.expect("always there"), objects);
        }
        request.page_token = answer.next_page_token;
    }
}
