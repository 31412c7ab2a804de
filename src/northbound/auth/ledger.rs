//! Who is not let in, and how often: counted here, reported to the engine at most twice a minute for
//! each identity and method, so that nobody fills the disk by asking (design.md 8).

use super::identity::Identity;
use crate::engine::{
    ACCESS_WINDOW, AccessReport, DeniedAccess, EngineHandle, FailedAuthentication, denials_alarm, failures_alarm,
};
use crate::model::Actor;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first refusal of its kind is reported at once, the others of that minute together.
const PERIOD: Duration = Duration::from_secs(60);

/// Identities with methods, and addresses, counted one by one in a minute: 1,000 each. Others are counted
/// together under this word.
const COUNTED: usize = 1_000;

/// Who is beyond [`COUNTED`].
const OTHERS: &str = "(others)";

/// Times remembered of one identity or address: more than any level of the catalogue.
const TIMES: usize = 64;

/// The counts.
#[derive(Debug, Default)]
pub struct AccessLedger {
    book: Mutex<Book>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Book {
    denied: BTreeMap<(String, String), Entry>,
    failed: BTreeMap<String, Entry>,
    /// When changes were denied to an identity.
    changes: BTreeMap<String, VecDeque<Instant>>,
    /// When an address failed, and whether it had a credential.
    failures: BTreeMap<String, VecDeque<(Instant, bool)>>,
}

/// What is counted of one kind.
#[derive(Debug, Default)]
struct Entry {
    actor: Actor,
    reason: String,
    /// Not reported yet.
    count: u32,
    /// The first of this period was reported.
    told: bool,
}

impl AccessLedger {
    /// A call was refused.
    pub fn denied(&self, identity: &Identity, method: &str, is_change: bool) {
        let mut book = self.lock();
        let mut key = (identity.principal.clone(), method.to_owned());
        if book.denied.len() >= COUNTED && !book.denied.contains_key(&key) {
            key = (OTHERS.to_owned(), OTHERS.to_owned());
        }
        let alarms = is_change && {
            remember(&mut book.changes, &key.0, Instant::now());
            denials_alarm(book.recent_changes(&key.0))
        };
        let entry = book.denied.entry(key).or_default();
        entry.told &= !alarms;
        let Identity { principal, peer, .. } = identity;
        entry.actor = Actor { principal: principal.clone(), peer: peer.clone(), ..Actor::default() };
        entry.count = entry.count.saturating_add(1);
        self.news.notify_one();
    }

    /// Somebody could not prove who he is.
    pub fn failed(&self, peer: IpAddr, reason: &str, had_credential: bool) {
        let mut book = self.lock();
        let mut key = peer.to_string();
        if book.failed.len() >= COUNTED && !book.failed.contains_key(&key) {
            key = OTHERS.to_owned();
        }
        remember(&mut book.failures, &key, (Instant::now(), had_credential));
        let alarms = failures_alarm(book.recent_failures(&key, true), book.recent_failures(&key, false));
        let entry = book.failed.entry(key).or_default();
        entry.told &= !alarms;
        reason.clone_into(&mut entry.reason);
        entry.count = entry.count.saturating_add(1);
        self.news.notify_one();
    }

