//! Values as people read them: sizes, ages, local times, words of enums. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::time::Duration;

/// What a cell says about its object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Calls for attention, without being wrong.
    Notice,
    /// Wrong, but not the worst.
    Grave,
    /// Wrong.
    Bad,
    /// Of little interest.
    Dim,
}

/// A value in a table: as shown, and as sorted and exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// For people.
    pub text: String,
    /// For sorting and CSV.
    pub raw: Value,
    /// Colour.
    pub tone: Tone,
}

impl Cell {
    /// A text; empty shows as `-`.
    pub fn text(text: impl Into<String>) -> Self {
        let raw: String = text.into();
        let text = if raw.is_empty() { "-".to_owned() } else { raw.clone() };
        Self { text, raw: raw.into(), tone: Tone::Plain }
    }

    /// A number.
    pub fn number(number: impl Into<u64>) -> Self {
        let number = number.into();
        Self { text: number.to_string(), raw: number.into(), tone: Tone::Plain }
    }

    /// A size; absent shows as `?`, never as 0.
    pub fn bytes(bytes: Option<u64>) -> Self {
        match bytes {
            Some(bytes) => Self { text: size(bytes), raw: bytes.into(), tone: Tone::Plain },
            None => Self::unknown(),
        }
    }

    /// A value that is not known.
    pub fn unknown() -> Self {
        Self { text: "?".to_owned(), raw: Value::Null, tone: Tone::Dim }
    }

    /// Yes or no.
    pub fn flag(flag: bool) -> Self {
        Self { text: if flag { "yes" } else { "no" }.to_owned(), raw: flag.into(), tone: Tone::Plain }
    }

    /// The same in another colour.
    #[must_use]
    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// How times are shown, and what time it is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Now.
    pub now: Timestamp,
    /// Zone of the times shown.
    pub zone: TimeZone,
}

impl Clock {
    /// The clock of this process.
    pub fn of_process(utc: bool) -> Self {
        Self { now: Timestamp::now(), zone: if utc { TimeZone::UTC } else { TimeZone::system() } }
    }

    /// A time in the zone, to the second.
    pub fn local(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The time of day in the zone.
    pub fn time_of_day(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// How long ago: `42s`, `7m`, `3h12m`, `4d`.
    pub fn age(&self, time: Timestamp) -> String {
        let seconds = self.now.as_second().saturating_sub(time.as_second()).max(0);
        short_span(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// A cell of a time.
    pub fn time_cell(&self, time: Option<Timestamp>) -> Cell {
        match time {
            Some(time) => Cell { text: self.local(time), raw: time.to_string().into(), tone: Tone::Plain },
            None => Cell::text(""),
        }
    }

    /// A cell of the time since.
    pub fn age_cell(&self, time: Option<Timestamp>) -> Cell {
        match time {
            Some(time) => Cell { text: self.age(time), raw: time.to_string().into(), tone: Tone::Plain },
            None => Cell::text(""),
        }
    }
}

/// A span in at most two units.
pub fn short_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..7_200 => format!("{minutes}m"),
        7_200..86_400 => two(hours, "h", minutes % 60, "m"),
        86_400..864_000 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

fn two(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
}

/// A size in binary units: `512 MiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut rest = bytes;
    let mut remainder = 0;
    while rest >= 1_024 && unit + 1 < UNITS.len() {
        remainder = rest % 1_024;
        rest /= 1_024;
        unit += 1;
    }
    let tenths = (remainder * 10 + 512) / 1_024;
    let (rest, tenths) = if tenths == 10 { (rest + 1, 0) } else { (rest, tenths) };
    if tenths == 0 || rest >= 100 {
        format!("{rest} {}", UNITS[unit])
    } else {
        format!("{rest}.{tenths} {}", UNITS[unit])
    }
}

/// A word of an enum without its prefix, as people write it: `RUN_STATE_SHUTTING_DOWN` → `shutting-down`;
/// empty for UNSPECIFIED.
pub fn word(name: &str, prefix: &str) -> String {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    if short == "UNSPECIFIED" { String::new() } else { short.to_ascii_lowercase().replace('_', "-") }
}

/// Labels as `a=b,c=d`.
pub fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_and_short() {
        let shown: Vec<String> =
            [0, 1_023, 1_024, 1_536, 1_048_575, 1_073_741_824, 549_755_813_888, 1_649_267_441_664].map(size).into();
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "1024 KiB", "1 GiB", "512 GiB", "1.5 TiB"]);
    }

    #[test]
    fn spans_have_at_most_two_units() {
        let shown: Vec<String> = [0, 119, 120, 121, 3_000, 7_200, 7_260, 90_000, 8_640_000]
            .map(|s| short_span(Duration::from_secs(s)))
            .into();
        assert_eq!(shown, ["0s", "119s", "2m", "2m1s", "50m", "2h", "2h1m", "1d1h", "100d"]);
    }

    #[test]
    fn words_lose_their_prefix() {
        assert_eq!(word("RUN_STATE_SHUTTING_DOWN", "RUN_STATE_"), "shutting-down");
        assert_eq!(word("VIEW_UNSPECIFIED", "VIEW_"), "");
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        assert_eq!(Cell::bytes(None).text, "?");
        assert_eq!(Cell::bytes(Some(0)).text, "0 B");
    }
}
