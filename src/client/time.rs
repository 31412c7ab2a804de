//! Times and spans of the interface in types that people calculate with.

use prost_types::{Duration as ProtoDuration, Timestamp as ProtoTimestamp};

/// A time; nothing if it is absent or out of range.
pub fn time(timestamp: Option<&ProtoTimestamp>) -> Option<jiff::Timestamp> {
    timestamp.and_then(|time| jiff::Timestamp::new(time.seconds, time.nanos).ok())
}

/// A span; nothing if it is absent or negative.
pub fn span(duration: Option<&ProtoDuration>) -> Option<std::time::Duration> {
    duration.and_then(|duration| std::time::Duration::try_from(*duration).ok())
}
