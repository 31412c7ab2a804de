use super::*;
use v1::resource_change::Resource;

/// Messages of a stream, numbered.
#[derive(Default)]
struct Script {
    number: u64,
}

impl Script {
    fn message(&mut self, sequence: u64, message: Message) -> v1::WatchResourcesResponse {
        self.number += 1;
        v1::WatchResourcesResponse {
            position: Some(position("e1", sequence)),
            message_number: self.number,
            message: Some(message),
        }
    }

    fn started(&mut self, epoch: &str, snapshot_follows: bool) -> v1::WatchResourcesResponse {
        let started =
            v1::StreamStarted { head: Some(position(epoch, 9)), snapshot_follows, ..v1::StreamStarted::default() };
        self.message(0, Message::Started(started))
    }

    fn change(&mut self, sequence: u64, kind: Kind, object: (&str, &str, u64)) -> v1::WatchResourcesResponse {
        self.message(sequence, Message::Change(change(kind, object)))
    }

    fn synced(&mut self, sequence: u64) -> v1::WatchResourcesResponse {
        self.message(sequence, Message::SyncComplete(v1::SyncComplete::default()))
    }

    fn heartbeat(&mut self, sequence: u64, state_digest: u64) -> v1::WatchResourcesResponse {
        let heartbeat = v1::Heartbeat { state_digest: Some(state_digest), ..v1::Heartbeat::default() };
        self.message(sequence, Message::Heartbeat(heartbeat))
    }
}

fn position(epoch: &str, sequence: u64) -> v1::StreamPosition {
    v1::StreamPosition { epoch: epoch.to_owned(), sequence }
}

fn change(kind: Kind, (name, uid, revision): (&str, &str, u64)) -> v1::ResourceChange {
    let host = v1::Host { name: name.to_owned(), uid: uid.to_owned(), revision, ..v1::Host::default() };
    v1::ResourceChange { kind: kind.into(), resource: Some(Resource::Host(host)), ..v1::ResourceChange::default() }
}

/// A replica after a snapshot of two hosts at revision 2.
fn synced() -> (Replica, Script) {
    let (mut replica, mut script) = (Replica::default(), Script::default());
    replica.begin_stream();
    let messages = [
        script.started("e1", true),
        script.change(3, Kind::Snapshot, ("hosts/a", "ua", 2)),
        script.change(4, Kind::Snapshot, ("hosts/b", "ub", 2)),
        script.synced(4),
    ];
    for message in messages {
        replica.apply(message).expect("a healthy stream");
    }
    (replica, script)
}

fn revisions(replica: &Replica) -> Vec<(&str, u64)> {
    replica.objects().iter().map(|(name, held)| (name.as_str(), held.revision)).collect()
}

#[test]
fn a_snapshot_then_changes_give_the_state_and_the_position() {
    let (mut replica, mut script) = synced();
    assert!(replica.is_synced());
    let applied = replica.apply(script.change(7, Kind::Changed, ("hosts/a", "ua", 3))).expect("healthy");
    assert!(matches!(applied, Applied::Updated { before: Some(_), .. }));
    let applied = replica.apply(script.change(8, Kind::Removed, ("hosts/b", "ub", 3))).expect("healthy");
    assert!(matches!(applied, Applied::Removed { .. }));
    assert_eq!(revisions(&replica), [("hosts/a", 3)]);
    assert_eq!(replica.position(), Some(&position("e1", 8)));
}

#[test]
fn a_revision_told_twice_means_nothing() {
    let (mut replica, mut script) = synced();
    for (name, uid, revision) in [("hosts/a", "ua", 2), ("hosts/a", "ua", 1)] {
        let applied = replica.apply(script.change(5, Kind::Changed, (name, uid, revision))).expect("healthy");
        assert!(matches!(applied, Applied::Nothing));
    }
    let applied = replica.apply(script.change(6, Kind::Created, ("hosts/a", "other", 1))).expect("healthy");
    assert!(matches!(applied, Applied::Updated { .. }), "another object of this name begins at revision 1");
}

#[test]
fn removals_of_what_is_not_held_or_long_over_mean_nothing() {
    let (mut replica, mut script) = synced();
    for object in [("hosts/x", "ux", 1), ("hosts/a", "former", 9), ("hosts/a", "ua", 1)] {
        let applied = replica.apply(script.change(5, Kind::Removed, object)).expect("healthy");
        assert!(matches!(applied, Applied::Nothing), "{object:?}");
    }
    assert_eq!(replica.objects().len(), 2);
}

#[test]
fn a_lost_message_ends_the_stream_but_keeps_the_position() {
    let (mut replica, mut script) = synced();
    script.number += 1;
    let fault = replica.apply(script.change(9, Kind::Changed, ("hosts/a", "ua", 5))).expect_err("a gap");
    assert_eq!(fault, StreamFault::MessageLost { expected: 5, got: 6 });
    assert!(!fault.needs_snapshot());
    assert_eq!(replica.position(), Some(&position("e1", 4)));
}

