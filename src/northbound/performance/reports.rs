//! Reports: those of measurement jobs, and those for people.

use super::chunks::series_chunks;
use super::port::{GroupBy, Measurements, ReportCell, ReportDocument, ReportQuestion, ReportSubject, ReportTable};
use super::query::{Range, blocking, object_history};
use super::reader::Performance;
use super::selection::{Selected, Selection};
use crate::model::history::HistoryError;
use crate::model::measurement::{MeasurementJob, MeasurementSeries};
use crate::model::{Body, Name, Object, ObjectClass, Timestamp};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::reason::Reason;
use crate::northbound::request::time;
use crate::wire::convert;
use crate::wire::v1;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Pieces of a report.
pub(super) type Pieces<T> = ReceiverStream<Result<T, Status>>;

/// Bytes of a document in one message.
const PIECE: usize = 256 * 1024;

/// Rows of a report in one message.
const ROWS: usize = 500;

/// Longest time of a report for people, in days.
const DAYS: u64 = 800;

/// Reports of the coarsest results kept (operations.md F20), in days.
const RETAINED_DAYS: u64 = 400;

/// Form of a report's id: the begin of its period in UTC.
const ID: &str = "%Y%m%dT%H%M%SZ";

const MICROS: i64 = 1_000_000;

impl Performance {
    pub(super) fn list_reports(
        &self,
        request: &v1::ListMeasurementReportsRequest,
    ) -> Result<v1::ListMeasurementReportsResponse, Failure> {
        let object = self.record("parent", ObjectClass::MeasurementJob, &request.parent)?;
        let pages = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let start = PageStart::new(&self.published, pages, &["reports", &request.parent])?;
        let job = job_of(&object)?;
        let mut ends = report_begins(&object, job, (self.published.now)());
        if let Some((_, after)) = &start.after {
            let after = begin_of_id(after).ok_or_else(bad_token)?;
            ends.retain(|begin| *begin < after);
        }
        let more = ends.len() > start.size;
        ends.truncate(start.size);
        let next_page_token = match ends.last() {
            Some(last) if more => start.next_token(String::new(), id_of_begin(*last)),
            _ => String::new(),
        };
        let measurement_reports = ends.into_iter().map(|begin| report(&object.name, job, begin)).collect();
        Ok(v1::ListMeasurementReportsResponse { measurement_reports, next_page_token })
    }

    pub(super) async fn get_report(
        &self,
        request: v1::GetMeasurementReportRequest,
    ) -> Result<Pieces<v1::GetMeasurementReportResponse>, Failure> {
        let format = v1::MeasurementReportFormat::try_from(request.format)
            .map_err(|_| Failure::field("format", "no such format"))?;
        let (object, begin) = self.named_report(&request.name)?;
        let job = job_of(&object)?.clone();
        let head = report(&object.name, &job, begin);
        let metrics = if job.metrics.is_empty() {
            let core = self.measurements.descriptions().into_iter().filter(|description| description.core);
            core.map(|description| description.metric).collect()
        } else {
            job.metrics.iter().copied().collect()
        };
        let selection = Selection::of_scope(&job.scope, metrics);
        let objects = selection.objects(&self.published);
        let granularity_seconds = job.granularity_seconds;
        let end = begin.plus(Duration::from_secs(job.reporting_seconds.into()));
        let range = Range { granularity_seconds, begin, end };
        let measurements = Arc::clone(&self.measurements);
        let made = blocking(move || {
            let source = Source { measurements: &*measurements, selection: &selection, job: &job, range };
            source.pieces(&objects, format)
        })
        .await?
        .ok_or_else(|| unwritten("document of this format"))?;
        let mut pieces =
            vec![v1::GetMeasurementReportResponse { measurement_report: Some(head), ..Default::default() }];
        pieces.extend(made);
        Ok(sent(pieces))
    }

