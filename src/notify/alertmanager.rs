//! The Alertmanager: batches of alerts, and everything active again each minute.

use super::channel::{Failure, Parcel, Progress, now};
use super::config::AlertmanagerConfig;
use super::http::HttpClient;
use super::notice::Notice;
use crate::export::{ChangeEvent, Reporter, alert};
use crate::model::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// How long the Alertmanager believes in an alert that is not told again. Long on purpose: while we
/// are away nothing says that the fault is gone, and our absence itself is an alert of the
/// watchdog rule.
const BELIEF: Duration = Duration::from_secs(3_600);

/// Alerts in one request: 64, some 100 KB.
const ALERTS: usize = 64;

#[derive(Debug)]
pub(super) struct Alertmanager {
    client: HttpClient,
}

impl Alertmanager {
    pub(super) fn new(config: AlertmanagerConfig) -> Result<Self, String> {
        Ok(Self { client: HttpClient::new(config.endpoint, "/api/v2/alerts")? })
    }

    pub(super) async fn deliver(&mut self, parcel: Parcel<'_>) -> Progress {
        // Two states of one alert in one request would leave only the last: cut there.
        let mut done = 0;
        while done < parcel.notices.len() {
            let run = run_length(&parcel.notices[done..]).min(ALERTS);
            let batch = &parcel.notices[done..done + run];
            if let Err(failure) = self.post(parcel.reporter, batch).await {
                return self.alone(parcel, done, run, failure).await;
            }
            done += run;
        }
        Progress::all(done)
    }

    /// A refused batch is told one by one, so that one bad alert does not take others with it.
    async fn alone(&mut self, parcel: Parcel<'_>, done: usize, run: usize, failure: Failure) -> Progress {
        if run == 1 || !matches!(failure, Failure::Refused(_)) {
            return Progress::stopped(done, failure);
        }
        for at in done..done + run {
            if let Err(failure) = self.post(parcel.reporter, &parcel.notices[at..=at]).await {
                return Progress::stopped(at, failure);
            }
        }
        Progress::all(done + run)
    }

    async fn post(&mut self, reporter: &Reporter, notices: &[Notice]) -> Result<(), Failure> {
        let at = now();
        let alerts: Vec<Value> = notices.iter().flat_map(|notice| alerts(reporter, notice, at)).collect();
        self.client.post(Value::Array(alerts).to_string().into(), &[]).await
    }
}

/// The alerts of a notice: the former identity ended, then the present one.
fn alerts(reporter: &Reporter, notice: &Notice, at: Timestamp) -> Vec<Value> {
    let mut alerts = Vec::new();
    if let Some(former) = &notice.former {
        alerts.push(alert(reporter, former, None, at));
    }
    let ends = match notice.event {
        ChangeEvent::Cleared(_) => {
            let over = notice.view.alarm.clear_time.unwrap_or(at).min(at);
            // An end before the begin would be refused.
            over.max(notice.identity.raise_time)
        }
        ChangeEvent::Raised | ChangeEvent::Changed => at.plus(BELIEF),
    };
    alerts.push(alert(reporter, &notice.identity, Some(&notice.view), ends));
    alerts
}

/// How many notices from the front are about different alarms.
fn run_length(notices: &[Notice]) -> usize {
    let mut seen = std::collections::HashSet::new();
    notices.iter().take_while(|notice| seen.insert(&notice.view.name)).count()
}
