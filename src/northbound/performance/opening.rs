//! What a request for a stream of measurements asks for.

use super::names::check_granularity;
use super::reader::Performance;
use super::selection::{Asked, Selection};
use crate::model::Timestamp;
use crate::northbound::failure::Failure;
use crate::northbound::request::time;
use crate::northbound::watch::{effective_options, subscription_options};
use crate::wire::v1;
use std::time::Duration;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Sample { interval: Duration },
    OnChange,
    Periods { granularity_seconds: u32 },
}

/// An understood request.
pub(super) struct Opening {
    pub(super) selection: Selection,
    pub(super) mode: Mode,
    pub(super) since: Option<Timestamp>,
    pub(super) updates_only: bool,
    pub(super) once: bool,
    pub(super) heartbeat: Option<Duration>,
    pub(super) effective: v1::StreamOptions,
    pub(super) filter: String,
}

impl Performance {
    pub(super) fn opening(&self, request: v1::WatchMeasurementsRequest) -> Result<Opening, Failure> {
        let asked = Asked {
            objects: &request.objects,
            roots: &request.roots,
            filter: &request.filter,
            metrics: &request.metrics,
        };
        let selection = Selection::new(&self.published, &self.measurements.descriptions(), asked)?;
        let given = request.options.clone().unwrap_or_default();
        if given.resume_after.is_some() {
            let text = "a stream of measurements is not resumed after a position; MODE_PERIODS has `since`";
            return Err(Failure::field("options.resume_after", text));
        }
        let options = subscription_options(given, crate::changes::DeliveryMode::Transitions)?;
        let mode = mode(&request)?;
        let since = time("since", request.since)?;
        if since.is_some() && !matches!(mode, Mode::Periods { granularity_seconds } if granularity_seconds > 0) {
            return Err(Failure::field("since", "needs MODE_PERIODS and granularity_seconds"));
        }
        Ok(Opening {
            selection,
            mode,
            since,
            updates_only: options.updates_only,
            once: options.once,
            heartbeat: options.heartbeat,
            effective: effective_options(&options),
            filter: request.filter,
        })
    }
}

fn mode(request: &v1::WatchMeasurementsRequest) -> Result<Mode, Failure> {
    use v1::watch_measurements_request::Mode as Asked;
    let asked = Asked::try_from(request.mode).map_err(|_| Failure::field("mode", "no such mode"))?;
    if request.granularity_seconds != 0 {
        check_granularity("granularity_seconds", request.granularity_seconds)?;
    }
    Ok(match asked {
        Asked::Unspecified | Asked::Sample => {
            Mode::Sample { interval: Duration::from_secs(request.sample_interval_seconds.into()) }
        }
        Asked::OnChange => Mode::OnChange,
        Asked::Periods => Mode::Periods { granularity_seconds: request.granularity_seconds },
    })
}