#[test]
fn a_stream_begins_with_its_start_message() {
    let (mut replica, mut script) = (Replica::default(), Script::default());
    replica.begin_stream();
    let fault = replica.apply(script.synced(1)).expect_err("no start");
    assert_eq!(fault, StreamFault::NotStarted);
}

#[test]
fn a_position_never_goes_back() {
    let (mut replica, mut script) = synced();
    let fault = replica.apply(script.change(3, Kind::Changed, ("hosts/a", "ua", 9))).expect_err("back");
    assert_eq!(fault, StreamFault::WentBack { from: 4, to: 3 });
}

#[test]
fn what_a_second_snapshot_does_not_tell_is_gone() {
    let (mut replica, _) = synced();
    let mut script = Script::default();
    replica.begin_stream();
    assert!(!replica.is_synced());
    replica.apply(script.started("e1", true)).expect("healthy");
    replica.apply(script.change(2, Kind::Snapshot, ("hosts/a", "ua", 2))).expect("healthy");
    let applied = replica.apply(script.synced(9)).expect("healthy");
    let Applied::Synced { dropped } = applied else { panic!("synced") };
    assert_eq!(dropped.iter().map(|object| object.name()).collect::<Vec<_>>(), ["hosts/b"]);
    assert_eq!(revisions(&replica), [("hosts/a", 2)]);
}

#[test]
fn a_snapshot_broken_half_way_goes_on_where_it_was() {
    let (mut replica, _) = synced();
    let mut script = Script::default();
    replica.begin_stream();
    replica.apply(script.started("e1", true)).expect("healthy");
    replica.apply(script.change(6, Kind::Snapshot, ("hosts/a", "ua", 3))).expect("healthy");
    assert_eq!(replica.position(), Some(&position("e1", 6)));
    // The stream breaks and is resumed after 6: b was removed before 6, so nobody tells it again.
    let mut script = Script::default();
    replica.begin_stream();
    replica.apply(script.started("e1", false)).expect("healthy");
    replica.apply(script.synced(9)).expect("healthy");
    assert_eq!(revisions(&replica), [("hosts/a", 3)]);
}

#[test]
fn another_epoch_makes_revisions_comparable_no_more() {
    let (mut replica, _) = synced();
    let mut script = Script::default();
    replica.begin_stream();
    replica.apply(script.started("e2", false)).expect("healthy");
    assert_eq!(replica.position(), None);
    let lagged =
        v1::Lagged { reason: v1::lagged::Reason::EpochChanged.into(), snapshot_follows: true, skipped_count: 0 };
    replica.apply(script.message(0, Message::Lagged(lagged))).expect("healthy");
    let applied = replica.apply(script.change(1, Kind::Snapshot, ("hosts/a", "ua", 1))).expect("healthy");
    assert!(matches!(applied, Applied::Updated { .. }), "revision 1 of the new log is news");
    replica.apply(script.synced(1)).expect("healthy");
    assert_eq!(revisions(&replica), [("hosts/a", 1)]);
}

#[test]
fn a_digest_that_differs_asks_for_a_snapshot() {
    let (mut replica, mut script) = synced();
    let own = state_digest([("hosts/a", 2), ("hosts/b", 2)]);
    assert!(matches!(replica.apply(script.heartbeat(6, own)), Ok(Applied::Nothing)));
    assert_eq!(replica.position(), Some(&position("e1", 6)));
    let fault = replica.apply(script.heartbeat(7, own ^ 1)).expect_err("differs");
    assert!(fault.needs_snapshot());
}

#[test]
fn a_caller_who_keeps_the_objects_is_not_asked_for_their_digest() {
    let mut replica = Replica::resuming(position("e1", 4));
    let mut script = Script::default();
    replica.begin_stream();
    replica.apply(script.started("e1", false)).expect("healthy");
    replica.apply(script.synced(5)).expect("healthy");
    assert!(replica.apply(script.heartbeat(6, 77)).is_ok());
    assert_eq!(replica.position(), Some(&position("e1", 6)));
}

#[test]
fn the_digest_is_that_of_the_interface() {
    assert_eq!(state_digest([]), 0);
    assert_eq!(state_digest([("hosts/a", 1)]), 0xc0e7_21be_bf3d_0a93);
    assert_eq!(state_digest([("hosts/a", 2)]), 0xc0e7_22be_bf3d_0c46);
    let machine = ("virtualMachines/00000000-0000-0000-0000-000000000001", 7);
    assert_eq!(state_digest([machine, ("hosts/a", 1)]), 0x44c0_3659_b2c1_b9e2);
}
