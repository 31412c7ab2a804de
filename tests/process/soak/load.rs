//! Alarms that are raised, graded anew, acknowledged and cleared, a thousand transitions a second, over any number of
//! daemons: a request that found none is made again.

use crate::common::{TestClient, pause};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use vrm::wire::v1;

/// Who reports at once.
const REPORTERS: usize = 16;

/// Each makes a request in this time, if the daemon is fast enough: 800 a second all together. A life is four of them
/// (raised, graded, acknowledged, cleared) and five transitions (gone): 1,000 a second.
const PACE: Duration = Duration::from_millis(20);

/// Alarms that each reporter leaves standing.
const STANDING: usize = 6;

/// All reporters.
pub struct Load {
    shared: Arc<Shared>,
    reporters: Vec<JoinHandle<()>>,
    rested: Mutex<Duration>,
    resting: Option<Instant>,
}

struct Shared {
    socket: PathBuf,
    paused: AtomicBool,
    ends: AtomicBool,
    /// Requests under way.
    busy: AtomicUsize,
    lives: AtomicU64,
    /// Name and revision of every alarm that was answered.
    answered: Mutex<Vec<(String, u64)>>,
}

impl Load {
    /// Begins.
    pub fn begin(socket: &Path) -> Self {
        let shared = Arc::new(Shared {
            socket: socket.to_owned(),
            paused: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            lives: AtomicU64::new(0),
            answered: Mutex::default(),
        });
        let reporters = (0..REPORTERS).map(|_| tokio::spawn(Arc::clone(&shared).report())).collect();
        Self { shared, reporters, rested: Mutex::default(), resting: None }
    }

    /// Pauses, and waits until no request is under way.
    pub async fn rest(&mut self) {
        self.resting = Some(Instant::now());
        self.shared.paused.store(true, Ordering::SeqCst);
        while self.shared.busy.load(Ordering::SeqCst) > 0 {
            pause().await;
        }
    }

    /// Goes on.
    pub fn go_on(&mut self) {
        let rested = self.resting.take().map(|since| since.elapsed()).unwrap_or_default();
        *self.rested.lock().expect("whole") += rested;
        self.shared.paused.store(false, Ordering::SeqCst);
    }

    /// How long it has rested.
    pub fn rested(&self) -> Duration {
        *self.rested.lock().expect("whole")
    }

    /// Ends; which states of alarms were answered.
    pub async fn end(&mut self) -> Vec<(String, u64)> {
        self.shared.ends.store(true, Ordering::SeqCst);
        self.shared.paused.store(false, Ordering::SeqCst);
        for reporter in &mut self.reporters {
            reporter.await.expect("no panic");
        }
        std::mem::take(&mut self.shared.answered.lock().expect("whole"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.reporters.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    async fn report(self: Arc<Self>) {
        let mut client = TestClient::connected(&self.socket).await;
        // A rate, not a wait for something.
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut standing: VecDeque<(String, String)> = VecDeque::new();
        while !self.ends.load(Ordering::SeqCst) {
            let life = self.lives.fetch_add(1, Ordering::SeqCst);
            let disk = format!("hosts/sim-{}/disks/d{life}", life % 3 + 1);
            let Some(name) = self.tell(&mut client, &mut pace, &disk, v1::Severity::Major, true).await else {
                continue;
            };
            self.tell(&mut client, &mut pace, &disk, v1::Severity::Critical, true).await;
            standing.push_back((disk, name));
            if standing.len() > STANDING
                && let Some((disk, name)) = standing.pop_front()
            {
                self.acknowledge(&mut client, &mut pace, &name).await;
                self.tell(&mut client, &mut pace, &disk, v1::Severity::Critical, false).await;
            }
        }
    }

    /// Reports a condition until it is answered; name of the alarm, if there is one then.
    async fn tell(
        &self,
        client: &mut TestClient,
        pace: &mut tokio::time::Interval,
        disk: &str,
        severity: v1::Severity,
        active: bool,
    ) -> Option<String> {
        let request = v1::ReportConditionRequest {
            alarm_type: "hostDiskFailed".to_owned(),
            object: disk.to_owned(),
            active,
            severity: severity.into(),
            ..Default::default()
        };
        self.ask(client, pace, &Question::Report(request)).await.map(|alarm| alarm.name)
    }

    async fn acknowledge(&self, client: &mut TestClient, pace: &mut tokio::time::Interval, name: &str) {
        let request = v1::AcknowledgeAlarmRequest { name: name.to_owned(), ..Default::default() };
        self.ask(client, pace, &Question::Acknowledge(request)).await;
    }

    /// Asks until there is an answer, on a new connection after each failure.
    async fn ask(
        &self,
        client: &mut TestClient,
        pace: &mut tokio::time::Interval,
        question: &Question,
    ) -> Option<v1::Alarm> {
        loop {
            pace.tick().await;
            self.busy.fetch_add(1, Ordering::SeqCst);
            while self.paused.load(Ordering::SeqCst) {
                self.busy.fetch_sub(1, Ordering::SeqCst);
                pause().await;
                self.busy.fetch_add(1, Ordering::SeqCst);
            }
            let answer = question.put(client).await;
            self.busy.fetch_sub(1, Ordering::SeqCst);
            match answer {
                Ok(alarm) => {
                    let state = alarm.iter().map(|alarm| (alarm.name.clone(), alarm.revision));
                    self.answered.lock().expect("whole").extend(state);
                    return alarm;
                }
                // The host is not known yet after a start, or its alarm is gone: nothing to be done about it.
                Err(status) if status.code() == tonic::Code::NotFound => return None,
                Err(_) if self.ends.load(Ordering::SeqCst) => return None,
                Err(_) => *client = TestClient::connected(&self.socket).await,
            }
        }
    }
}

/// What a reporter asks for.
enum Question {
    Report(v1::ReportConditionRequest),
    Acknowledge(v1::AcknowledgeAlarmRequest),
}

impl Question {
    /// Asks once; the alarm as it is then, if there is one.
    async fn put(&self, client: &TestClient) -> Result<Option<v1::Alarm>, tonic::Status> {
        match self {
            Self::Report(request) => Ok(client.alarms().report_condition(request.clone()).await?.into_inner().alarm),
            Self::Acknowledge(request) => {
                Ok(Some(client.alarms().acknowledge_alarm(request.clone()).await?.into_inner()))
            }
        }
    }
}