    /// Reports until told to stop; what could not be stored is reported with the next.
    pub async fn keep(&self, engine: &EngineHandle, stop: &CancellationToken) {
        let mut period = tokio::time::interval(PERIOD);
        period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Cancel-safety: a notification or tick that is not taken stays.
            let report = tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => self.lock().take(false),
                _ = period.tick() => self.lock().take(true),
            };
            if report.is_empty() {
                continue;
            }
            if let Err(error) = engine.report_access(report.clone()).await {
                tracing::warn!(%error, "refused calls could not be recorded yet");
                self.lock().give_back(report);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What is to be reported: what is new in this period, or at its end everything.
    fn take(&mut self, ends: bool) -> AccessReport {
        let now = Instant::now();
        self.forget(now);
        let due = |entry: &Entry| entry.count > 0 && (ends || !entry.told);
        let mut report = AccessReport::default();
        let mut denied = std::mem::take(&mut self.denied);
        for ((principal, method), entry) in denied.iter_mut().filter(|(_, entry)| due(entry)) {
            report.denied.push(DeniedAccess {
                actor: entry.actor.clone(),
                method: method.clone(),
                count: entry.tell(),
                recent_changes: self.recent_changes(principal),
            });
        }
        let mut failed = std::mem::take(&mut self.failed);
        for (peer, entry) in failed.iter_mut().filter(|(_, entry)| due(entry)) {
            report.failed.push(FailedAuthentication {
                peer: peer.clone(),
                reason: entry.reason.clone(),
                count: entry.tell(),
                recent: self.recent_failures(peer, true),
                recent_anonymous: self.recent_failures(peer, false),
            });
        }
        if !ends {
            (self.denied, self.failed) = (denied, failed);
        }
        report
    }

    fn recent_changes(&self, principal: &str) -> u32 {
        self.changes.get(principal).map_or(0, |times| size(times.len()))
    }

    fn recent_failures(&self, peer: &str, credential: bool) -> u32 {
        let of_kind = |times: &VecDeque<(Instant, bool)>| times.iter().filter(|(_, had)| *had == credential).count();
        self.failures.get(peer).map_or(0, |times| size(of_kind(times)))
    }

    /// Counts again what was not stored.
    fn give_back(&mut self, report: AccessReport) {
        for denied in report.denied {
            let entry = self.denied.entry((denied.actor.principal.clone(), denied.method)).or_default();
            entry.actor = denied.actor;
            entry.count = entry.count.saturating_add(denied.count);
            entry.told = true;
        }
        for failed in report.failed {
            let entry = self.failed.entry(failed.peer).or_default();
            entry.reason = failed.reason;
            entry.count = entry.count.saturating_add(failed.count);
            entry.told = true;
        }
    }

    fn forget(&mut self, now: Instant) {
        let recent = |at: Instant| now.duration_since(at) < ACCESS_WINDOW;
        self.changes.retain(|_, times| {
            times.retain(|at| recent(*at));
            !times.is_empty()
        });
        self.failures.retain(|_, times| {
            times.retain(|(at, _)| recent(*at));
            !times.is_empty()
        });
    }
}

impl Entry {
    fn tell(&mut self) -> u32 {
        self.told = true;
        std::mem::take(&mut self.count)
    }
}

fn remember<T>(times: &mut BTreeMap<String, VecDeque<T>>, key: &str, time: T) {
    let of_key = times.entry(key.to_owned()).or_default();
    of_key.push_back(time);
    if of_key.len() > TIMES {
        of_key.pop_front();
    }
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::northbound::auth::PeerKind;

    fn identity(principal: &str) -> Identity {
        Identity {
            principal: principal.into(),
            peer: "unix:pid 1".into(),
            kind: PeerKind::Local,
            roles: Default::default(),
            user: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_at_once_and_the_others_of_the_minute_together() {
        let ledger = AccessLedger::default();
        ledger.denied(&identity("eve"), "m", true);
        let first = ledger.lock().take(false);
        assert_eq!((first.denied.len(), first.denied[0].count, first.denied[0].recent_changes), (1, 1, 1));
        ledger.denied(&identity("eve"), "m", true);
        assert!(ledger.lock().take(false).is_empty(), "the second waits");
        ledger.denied(&identity("eve"), "m", true);
        let third = ledger.lock().take(false);
        assert_eq!((third.denied[0].count, third.denied[0].recent_changes), (2, 3), "what becomes an alarm does not");
        for _ in 0..30 {
            ledger.denied(&identity("eve"), "m", true);
        }
        assert!(ledger.lock().take(false).is_empty());
        let rest = ledger.lock().take(true);
        assert_eq!((rest.denied[0].count, rest.denied[0].recent_changes), (30, 33));
        assert!(ledger.lock().take(true).is_empty());
        tokio::time::advance(ACCESS_WINDOW).await;
        ledger.denied(&identity("eve"), "m", true);
        assert_eq!(ledger.lock().take(false).denied[0].recent_changes, 1, "the window is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_names_is_bounded_and_nothing_is_lost() {
        let ledger = AccessLedger::default();
        for number in 0..5_000 {
            ledger.denied(&identity(&format!("p{number}")), "m", false);
        }
        let report = ledger.lock().take(false);
        assert_eq!(report.denied.len(), COUNTED + 1);
        assert_eq!(report.denied.iter().map(|denied| denied.count).sum::<u32>(), 5_000);
        ledger.lock().give_back(report);
        let again = ledger.lock().take(true);
        assert_eq!(again.denied.iter().map(|denied| denied.count).sum::<u32>(), 5_000);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_without_a_credential_are_counted_apart() {
        let ledger = AccessLedger::default();
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        ledger.failed(peer, "no certificate", false);
        ledger.failed(peer, "unknown issuer", true);
        let report = ledger.lock().take(false);
        assert_eq!((report.failed[0].recent, report.failed[0].recent_anonymous, report.failed[0].count), (1, 1, 2));
    }
}
