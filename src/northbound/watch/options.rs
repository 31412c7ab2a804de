//! The options of a stream.

use crate::changes::{DeliveryMode, GapPolicy, Position, SubscriptionOptions};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::published;
use crate::wire::v1;
use std::time::Duration;

/// Understands and coerces the options of a request.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn subscription_options(
    options: v1::StreamOptions,
    default_mode: DeliveryMode,
) -> Result<SubscriptionOptions, Failure> {
    let duration = |field: &str, duration: Option<prost_types::Duration>, default: Duration| match duration {
        None => Ok(default),
        Some(duration) => Duration::try_from(duration).map_err(|_| Failure::field(field, "must not be negative")),
    };
    let mode = match v1::DeliveryMode::try_from(options.delivery_mode) {
        Ok(v1::DeliveryMode::Unspecified) => default_mode,
        Ok(v1::DeliveryMode::State) => DeliveryMode::State,
        Ok(v1::DeliveryMode::Transitions) => DeliveryMode::Transitions,
        Err(_) => return Err(Failure::field("options.delivery_mode", "no such mode")),
    };
    let gap_policy = match v1::GapPolicy::try_from(options.gap_policy) {
        Ok(v1::GapPolicy::Unspecified | v1::GapPolicy::Resync) => GapPolicy::Resync,
        Ok(v1::GapPolicy::Fail) => GapPolicy::Fail,
        Err(_) => return Err(Failure::field("options.gap_policy", "no such policy")),
    };
    let heartbeat = duration("options.heartbeat_interval", options.heartbeat_interval, limits::HEARTBEAT_DEFAULT)?;
    // Zero switches them off (REQ-NTF-FUN-06): such a client cannot tell silence from a dead peer.
    let heartbeat = (!heartbeat.is_zero()).then(|| heartbeat.clamp(limits::HEARTBEAT_LEAST, limits::HEARTBEAT_MOST));
    let dampening = duration("options.dampening_period", options.dampening_period, Duration::ZERO)?;
    Ok(SubscriptionOptions {
        resume_after: options.resume_after.map(|v1::StreamPosition { epoch, sequence }| Position { epoch, sequence }),
        updates_only: options.updates_only,
        mode,
        gap_policy,
        heartbeat,
        dampening: if mode == DeliveryMode::State { dampening.min(limits::DAMPENING_MOST) } else { Duration::ZERO },
        once: options.once,
        first_beat: heartbeat.is_some(),
    })
}

/// The options in force, as the first message tells them.
pub fn effective_options(options: &SubscriptionOptions) -> v1::StreamOptions {
    let SubscriptionOptions { resume_after, updates_only, mode, gap_policy, heartbeat, dampening, once, first_beat: _ } =
        options;
    v1::StreamOptions {
        resume_after: resume_after.clone().map(published::position),
        updates_only: *updates_only && resume_after.is_none(),
        delivery_mode: match mode {
            DeliveryMode::State => v1::DeliveryMode::State.into(),
            DeliveryMode::Transitions => v1::DeliveryMode::Transitions.into(),
        },
        gap_policy: match gap_policy {
            GapPolicy::Resync => v1::GapPolicy::Resync.into(),
            GapPolicy::Fail => v1::GapPolicy::Fail.into(),
        },
        heartbeat_interval: heartbeat.unwrap_or_default().try_into().ok(),
        dampening_period: (*dampening).try_into().ok(),
        once: *once,
    }
}
