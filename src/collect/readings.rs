//! Reading scopes through the port and cutting the answers into reports of bounded size.

use super::local::LocalDetails;
use crate::engine::{Cause, EngineHandle, Report};
use crate::hypervisor::port::{Hypervisor, HypervisorError};
use crate::measurement::SampleSink;
use crate::model::Timestamp;
use crate::model::incident::Incident;
use crate::model::observation::{Fact, GoneCause, Observation, Scope};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A bulk report carries at most 256 facts, so that an engine turn stays short (design.md 4).
pub(super) const FACTS_PER_REPORT: usize = 256;

/// The clock.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a collector reads through and reports to.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) hypervisor: Arc<dyn Hypervisor>,
    pub(super) engine: EngineHandle,
    pub(super) clock: Clock,
    pub(super) generation: u64,
    pub(super) local: LocalDetails,
    pub(super) samples: SampleSink,
}

impl Reader {
    /// Reads a scope and reports it in chunks behind other polls.
    ///
    /// Unsupported scopes and those the profile forbids are no failure: capabilities tell of them.
    pub(super) async fn read(&self, scope: Scope, cause: Cause, deadline: Duration) -> Result<(), HypervisorError> {
        let begun = (self.clock)();
        match self.hypervisor.observe(scope.clone(), deadline).await {
            Ok(mut observation) => {
                self.note_errors(&scope, &observation);
                self.local.judge(self.hypervisor.uri(), &mut observation);
                self.report_bulk(cause, Observation { time: begun, ..observation }).await;
                Ok(())
            }
            Err(HypervisorError::Unsupported(_) | HypervisorError::NeedsManage(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells before everything else what happened and leaves nothing to read.
    pub(super) async fn report_incidents(&self, incidents: Vec<Incident>) {
        let facts = incidents.into_iter().map(|incident| Fact::Incident(Box::new(incident))).collect();
        let observation = Observation { time: (self.clock)(), facts, errors: Vec::new(), samples: None };
        let (key, generation) = (self.hypervisor.key().clone(), self.generation);
        self.engine.report_urgent(Report::Observed { key, generation, cause: Cause::Event, observation }).await;
    }

    /// Reads a scope because of an event, and reports it before polls. `leaving` is what the event
    /// said of a machine that goes.
    pub(super) async fn read_hinted(
        &self,
        scope: Scope,
        leaving: Option<GoneCause>,
        deadline: Duration,
    ) -> Result<(), HypervisorError> {
        let begun = (self.clock)();
        let mut observation = match self.hypervisor.observe(scope, deadline).await {
            Ok(observation) => observation,
            Err(HypervisorError::Unsupported(_) | HypervisorError::NeedsManage(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        observation.time = begun;
        self.measure(&mut observation);
        if let Some(leaving) = leaving {
            for fact in &mut observation.facts {
                if let Fact::MachineGone { cause, .. } = fact {
                    *cause = leaving;
                }
            }
        }
        let (key, generation) = (self.hypervisor.key().clone(), self.generation);
        self.engine.report_urgent(Report::Observed { key, generation, cause: Cause::Event, observation }).await;
        Ok(())
    }

    /// The same for one machine.
    pub(super) async fn read_machine(
        &self,
        uuid: Uuid,
        leaving: Option<GoneCause>,
        deadline: Duration,
    ) -> Result<(), HypervisorError> {
        self.read_hinted(Scope::Machine(uuid), leaving, deadline).await
    }

    /// What was measured goes to the measurement part; the engine never sees it.
    fn measure(&self, observation: &mut Observation) {
        if let Some(samples) = observation.samples.take() {
            self.samples.send(self.hypervisor.key().host.clone(), *samples);
        }
    }

    pub(super) async fn report_bulk(&self, cause: Cause, mut observation: Observation) {
        self.measure(&mut observation);
        let time = observation.time;
        let mut facts = observation.facts.into_iter().peekable();
        while facts.peek().is_some() {
            let facts: Vec<Fact> = facts.by_ref().take(FACTS_PER_REPORT).collect();
            let observation = Observation { time, facts, errors: Vec::new(), samples: None };
            let (key, generation) = (self.hypervisor.key().clone(), self.generation);
            self.engine.report_bulk(Report::Observed { key, generation, cause, observation }).await;
        }
    }

    fn note_errors(&self, scope: &Scope, observation: &Observation) {
        if let Some(first) = observation.errors.first() {
            let count = observation.errors.len();
            let endpoint = self.hypervisor.key().to_string();
            tracing::debug!(endpoint, ?scope, count, what = first.what, reason = first.reason, "reading was partial");
        }
    }
}
