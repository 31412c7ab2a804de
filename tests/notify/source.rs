//! A writer of alarms over the real store and change log: committed first, then published.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use uuid::Uuid;
use vrm::changes::{ChangeLog, Restored};
use vrm::model::alarm::{
    Alarm, AlarmState, AlarmTransition, Clearing, ClearingKind, EventType, ProbableCause, StatusChange,
};
use vrm::model::history::TransitionHistory;
use vrm::model::{
    Annotations, Body, Change, ChangeKind, ChangeSource, HostId, Name, Object, PerceivedSeverity, ResourceState,
    Timestamp,
};
use vrm::store::{Ack, Journal, OpenOptions, Transaction};

/// The writer.
pub struct Source {
    pub log: Arc<ChangeLog>,
    journal: Journal,
    head: u64,
}

pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

pub fn name(number: u128) -> Name {
    Name::alarm(Uuid::from_u128(number))
}

/// An active major alarm.
pub fn alarm(number: u128) -> Alarm {
    let at = now();
    Alarm {
        alarm_type: "vmCrashed".into(),
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause { number: 545, name: "softwareProgramAbnormallyTerminated".into() },
        perceived_severity: PerceivedSeverity::Major,
        highest_severity: PerceivedSeverity::Major,
        object: Name::virtual_machine(Uuid::from_u128(number)),
        object_dn: format!("VRM=v,Cluster=c,VirtualMachine={}", Uuid::from_u128(number)),
        object_class: "VirtualMachine".into(),
        object_label: format!("web-{number}"),
        host: Some(HostId::parse("kvm-07").unwrap()),
        raise_time: at,
        first_raise_time: at,
        status_change_time: at,
        raise_count: 1,
        root: true,
        text: "QEMU ended by signal 9".into(),
        runbook_url: "https://vrm.invalid/runbooks/vmCrashed".into(),
        history: vec![entry(AlarmTransition::Raised)],
        ..Alarm::default()
    }
}

fn entry(transition: AlarmTransition) -> StatusChange {
    StatusChange { time: now(), transition, severity: PerceivedSeverity::Major, text: String::new(), actor: None }
}

impl Source {
    pub fn open(directory: &Path) -> Self {
        let options = OpenOptions { directory: directory.to_owned(), vrm_id: "v".into() };
        let (journal, loaded) = Journal::open(&options).unwrap();
        let head = loaded.head;
        let restored = Restored {
            epoch: loaded.epoch,
            head,
            objects: loaded.objects,
            tombstones: loaded.tombstones,
            forgotten: loaded.forgotten,
        };
        let history = Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>;
        Self { log: Arc::new(ChangeLog::new(restored, history)), journal, head }
    }

    pub fn head(&self) -> u64 {
        self.head
    }

    /// Raises an alarm, or changes it.
    pub async fn put(&mut self, number: u128, alarm: Alarm) {
        let before = self.log.get(name(number).as_str());
        let kind = if before.is_some() { ChangeKind::Changed } else { ChangeKind::Created };
        self.write(kind, number, alarm).await;
    }

    pub async fn raise(&mut self, number: u128) {
        self.put(number, alarm(number)).await;
    }

    /// Changes an alarm as `edit` says.
    pub async fn edit(&mut self, number: u128, transition: AlarmTransition, edit: impl FnOnce(&mut Alarm)) {
        let mut alarm = self.alarm(number);
        edit(&mut alarm);
        alarm.history.push(entry(transition));
        self.put(number, alarm).await;
    }

    pub async fn clear(&mut self, number: u128) {
        self.edit(number, AlarmTransition::Cleared, |alarm| {
            alarm.state = AlarmState::Cleared;
            alarm.clear_time = Some(now());
            alarm.clearing = Some(Clearing { kind: ClearingKind::Automatic, actor: None });
        })
        .await;
    }

    /// Takes an alarm off the list.
    pub async fn remove(&mut self, number: u128) {
        let alarm = self.alarm(number);
        self.write(ChangeKind::Removed, number, alarm).await;
    }

    fn alarm(&self, number: u128) -> Alarm {
        match &self.log.get(name(number).as_str()).unwrap().body {
            Body::Alarm(alarm) => (**alarm).clone(),
            other => panic!("no alarm: {other:?}"),
        }
    }

    async fn write(&mut self, kind: ChangeKind, number: u128, alarm: Alarm) {
        self.head += 1;
        let name = name(number);
        let before = self.log.get(name.as_str());
        let object = Object {
            name: name.clone(),
            uid: Uuid::from_u128(number),
            revision: before.as_ref().map_or(1, |object| object.revision + 1),
            created_sequence: before.as_ref().map_or(self.head, |object| object.created_sequence),
            last_change_sequence: self.head,
            create_time: before.as_ref().map_or_else(now, |object| object.create_time),
            change_time: now(),
            state: ResourceState::default(),
            annotations: Annotations::default(),
            body: Body::Alarm(Box::new(alarm)),
        };
        let change = Arc::new(Change {
            sequence: self.head,
            kind,
            name,
            object: Arc::new(object),
            attributes: Vec::new(),
            source: ChangeSource::ResourceOperation,
            time: now(),
        });
        let changes = vec![Arc::clone(&change)];
        self.journal.store.submit(Transaction { id: self.head, changes, ..Transaction::default() });
        loop {
            match self.journal.acks.recv().await.unwrap() {
                Ack::Done { id, .. } if id == self.head => break,
                Ack::Done { .. } | Ack::Condition(_) => {}
            }
        }
        self.log.publish(&[change]);
    }
}
