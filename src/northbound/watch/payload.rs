//! What a stream carries: one kind of change in one kind of envelope.

use crate::changes::Delivery;
use crate::northbound::published::Published;
use crate::wire::v1;

/// What a message says, whatever its envelope.
#[derive(Clone, Debug)]
pub enum Said<C> {
    /// First message.
    Started(v1::StreamStarted),
    /// State or change.
    Change(Box<C>),
    /// The snapshot or catch-up is complete.
    SyncComplete(v1::SyncComplete),
    /// Nothing happened.
    Heartbeat(v1::Heartbeat),
    /// Changes could not be delivered one by one.
    Lagged(v1::Lagged),
    /// The server ends the stream.
    Closing(v1::StreamClosing),
    /// The trust in the lists changed.
    Status(v1::ListStatus),
}

/// A kind of stream.
pub trait Payload: Send + 'static {
    /// State or change of one object, as this stream tells it.
    type Change: Send;
    /// The envelope.
    type Response: prost::Message + 'static;
    /// Full name of the method, e.g. `vrm.v1.InventoryService/WatchResources`.
    const METHOD: &'static str;

    /// The message of a change.
    fn change(published: &Published, delivery: &Delivery) -> Self::Change;

    /// The message in its envelope.
    fn response(position: v1::StreamPosition, message_number: u64, said: Said<Self::Change>) -> Self::Response;
}

/// Puts what is said into an envelope whose `oneof` has the house's names.
macro_rules! envelope {
    ($response:ident, $message:path, $position:expr, $number:expr, $said:expr) => {{
        use $message as Message;
        $crate::wire::v1::$response {
            position: Some($position),
            message_number: $number,
            message: Some(match $said {
                $crate::northbound::watch::Said::Started(started) => Message::Started(started),
                $crate::northbound::watch::Said::Change(change) => Message::Change(*change),
                $crate::northbound::watch::Said::SyncComplete(complete) => Message::SyncComplete(complete),
                $crate::northbound::watch::Said::Heartbeat(heartbeat) => Message::Heartbeat(heartbeat),
                $crate::northbound::watch::Said::Lagged(lagged) => Message::Lagged(lagged),
                $crate::northbound::watch::Said::Closing(closing) => Message::Closing(closing),
                $crate::northbound::watch::Said::Status(status) => Message::ListStatus(status),
            }),
        }
    }};
}
pub(in crate::northbound) use envelope;
