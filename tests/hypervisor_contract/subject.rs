//! What an implementation offers to be put through the contract, and how a case is run on it.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;
use vrm::hypervisor::port::{Hypervisor, HypervisorEvent, Link};
use vrm::model::observation::{Fact, Observation, Scope};

/// More than any call of a working endpoint takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a case needs of its subject beyond connecting and listing machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At least one active machine.
    ActiveMachine,
    /// At least one machine that is off.
    OffMachine,
    /// Statistics of running machines.
    Statistics,
    /// Counters that move while time passes.
    MovingCounters,
    /// Snapshots can be listed.
    Snapshots,
    /// Pools, at least one with a volume.
    Storage,
    /// Networks, at least one.
    Networks,
    /// Host devices.
    HostDevices,
    /// Events of machines, and [`Act::StopMachine`] and [`Act::StartMachine`].
    MachineEvents,
    /// Events of pools, and [`Act::StopPool`].
    PoolEvents,
    /// Events of networks, and [`Act::StopNetwork`].
    NetworkEvents,
    /// [`Act::Hang`] and [`Act::Release`].
    Hang,
    /// [`Act::Cut`] and [`Act::Release`].
    Cut,
    /// The driver finds out that its connection was cut without being asked.
    LossDetection,
}

/// Something done to the world behind the endpoint's back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// An active machine stops.
    StopMachine(Uuid),
    /// A machine stopped by [`Act::StopMachine`] starts again.
    StartMachine(Uuid),
    /// A running pool stops.
    StopPool(String),
    /// An active network stops.
    StopNetwork(String),
    /// Calls do not return any more.
    Hang,
    /// The connection breaks and no new one can be made.
    Cut,
    /// Ends [`Act::Hang`] and [`Act::Cut`].
    Release,
}

/// An implementation under test, with a world of its own that changes only by [`Act`]s.
pub trait Subject: Send + Sync {
    /// Its endpoint, not yet connected.
    fn endpoint(&self) -> Arc<dyn Hypervisor>;

    /// True if it can serve this need.
    fn can(&self, need: Need) -> bool;

    /// Does something to its world.
    fn act(&self, act: Act) -> BoxFuture<'_, ()>;
}

/// One case of the contract.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it needs.
    pub needs: &'static [Need],
}

impl Case {
    /// The first need that the subject cannot serve.
    pub fn missing(&self, subject: &dyn Subject) -> Option<Need> {
        self.needs.iter().copied().find(|need| !subject.can(*need))
    }
}

/// A connected endpoint.
pub struct Connected {
    /// The endpoint.
    pub endpoint: Arc<dyn Hypervisor>,
    /// Its connection.
    pub link: Link,
}

impl Connected {
    /// Connects the subject's endpoint.
    pub async fn to(subject: &dyn Subject) -> Self {
        let endpoint = subject.endpoint();
        let link = endpoint.connect(PATIENCE).await.expect("it connects");
        Self { endpoint, link }
    }

    /// Reads a scope, which must succeed completely.
    pub async fn read(&self, scope: Scope) -> Observation {
        let observation = self.endpoint.observe(scope.clone(), PATIENCE).await;
        let observation = observation.unwrap_or_else(|error| panic!("{scope:?}: {error}"));
        assert_eq!(observation.errors, [], "{scope:?}");
        observation
    }

    /// The facts of a scope.
    pub async fn facts(&self, scope: Scope) -> Vec<Fact> {
        self.read(scope).await.facts
    }

    /// Waits for an event that the condition accepts; others are passed over.
    pub async fn event(&mut self, what: &str, wanted: impl FnMut(&HypervisorEvent) -> bool) -> HypervisorEvent {
        next_event(&mut self.link.events, what, wanted).await
    }
}

/// Waits for an event that the condition accepts; fails when the connection ends or patience does.
pub async fn next_event(
    events: &mut mpsc::Receiver<HypervisorEvent>,
    what: &str,
    mut wanted: impl FnMut(&HypervisorEvent) -> bool,
) -> HypervisorEvent {
    let search = async {
        loop {
            let event = events.recv().await.unwrap_or_else(|| panic!("connection ended before {what}"));
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("no event: {what}"))
}
