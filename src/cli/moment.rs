//! Points in time and spans as people type them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::time::Duration;

/// What can be typed.
const FORMS: &str = "write a span as 2h or 7d, a time of day as 22:30, a date, or a date with time";

/// A span: `90s`, `30m`, `2h`, `7d`, or seconds without a unit.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "write a number with s, m, h or d".to_owned())?;
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("units are s, m, h and d".to_owned()),
    };
    match number.checked_mul(factor) {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(seconds) if seconds <= 3_660 * 86_400 => Ok(Duration::from_secs(seconds)),
        _ => Err("too long".to_owned()),
    }
}

/// A span in seconds that may be none.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_seconds(text: &str) -> Result<u32, String> {
    if text == "0" {
        return Ok(0);
    }
    u32::try_from(parse_length(text)?.as_secs()).map_err(|_| "too long".to_owned())
}

/// A time to come.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_moment(text: &str) -> Result<Timestamp, String> {
    moment(text, &Zoned::now(), 1)
}

/// A time that has passed; a span counts back from now.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_past(text: &str) -> Result<Timestamp, String> {
    moment(text, &Zoned::now(), -1)
}

/// A time that has passed, as dates and times of day of a zone.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_in_zone(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    moment(text, now, -1)
}

/// A time as seen from now; `sign` says whether spans and times of day lie ahead (1) or behind (-1).
fn moment(text: &str, now: &Zoned, sign: i32) -> Result<Timestamp, String> {
    if let Ok(length) = parse_length(text) {
        let length = SignedDuration::try_from(length).map_err(|error| error.to_string())?;
        return now.timestamp().checked_add(length * sign).map_err(|error| error.to_string());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let zone = now.time_zone().clone();
    if text.len() <= 8 && text.contains(':') {
        let time: Time = text.parse().map_err(|_| FORMS.to_owned())?;
        return time_of_day(time, now, &zone, sign);
    }
    let local = match text.parse::<DateTime>() {
        Ok(time) => time,
        Err(_) => text.parse::<Date>().map_err(|_| FORMS.to_owned())?.to_datetime(Time::midnight()),
    };
    local.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
}

/// The next, or the last, such time of day.
fn time_of_day(time: Time, now: &Zoned, zone: &TimeZone, sign: i32) -> Result<Timestamp, String> {
    let today = now.date().to_datetime(time).to_zoned(zone.clone()).map_err(|error| error.to_string())?;
    let is_right = if sign > 0 { today > *now } else { today <= *now };
    if is_right {
        return Ok(today.timestamp());
    }
    let day = SignedDuration::from_hours(24) * sign;
    today.timestamp().checked_add(day).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, sign: i32) -> Result<String, String> {
        let now: Zoned = "2026-03-01T12:00:00+00:00[UTC]".parse().expect("a time");
        moment(text, &now, sign).map(|time| time.to_string())
    }

    #[test]
    fn times_lie_ahead_or_behind() {
        assert_eq!(at("2h", 1).as_deref(), Ok("2026-03-01T14:00:00Z"));
        assert_eq!(at("2h", -1).as_deref(), Ok("2026-03-01T10:00:00Z"));
        assert_eq!(at("22:30", 1).as_deref(), Ok("2026-03-01T22:30:00Z"));
        assert_eq!(at("06:00", 1).as_deref(), Ok("2026-03-02T06:00:00Z"));
        assert_eq!(at("22:30", -1).as_deref(), Ok("2026-02-28T22:30:00Z"));
        assert_eq!(at("2026-03-05", 1).as_deref(), Ok("2026-03-05T00:00:00Z"));
        assert_eq!(at("2026-03-05T06:30", 1).as_deref(), Ok("2026-03-05T06:30:00Z"));
        assert_eq!(at("2026-03-05T06:30:00+02:00", 1).as_deref(), Ok("2026-03-05T04:30:00Z"));
        for text in ["", "tomorrow", "25:00", "2026-13-01"] {
            assert!(at(text, 1).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_need_a_known_unit() {
        assert_eq!(parse_length("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_seconds("0"), Ok(0));
        for text in ["", "h", "-1h", "0h", "1w", "99999999999999999999h"] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }
}
