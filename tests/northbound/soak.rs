//! Many watchers, many changes, stalls, resumes and restarts: in the end every copy is the truth.

use super::script::{Script, machine, vm};
use super::server::TestServer;
use super::watcher::Watcher;
use std::collections::BTreeMap;
use v1::watch_resources_response::Message;
use vrm::model::ObjectClass;
use vrm::model::virtual_machine::RunState;
use vrm::wire::v1;

/// A small reproducible source of choices (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A client that keeps its copy and its position over connections, as an OSS does.
struct Subscriber {
    mode: v1::DeliveryMode,
    copy: BTreeMap<String, u64>,
    position: Option<v1::StreamPosition>,
    watcher: Option<Watcher>,
}

impl Subscriber {
    fn new(mode: v1::DeliveryMode) -> Self {
        Self { mode, copy: BTreeMap::new(), position: None, watcher: None }
    }

    /// Connects if need be; reads up to `most` messages or up to a mark set in the log now.
    async fn read(&mut self, server: &TestServer, script: &mut Script, most: u64) {
        let until = script.put(&vm(99), machine("mark", RunState::Off));
        if self.watcher.is_none() {
            let options = v1::StreamOptions {
                resume_after: self.position.clone(),
                delivery_mode: self.mode.into(),
                ..Default::default()
            };
            let request = v1::WatchResourcesRequest { options: Some(options), ..Default::default() };
            let mut watcher = Watcher::start(&mut server.inventory().await, request).await.unwrap();
            watcher.copy = std::mem::take(&mut self.copy);
            self.watcher = Some(watcher);
        }
        let watcher = self.watcher.as_mut().unwrap();
        for _ in 0..most {
            let message = watcher.next().await.unwrap().unwrap();
            let is_gap = matches!(&message, Message::Lagged(lagged) if lagged.snapshot_follows);
            assert!(!is_gap, "every position here can be resumed");
            if watcher.position.sequence >= until && matches!(message, Message::SyncComplete(_) | Message::Change(_)) {
                break;
            }
        }
    }

    /// Goes away without a word and keeps what it has.
    fn hang_up(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            self.copy = watcher.copy;
            // A client that saw nothing of its snapshot has no position to resume after.
            self.position = Some(watcher.position).filter(|position| !position.epoch.is_empty());
        }
    }
}

fn act(script: &mut Script, dice: &mut Dice) {
    let name = vm(u128::from(dice.below(12)));
    if dice.below(4) == 0 && script.log.get(name.as_str()).is_some() {
        script.remove(&name);
    } else {
        let state = [RunState::Running, RunState::Off, RunState::Paused][usize::try_from(dice.below(3)).unwrap()];
        script.put(&name, machine("m", state));
    }
}

fn truth(script: &Script) -> BTreeMap<String, u64> {
    let all = script.log.all(ObjectClass::VirtualMachine);
    all.iter().map(|object| (object.name.to_string(), object.revision)).collect()
}

async fn soak(seed: u64) {
    let mut dice = Dice(seed);
    let mut script = Script::new("e1");
    let mut server = TestServer::scripted(&script.log).await;
    let modes = [v1::DeliveryMode::State, v1::DeliveryMode::Transitions, v1::DeliveryMode::State];
    let mut subscribers = modes.map(Subscriber::new);
    for subscriber in &mut subscribers {
        // A complete copy to begin with: from here on every gap must be told.
        subscriber.read(&server, &mut script, u64::MAX).await;
    }
    for _ in 0..40 {
        for _ in 0..dice.below(30) {
            act(&mut script, &mut dice);
        }
        let chosen = &mut subscribers[usize::try_from(dice.below(3)).unwrap()];
        match dice.below(6) {
            0 => chosen.hang_up(),
            1 => {
                subscribers.iter_mut().for_each(Subscriber::hang_up);
                server.stopped().await;
                server = TestServer::scripted(&script.log).await;
            }
            _ => chosen.read(&server, &mut script, 1 + dice.below(20)).await,
        }
    }
    for subscriber in &mut subscribers {
        subscriber.read(&server, &mut script, u64::MAX).await;
        subscriber.hang_up();
        assert_eq!(subscriber.copy, truth(&script), "seed {seed}, {:?}", subscriber.mode);
    }
}

#[tokio::test]
async fn every_copy_becomes_the_truth() {
    for seed in 1..=6 {
        soak(seed * 0x9e37_79b9).await;
    }
}