    fn named_report(&self, name: &str) -> Result<(Arc<Object>, Timestamp), Failure> {
        let bad = || Failure::field("name", "must have the form measurementJobs/JOB/reports/20261124T120000Z");
        if name.len() > limits::IDENTIFIER {
            return Err(bad());
        }
        let (job, id) = name.split_once("/reports/").ok_or_else(bad)?;
        let begin = begin_of_id(id).ok_or_else(bad)?;
        let object = self.record("name", ObjectClass::MeasurementJob, job)?;
        let there = report_begins(&object, job_of(&object)?, (self.published.now)()).contains(&begin);
        if !there {
            return Err(Failure::not_found(None, name));
        }
        Ok((object, begin))
    }

    pub(super) async fn generate(
        &self,
        request: v1::GenerateReportRequest,
    ) -> Result<Pieces<v1::GenerateReportResponse>, Failure> {
        let question = question(&request, (self.published.now)())?;
        let measurements = Arc::clone(&self.measurements);
        let table = blocking(move || measurements.report(&question)).await?;
        let Some(ReportTable { columns, rows }) = table else { return Err(unwritten("report of this subject")) };
        let columns = columns.iter().map(|column| v1::ReportColumn {
            name: column.name.to_owned(),
            unit: column.unit.to_owned(),
            title: column.title.to_owned(),
        });
        let mut pieces = vec![v1::GenerateReportResponse { columns: columns.collect(), rows: Vec::new() }];
        pieces.extend(rows.chunks(ROWS).map(|rows| v1::GenerateReportResponse {
            columns: Vec::new(),
            rows: rows.iter().map(|row| v1::ReportRow { cells: row.iter().map(cell).collect() }).collect(),
        }));
        Ok(sent(pieces))
    }
}

/// What a report of a job is made from.
struct Source<'a> {
    measurements: &'a dyn Measurements,
    selection: &'a Selection,
    job: &'a MeasurementJob,
    range: Range,
}

impl Source<'_> {
    fn pieces(
        &self,
        objects: &[Selected],
        format: v1::MeasurementReportFormat,
    ) -> Result<Option<Vec<v1::GetMeasurementReportResponse>>, HistoryError> {
        let document = match format {
            v1::MeasurementReportFormat::Unspecified | v1::MeasurementReportFormat::Message => {
                return self.messages(objects).map(Some);
            }
            v1::MeasurementReportFormat::MeasDataXml => ReportDocument::MeasDataXml,
            v1::MeasurementReportFormat::Csv => ReportDocument::Csv,
        };
        let mut series = Vec::new();
        for object in objects {
            series.extend(self.series(object)?);
        }
        let Some(text) = self.measurements.document(document, self.job, &series) else { return Ok(None) };
        let piece = |data: &[u8]| v1::GetMeasurementReportResponse { data: data.to_vec(), ..Default::default() };
        Ok(Some(text.as_bytes().chunks(PIECE).map(piece).collect()))
    }

    fn messages(&self, objects: &[Selected]) -> Result<Vec<v1::GetMeasurementReportResponse>, HistoryError> {
        let mut all = Vec::new();
        for object in objects {
            let series = self.series(object)?;
            let granularity = self.range.granularity();
            all.extend(series.iter().map(|one| convert::measurement_series(one, granularity, &object.label)));
        }
        let piece = |series| v1::GetMeasurementReportResponse { series, ..Default::default() };
        Ok(series_chunks(all).into_iter().map(piece).collect())
    }

    fn series(&self, object: &Selected) -> Result<Vec<MeasurementSeries>, HistoryError> {
        let mut series = object_history(self.measurements, self.selection, object, self.range)?;
        if self.job.zero_suppression {
            for one in &mut series {
                one.points.retain(|(_, value)| value.value != Ok(0.0) || value.suspect.any());
            }
            series.retain(|one| !one.points.is_empty());
        }
        Ok(series)
    }
}

/// Begins of the reports of a job that are complete and kept, the newest first.
fn report_begins(object: &Object, job: &MeasurementJob, now: Timestamp) -> Vec<Timestamp> {
    if job.reporting_seconds == 0 {
        return Vec::new();
    }
    let length = i64::from(job.reporting_seconds) * MICROS;
    let kept = now.0.saturating_sub(i64::try_from(RETAINED_DAYS * 86_400).unwrap_or(0) * MICROS);
    let from = object.create_time.0.max(job.start.map_or(i64::MIN, |start| start.0)).max(kept);
    let until = now.0.min(job.stop.map_or(i64::MAX, |stop| stop.0.saturating_add(length)));
    // The first one may be partial: it is suspect, not missing.
    let first = from.div_euclid(length);
    let last = until.div_euclid(length);
    (first..last).rev().map(|number| Timestamp(number * length)).collect()
}

