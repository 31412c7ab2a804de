//! Alarms of a time in numbers: how many, how long until somebody took notice, how long until they were over.

use crate::model::Alarm;
use std::collections::BTreeMap;
use std::time::Duration;

/// By what alarms are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmGroup {
    /// By alarm type.
    Type,
    /// By the highest severity they had.
    Severity,
    /// By the object they were about.
    Object,
}

/// Figures of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmFigures {
    /// Alarms.
    pub count: u64,
    /// Those that were acknowledged.
    pub acknowledged: u64,
    /// Mean time from raise to acknowledgement, of those.
    pub mean_time_to_acknowledge: Option<Duration>,
    /// Those that cleared.
    pub cleared: u64,
    /// Mean time from raise to clearing, of those.
    pub mean_time_to_clear: Option<Duration>,
}

#[derive(Default)]
struct Sums {
    count: u64,
    acknowledged: (u64, Duration),
    cleared: (u64, Duration),
}

/// Figures of alarms by group, in its order.
pub fn alarm_figures<'a>(
    alarms: impl IntoIterator<Item = &'a Alarm>,
    by: AlarmGroup,
) -> BTreeMap<String, AlarmFigures> {
    let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
    for alarm in alarms {
        let sums = groups.entry(group_of(alarm, by)).or_default();
        sums.count += 1;
        if let Some(acknowledgement) = &alarm.acknowledgement {
            add(&mut sums.acknowledged, acknowledgement.time.since(alarm.raise_time));
        }
        if let Some(clear) = alarm.clear_time {
            add(&mut sums.cleared, clear.since(alarm.raise_time));
        }
    }
    groups.into_iter().map(|(group, sums)| (group, sums.figures())).collect()
}

impl Sums {
    fn figures(&self) -> AlarmFigures {
        AlarmFigures {
            count: self.count,
            acknowledged: self.acknowledged.0,
            mean_time_to_acknowledge: mean(self.acknowledged),
            cleared: self.cleared.0,
            mean_time_to_clear: mean(self.cleared),
        }
    }
}

fn add(sum: &mut (u64, Duration), time: Duration) {
    sum.0 += 1;
    sum.1 += time;
}

fn mean((count, sum): (u64, Duration)) -> Option<Duration> {
    let nanoseconds = sum.as_nanos().checked_div(u128::from(count))?;
    Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
}

fn group_of(alarm: &Alarm, by: AlarmGroup) -> String {
    match by {
        AlarmGroup::Type => alarm.alarm_type.clone(),
        AlarmGroup::Object => alarm.object.as_str().to_owned(),
        AlarmGroup::Severity => alarm.highest_severity.as_str().to_owned(),
    }
}
