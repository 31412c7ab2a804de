//! `QueryMeasurements`: newest readings and history, in pages by key.

use super::names::check_granularity;
use super::port::Measurements;
use super::reader::Performance;
use super::selection::{Asked, Selected, Selection};
use super::telling::reading_series;
use crate::model::history::HistoryError;
use crate::model::measurement::{MeasuredKey, MeasurementQuery, MeasurementSeries};
use crate::model::metric::Metric;
use crate::model::{Name, Timestamp};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::reason::Reason;
use crate::northbound::request::time;
use crate::wire::convert;
use crate::wire::v1;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

/// Periods of one series at most.
const PERIODS: u64 = 20_000;

/// Time asked for by a question that names no begin.
const DEFAULT_RANGE: Duration = Duration::from_secs(3600);

/// Place of a series in the order of pages.
type Place = (Name, Name, Metric);

/// The time and the length of periods asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) granularity_seconds: u32,
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
}

impl Range {
    pub(super) fn granularity(self) -> Duration {
        Duration::from_secs(self.granularity_seconds.into())
    }
}

impl Performance {
    pub(super) async fn query(
        &self,
        request: v1::QueryMeasurementsRequest,
    ) -> Result<v1::QueryMeasurementsResponse, Failure> {
        let asked = Asked {
            objects: &request.objects,
            roots: &request.roots,
            filter: &request.filter,
            metrics: &request.metrics,
        };
        let selection = Selection::new(&self.published, &self.measurements.descriptions(), asked)?;
        let range = range(&request, (self.published.now)())?;
        let arguments =
            format!("{asked:?}/{}/{:?}/{:?}", request.granularity_seconds, request.begin_time, request.end_time);
        let pages = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let start = PageStart::new(&self.published, pages, &["measurements", &arguments])?;
        let after = start.after.as_ref().map(place_of_token).transpose()?;
        let mut objects = selection.objects(&self.published);
        if let Some((owner, ..)) = &after {
            objects.retain(|object| object.name >= *owner);
        }
        let page = Page { after, size: start.size, taken: Vec::new(), bytes: 0, more: false };
        let measurements = Arc::clone(&self.measurements);
        let page = match range {
            None => newest(&*measurements, &selection, &objects, page),
            Some(range) => blocking(move || history(&*measurements, &selection, &objects, range, page)).await?,
        };
        let next_page_token = match page.taken.last() {
            Some((place, _)) if page.more => token_of_place(&start, place),
            _ => String::new(),
        };
        let series = page.taken.into_iter().map(|(_, series)| series).collect();
        Ok(v1::QueryMeasurementsResponse { series, next_page_token })
    }
}

/// Runs what waits for the disk where waiting hurts nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(Failure::new(Reason::StoreBusy, error.to_string())),
        Err(_) => Err(Failure::new(Reason::Internal, "the history could not be read")),
    }
}

fn range(request: &v1::QueryMeasurementsRequest, now: Timestamp) -> Result<Option<Range>, Failure> {
    let (begin, end) = (time("begin_time", request.begin_time)?, time("end_time", request.end_time)?);
    if request.granularity_seconds == 0 {
        return match begin.or(end) {
            None => Ok(None),
            Some(_) => Err(Failure::field("granularity_seconds", "is required with begin_time and end_time")),
        };
    }
    check_granularity("granularity_seconds", request.granularity_seconds)?;
    let end = end.unwrap_or(now);
    let begin = begin.unwrap_or(before(end, DEFAULT_RANGE));
    if begin > end {
        return Err(Failure::field("begin_time", "lies after end_time"));
    }
    if end.since(begin).as_secs() / u64::from(request.granularity_seconds) > PERIODS {
        return Err(Failure::field("begin_time", format!("more than {PERIODS} periods lie before end_time")));
    }
    Ok(Some(Range { granularity_seconds: request.granularity_seconds, begin, end }))
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

/// A page that is being filled.
struct Page {
    after: Option<Place>,
    size: usize,
    taken: Vec<(Place, v1::MeasurementSeries)>,
    bytes: usize,
    /// There is more than fits.
    more: bool,
}

impl Page {
    /// Takes a series if it is behind the pages before; false if the page is full.
    fn take(&mut self, place: Place, series: impl FnOnce() -> v1::MeasurementSeries) -> bool {
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return true;
        }
        if self.taken.len() == self.size {
            self.more = true;
            return false;
        }
        let series = series();
        self.bytes += series.encoded_len();
        if self.bytes > limits::PAGE_BYTES && !self.taken.is_empty() {
            self.more = true;
            return false;
        }
        self.taken.push((place, series));
        true
    }
}

fn newest(measurements: &dyn Measurements, selection: &Selection, objects: &[Selected], mut page: Page) -> Page {
    for object in objects {
        for reading in selection.readings(measurements.latest_of(&object.owner)) {
            let place = (object.name.clone(), reading.key.name(), reading.metric);
            if !page.take(place, || reading_series(&reading, &object.label)) {
                return page;
            }
        }
    }
    page
}

fn history(
    measurements: &dyn Measurements,
    selection: &Selection,
    objects: &[Selected],
    range: Range,
    mut page: Page,
) -> Result<Page, HistoryError> {
    for object in objects {
        for one in object_history(measurements, selection, object, range)? {
            let place = (object.name.clone(), one.key.name(), one.metric);
            if !page.take(place, || convert::measurement_series(&one, range.granularity(), &object.label)) {
                return Ok(page);
            }
        }
    }
    Ok(page)
}

/// History of an object and its parts, by part and metric. Blocks on the disk.
pub(super) fn object_history(
    measurements: &dyn Measurements,
    selection: &Selection,
    object: &Selected,
    range: Range,
) -> Result<Vec<MeasurementSeries>, HistoryError> {
    let mut keys = measurements.kept_parts(&object.owner)?;
    keys.retain(|key| {
        selection.takes_part(key)
            && key.class().is_some_and(|class| selection.metrics.iter().any(|metric| metric.class() == class))
    });
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let query = MeasurementQuery {
        keys,
        metrics: selection.metrics.iter().copied().collect(),
        granularity_seconds: range.granularity_seconds,
        begin: range.begin,
        end: range.end,
    };
    let mut series = measurements.history(&query)?;
    series.retain(|one| !one.points.is_empty());
    series.sort_by_cached_key(|one| (one.key.name(), one.metric));
    Ok(series)
}

fn token_of_place(start: &PageStart, (_, name, metric): &Place) -> String {
    start.next_token(metric.number().to_string(), name.to_string())
}

fn place_of_token((number, name): &(String, String)) -> Result<Place, Failure> {
    let bad = || Failure::violation(Reason::InvalidPageToken, "page_token", "is not a token of this list");
    let metric = number.parse().ok().and_then(Metric::from_number).ok_or_else(bad)?;
    let name = Name::new(name.as_str());
    let owner = MeasuredKey::of_name(&name).ok_or_else(bad)?.owner.name();
    Ok((owner, name, metric))
}
