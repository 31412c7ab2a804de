//! `shelve` and `unshelve`: one shelf for each alarm put aside by hand.

use super::acts::{called, targets};
use super::subject::id;
use crate::cli::alarm_args::{ShelveArgs, UnshelveArgs};
use crate::cli::change::{actor, request_id};
use crate::cli::exit::{Exit, Failure};
use crate::cli::frame::Frame;
use crate::cli::outcome::Outcomes;
use crate::client::{Client, ClientError, schema};
use crate::wire::v1;
use serde_json::Value;

/// `shelve`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn shelve(frame: &Frame, args: &ShelveArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let found = targets(frame, "shelve", &args.words, stdin).await?;
    let mut outcomes = Outcomes::new(frame, "shelved", args.dry_run, found.failures);
    for alarm in &found.alarms {
        if let Some(shelved) = &alarm.shelved {
            let shelf = id(&shelved.shelf);
            let failure = Failure::new(Exit::Conflict, format!("{}: is on shelf {shelf} already", called(alarm)));
            outcomes.fail(failure.with_next(format!("vrmctl get shelf {shelf}")));
            continue;
        }
        let result = create(&found.client, args, alarm).await;
        outcomes.note(&found.client, &called(alarm), result)?;
    }
    Ok(outcomes.finish())
}

async fn create(client: &Client, args: &ShelveArgs, alarm: &v1::Alarm) -> Result<Value, ClientError> {
    let expire_time = args.end.end().map(|end| prost_types::Timestamp { seconds: end.as_second(), nanos: 0 });
    let shelf = v1::AlarmShelf {
        // Before the rules for many, which have 100.
        order: 10,
        matches: Some(only(alarm)),
        reason: args.reason.clone(),
        expire_time,
        ..v1::AlarmShelf::default()
    };
    let request = v1::CreateAlarmShelfRequest {
        alarm_shelf_id: String::new(),
        alarm_shelf: Some(shelf),
        request_id: request_id(),
        validate_only: args.dry_run,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.create_alarm_shelf(request).await }
    };
    client.call(call).await.map(|shelf| schema::to_json("vrm.v1.AlarmShelf", &shelf))
}

/// The conditions that only this alarm meets.
fn only(alarm: &v1::Alarm) -> v1::AlarmMatch {
    v1::AlarmMatch {
        alarm_types: vec![alarm.alarm_type.clone()],
        object_pattern: alarm.object.clone(),
        ..v1::AlarmMatch::default()
    }
}

/// `unshelve`: removes the shelf that was made for the alarm alone.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn unshelve(
    frame: &Frame,
    args: &UnshelveArgs,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let found = targets(frame, "unshelve", &args.words, stdin).await?;
    let client = &found.client;
    let shelves = client.alarm_shelves().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let mut outcomes = Outcomes::new(frame, "unshelved", args.dry_run, found.failures);
    for alarm in &found.alarms {
        match own_shelf(alarm, &shelves) {
            Ok(shelf) => {
                let result = remove(client, shelf, args.dry_run).await;
                outcomes.note(client, &called(alarm), result.map(|()| Value::Null))?;
            }
            Err(failure) => outcomes.fail(failure),
        }
    }
    Ok(outcomes.finish())
}

fn own_shelf<'a>(alarm: &v1::Alarm, shelves: &'a [v1::AlarmShelf]) -> Result<&'a str, Failure> {
    let Some(shelved) = &alarm.shelved else {
        return Err(Failure::new(Exit::Conflict, format!("{}: is on no shelf", called(alarm)))
            .with_next("vrmctl get alarms --filter 'shelved = true'"));
    };
    let shelf = shelves.iter().find(|shelf| shelf.name == shelved.shelf);
    match shelf {
        Some(shelf) if shelf.matches.as_ref() == Some(&only(alarm)) => Ok(&shelf.name),
        _ => {
            let shelf = id(&shelved.shelf);
            let what = format!("{}: shelf {shelf} is a rule that is not for this alarm alone", called(alarm));
            Err(Failure::new(Exit::Conflict, what).with_next(format!("vrmctl delete shelf {shelf}")))
        }
    }
}

/// Removes a shelf.
pub async fn remove(client: &Client, name: &str, dry_run: bool) -> Result<(), ClientError> {
    let request = v1::DeleteAlarmShelfRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
        validate_only: dry_run,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.delete_alarm_shelf(request).await }
    };
    client.call(call).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shelf_of_the_alarm_alone_is_removed_with_it() {
        let mut alarm = v1::Alarm {
            alarm_type: "vmCrashed".to_owned(),
            object: "virtualMachines/u".to_owned(),
            ..v1::Alarm::default()
        };
        assert!(own_shelf(&alarm, &[]).expect_err("on none").what.contains("on no shelf"));
        let shelf = |name: &str, matches| v1::AlarmShelf {
            name: format!("alarmShelves/{name}"),
            matches: Some(matches),
            ..v1::AlarmShelf::default()
        };
        let shelves = [shelf("own", only(&alarm)), shelf("all", v1::AlarmMatch::default())];
        let shelved = |name: &str| Some(v1::AlarmShelving { shelf: format!("alarmShelves/{name}"), expire_time: None });
        alarm.shelved = shelved("own");
        assert_eq!(own_shelf(&alarm, &shelves), Ok("alarmShelves/own"));
        alarm.shelved = shelved("all");
        let failure = own_shelf(&alarm, &shelves).expect_err("a rule for many");
        assert_eq!(failure.next.as_deref(), Some("vrmctl delete shelf all"));
    }
}
