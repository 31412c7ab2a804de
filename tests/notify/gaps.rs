//! What a sink does when the log cannot tell it everything that happened.

use crate::common::wait_until;
use crate::deliveries::{Place, events, run, told, webhook};
use crate::recorder::Recorder;
use crate::source::Source;

/// The journal was lost or set aside: another epoch, other alarms.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_change_of_epoch_active_alarms_are_told_and_lost_ones_ended() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(&place.path().join("first"));
    let running = run(&source, place.path(), vec![webhook(address)]);
    for number in 1..=3 {
        source.raise(number).await;
    }
    source.clear(2).await;
    wait_until("four changes", || recorder.taken().len() == 4).await;
    running.end().await;
    drop(source);

    let mut source = Source::open(&place.path().join("second"));
    source.raise(3).await;
    source.raise(9).await;
    let running = run(&source, place.path(), vec![webhook(address)]);
    wait_until("the new ones", || recorder.taken().len() == 7).await;
    let mut since = events(&recorder).split_off(4);
    since.sort();
    let mut expected = [told(1, "CLEARED"), told(3, "CHANGED"), told(9, "RAISED")];
    expected.sort();
    assert_eq!(since, expected);
    let gone = recorder.taken().iter().map(|request| request.json()).find(|change| change["reason"] == "GONE").unwrap();
    assert_eq!(gone["alarm"]["alarmType"], "vmCrashed");
    assert_eq!(gone["alarm"]["objectLabel"], "web-1");
    running.end().await;
}

/// The stream itself has a gap while the sink is connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_forced_gap_loses_nothing() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let running = run(&source, place.path(), vec![webhook(address)]);
    source.raise(1).await;
    wait_until("the first", || recorder.taken().len() == 1).await;
    source.log.force_gap();
    source.clear(1).await;
    source.raise(2).await;
    wait_until("both", || recorder.taken().len() >= 3).await;
    running.end().await;
    let mut since = events(&recorder).split_off(1);
    since.sort();
    let mut expected = [told(1, "CLEARED"), told(2, "RAISED")];
    expected.sort();
    assert_eq!(since, expected);
}

/// A position file that was cut off in the middle of a line is read up to there.
#[tokio::test(flavor = "multi_thread")]
async fn a_torn_position_file_tells_again_rather_than_loses() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let running = run(&source, place.path(), vec![webhook(address)]);
    source.raise(1).await;
    wait_until("the first", || recorder.taken().len() == 1).await;
    source.clear(1).await;
    wait_until("the second", || recorder.taken().len() == 2).await;
    running.end().await;
    let file = place.path().join("notify/noc.position");
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 5]).unwrap();
    source.raise(2).await;
    let running = run(&source, place.path(), vec![webhook(address)]);
    wait_until("what was not stored and what is new", || events(&recorder).last() == Some(&told(2, "RAISED"))).await;
    running.end().await;
    let since = events(&recorder).split_off(2);
    assert!(since.ends_with(&[told(2, "RAISED")]), "{since:?}");
    assert!(since.iter().all(|event| [told(1, "CLEARED"), told(2, "RAISED")].contains(event)), "{since:?}");
}