fn report(job_name: &Name, job: &MeasurementJob, begin: Timestamp) -> v1::MeasurementReport {
    let end = begin.plus(Duration::from_secs(job.reporting_seconds.into()));
    v1::MeasurementReport {
        name: format!("{job_name}/reports/{}", id_of_begin(begin)),
        begin_time: Some(convert::timestamp(begin)),
        end_time: Some(convert::timestamp(end)),
        granularity_seconds: job.granularity_seconds,
    }
}

fn job_of(object: &Object) -> Result<&MeasurementJob, Failure> {
    match &object.body {
        Body::MeasurementJob(job) => Ok(job),
        _ => Err(Failure::not_found(Some(ObjectClass::MeasurementJob), object.name.as_str())),
    }
}

fn id_of_begin(begin: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(begin.seconds_and_nanos().0);
    time.map(|time| time.strftime(ID).to_string()).unwrap_or_default()
}

fn begin_of_id(id: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime(ID, id).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp(time.as_second().checked_mul(MICROS)?))
}

/// What this version does not make.
fn unwritten(what: &str) -> Failure {
    Failure::new(Reason::Unimplemented, format!("this version makes no {what}"))
}

fn bad_token() -> Failure {
    Failure::violation(Reason::InvalidPageToken, "page_token", "is not a token of this list")
}

fn question(request: &v1::GenerateReportRequest, now: Timestamp) -> Result<ReportQuestion, Failure> {
    let required = |field: &str, time: Option<Timestamp>| time.ok_or_else(|| Failure::field(field, "is required"));
    let begin = required("begin_time", time("begin_time", request.begin_time)?)?;
    let end = required("end_time", time("end_time", request.end_time)?)?.min(now);
    if begin >= end {
        return Err(Failure::field("begin_time", "must lie before end_time and before now"));
    }
    if end.since(begin) > Duration::from_secs(DAYS * 86_400) {
        return Err(Failure::field("begin_time", format!("at most {DAYS} days before end_time")));
    }
    let subject = match v1::ReportKind::try_from(request.kind) {
        Ok(v1::ReportKind::Availability) => ReportSubject::Availability,
        Ok(v1::ReportKind::Capacity) => ReportSubject::Capacity,
        Ok(v1::ReportKind::Usage) => ReportSubject::Usage,
        Ok(v1::ReportKind::Alarms) => ReportSubject::Alarms,
        Ok(v1::ReportKind::Unspecified) | Err(_) => return Err(Failure::field("kind", "is required")),
    };
    let group_by = match v1::ReportGrouping::try_from(request.grouping) {
        Ok(v1::ReportGrouping::Unspecified) if subject == ReportSubject::Capacity => GroupBy::Host,
        Ok(v1::ReportGrouping::Unspecified | v1::ReportGrouping::VirtualMachine) => GroupBy::Machine,
        Ok(v1::ReportGrouping::Host) => GroupBy::Host,
        Ok(v1::ReportGrouping::Service) => GroupBy::Service,
        Ok(v1::ReportGrouping::Label)
            if !request.group_label.is_empty() && request.group_label.len() <= limits::IDENTIFIER =>
        {
            GroupBy::Label(request.group_label.clone())
        }
        Ok(v1::ReportGrouping::Label) => return Err(Failure::field("group_label", "is required")),
        Err(_) => return Err(Failure::field("grouping", "no such grouping")),
    };
    Ok(ReportQuestion { subject, begin, end, group_by })
}

fn cell(cell: &ReportCell) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match cell {
        ReportCell::Text(text) => Kind::StringValue(text.clone()),
        ReportCell::Number(number) => Kind::NumberValue(*number),
        ReportCell::Unknown => Kind::NullValue(0),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Sends pieces as the client takes them.
fn sent<T: Send + 'static>(pieces: Vec<T>) -> Pieces<T> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for piece in pieces {
            if sender.send(Ok(piece)).await.is_err() {
                // The client is gone.
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}
