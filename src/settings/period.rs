//! Periods as settings spell them.

use std::time::Duration;

/// Reads `10s`, `5m`, `24h` or `7d` between bounds in seconds.
pub(super) fn parse_period(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        // "0" of no unit is no period.
        Some(seconds) if factor > 0 && (least..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} must be a period like \"10s\", between {least} s and {most} s")),
    }
}
