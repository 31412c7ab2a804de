//! `ListAlarmHistory`: what left the alarm list, in pages.

use super::closed::ClosedAlarmPage;
use super::reader::Alarms;
use crate::model::alarm_command::ClosedAlarmQuery;
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::reason::Reason;
use crate::northbound::request::time;
use crate::wire::convert::{self, Detail};
use crate::wire::v1;
use prost::Message;
use std::sync::Arc;

impl Alarms {
    pub(super) async fn history(
        &self,
        request: v1::ListAlarmHistoryRequest,
    ) -> Result<v1::ListAlarmHistoryResponse, Failure> {
        let arguments = format!(
            "{:?}/{:?}/{}/{}/{}",
            request.start_time, request.end_time, request.object, request.alarm_type, request.min_severity
        );
        let start = PageStart::new(
            &self.published,
            PageArguments { page_size: request.page_size, page_token: &request.page_token },
            &["history", &arguments],
        )?;
        let query = query(&request, &start)?;
        let closed = Arc::clone(&self.closed);
        let read = tokio::task::spawn_blocking(move || closed.read(&query)).await;
        let page = match read {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => return Err(Failure::new(Reason::StoreBusy, error.to_string())),
            Err(_) => return Err(Failure::new(Reason::Internal, "the history could not be read")),
        };
        Ok(response(&page, &start))
    }
}

fn query(request: &v1::ListAlarmHistoryRequest, start: &PageStart) -> Result<ClosedAlarmQuery, Failure> {
    let severity =
        v1::Severity::try_from(request.min_severity).map_err(|_| Failure::field("min_severity", "no such severity"))?;
    for (field, text) in [("object", &request.object), ("alarm_type", &request.alarm_type)] {
        if text.len() > limits::IDENTIFIER {
            return Err(Failure::field(field, format!("has more than {} bytes", limits::IDENTIFIER)));
        }
    }
    let continue_after = match &start.after {
        None => None,
        Some((row, _)) => {
            let row = row.parse().map_err(|_| {
                Failure::violation(Reason::InvalidPageToken, "page_token", "is not a token of this list")
            })?;
            Some(row)
        }
    };
    Ok(ClosedAlarmQuery {
        before: time("end_time", request.end_time)?,
        after: time("start_time", request.start_time)?,
        object: request.object.clone(),
        alarm_type: request.alarm_type.clone(),
        min_severity: convert::severity_from(severity),
        continue_after,
        limit: start.size,
    })
}

fn response(page: &ClosedAlarmPage, start: &PageStart) -> v1::ListAlarmHistoryResponse {
    let mut response = v1::ListAlarmHistoryResponse::default();
    let mut bytes = 0;
    let mut last: Option<u64> = None;
    let mut more = page.more;
    for closed in &page.alarms {
        let Some(alarm) = convert::alarm(&closed.object, Detail::Full) else { continue };
        let message = v1::ClosedAlarm { alarm: Some(alarm), close_time: Some(convert::timestamp(closed.close_time)) };
        bytes += message.encoded_len();
        if bytes > limits::PAGE_BYTES && last.is_some() {
            more = true;
            break;
        }
        response.closed_alarms.push(message);
        last = Some(closed.row);
    }
    if let Some(last) = last.filter(|_| more) {
        response.next_page_token = start.next_token(last.to_string(), String::new());
    }
    response
}
