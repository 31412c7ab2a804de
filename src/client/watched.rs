//! What can be watched: the kinds of streams of the interface, seen alike.

use super::object::{Object, ObjectExt, of_change};
use crate::wire::v1;
use std::fmt::Debug;

/// A kind of stream.
pub trait Watched: Clone + Copy + Debug + Default + Send + Sync + 'static {
    /// What is held.
    type Item: Clone + Debug + Send + Sync;
    /// A change as told, without the item.
    type Change: Clone + Debug + Send;
    /// Opens the stream.
    type Request: Clone + Debug + Send;
    /// A message as it comes.
    type Response: Clone + Debug + Send + 'static;

    /// The request of a stream.
    fn request(classes: &[v1::ObjectClass], filter: &str, options: v1::StreamOptions) -> Self::Request;

    /// Takes a message apart.
    fn parts(response: Self::Response) -> Parts<Self::Change>;

    /// Takes the item out of a change, and tells whether it is gone.
    fn take(change: &mut Self::Change) -> Option<(Self::Item, bool)>;

    /// Resource name, uid and revision of an item.
    fn identity(item: &Self::Item) -> (&str, &str, u64);
}

/// A message taken apart.
#[derive(Clone, Debug)]
pub struct Parts<C> {
    /// Bookmark.
    pub position: Option<v1::StreamPosition>,
    /// 1, 2, 3 ….
    pub number: u64,
    /// What is told; nothing for a kind of message this client does not know.
    pub told: Option<Told<C>>,
}

/// What a message tells, whatever is streamed.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the message of its name in stream.proto")]
pub enum Told<C> {
    Started(Box<v1::StreamStarted>),
    Change(Box<C>),
    SyncComplete(v1::SyncComplete),
    Heartbeat(v1::Heartbeat),
    Lagged(v1::Lagged),
    Closing(v1::StreamClosing),
    Status(v1::ListStatus),
}

/// Takes an envelope apart whose `oneof` has the names that all have.
macro_rules! taken_apart {
    ($response:expr, $message:path) => {{
        use $message as Message;
        let response = $response;
        Parts {
            position: response.position,
            number: response.message_number,
            told: response.message.map(|message| match message {
                Message::Started(started) => Told::Started(Box::new(started)),
                Message::Change(change) => Told::Change(Box::new(change)),
                Message::SyncComplete(complete) => Told::SyncComplete(complete),
                Message::Heartbeat(heartbeat) => Told::Heartbeat(heartbeat),
                Message::Lagged(lagged) => Told::Lagged(lagged),
                Message::Closing(closing) => Told::Closing(closing),
                Message::ListStatus(status) => Told::Status(status),
            }),
        }
    }};
}

/// Managed objects: `WatchResources`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resources;

impl Watched for Resources {
    type Item = Object;
    type Change = v1::ResourceChange;
    type Request = v1::WatchResourcesRequest;
    type Response = v1::WatchResourcesResponse;

    fn request(classes: &[v1::ObjectClass], filter: &str, options: v1::StreamOptions) -> v1::WatchResourcesRequest {
        v1::WatchResourcesRequest {
            kinds: classes.iter().map(|class| i32::from(*class)).collect(),
            filter: filter.to_owned(),
            options: Some(options),
        }
    }

    fn parts(response: v1::WatchResourcesResponse) -> Parts<v1::ResourceChange> {
        taken_apart!(response, v1::watch_resources_response::Message)
    }

    fn take(change: &mut v1::ResourceChange) -> Option<(Object, bool)> {
        let is_removed = change.kind() == v1::resource_change::Kind::Removed;
        of_change(change.resource.take()).map(|object| (object, is_removed))
    }

    fn identity(item: &Object) -> (&str, &str, u64) {
        (item.name(), item.uid(), item.revision())
    }
}

/// The alarm list: `WatchAlarms`. Classes of a query mean nothing here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarms;

impl Watched for Alarms {
    type Item = v1::Alarm;
    type Change = v1::AlarmChange;
    type Request = v1::WatchAlarmsRequest;
    type Response = v1::WatchAlarmsResponse;

    fn request(_: &[v1::ObjectClass], filter: &str, options: v1::StreamOptions) -> v1::WatchAlarmsRequest {
        v1::WatchAlarmsRequest { filter: filter.to_owned(), options: Some(options) }
    }

    fn parts(response: v1::WatchAlarmsResponse) -> Parts<v1::AlarmChange> {
        taken_apart!(response, v1::watch_alarms_response::Message)
    }

    fn take(change: &mut v1::AlarmChange) -> Option<(v1::Alarm, bool)> {
        let is_removed = change.kind() == v1::alarm_change::Kind::Removed;
        change.alarm.take().map(|alarm| (alarm, is_removed))
    }

    fn identity(item: &v1::Alarm) -> (&str, &str, u64) {
        (&item.name, &item.uid, item.revision)
    }
}
