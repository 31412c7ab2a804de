//! Counts of alarms.

use super::reader::Alarms;
use crate::model::alarm::{Alarm, PerceivedSeverity};
use crate::model::{Body, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::object_filter;
use crate::northbound::published;
use crate::wire::v1;

impl Alarms {
    pub(super) fn summarize(
        &self,
        request: &v1::SummarizeAlarmsRequest,
    ) -> Result<v1::SummarizeAlarmsResponse, Failure> {
        let filter = object_filter(&request.filter, &[ObjectClass::Alarm])?;
        let now = (self.published.now)();
        // Before the list is read: what comes later is in it or after the position.
        let position = self.published.log.position();
        let mut summary = v1::SummarizeAlarmsResponse {
            position: Some(published::position(position)),
            list_status: Some(self.published.list_status()),
            ..Default::default()
        };
        for object in self.published.log.all(ObjectClass::Alarm) {
            if let Body::Alarm(alarm) = &object.body
                && filter.matches(&object, now)
            {
                count(&mut summary, alarm);
            }
        }
        Ok(summary)
    }
}

/// Every active alarm is counted once: by its severity, as shelved or as suppressed.
fn count(summary: &mut v1::SummarizeAlarmsResponse, alarm: &Alarm) {
    summary.total += 1;
    summary.unacknowledged += u32::from(alarm.acknowledgement.is_none());
    if !alarm.is_active() {
        summary.cleared += 1;
    } else if alarm.shelved.is_some() {
        summary.shelved += 1;
    } else if alarm.suppressed_by.is_some() {
        summary.suppressed += 1;
    } else {
        summary.root += u32::from(alarm.root);
        *match alarm.perceived_severity {
            PerceivedSeverity::Critical => &mut summary.critical,
            PerceivedSeverity::Major => &mut summary.major,
            PerceivedSeverity::Minor => &mut summary.minor,
            PerceivedSeverity::Warning => &mut summary.warning,
            PerceivedSeverity::Indeterminate => &mut summary.indeterminate,
        } += 1;
    }
}
