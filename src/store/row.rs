//! How values of the model stand in rows.

use rusqlite::Connection;

/// The word of an enumerator, as its JSON has it.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Room for the JSON of most objects: a buffer that grows from nothing is copied six times on the way there.
const USUAL_BYTES: usize = 6 * 1024;

/// JSON text of a record.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| rusqlite::Error::ToSqlConversionFailure(error);
    let mut text = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut text, value).map_err(|error| failed(Box::new(error)))?;
    String::from_utf8(text).map_err(|error| failed(Box::new(error)))
}

/// SQLite knows signed numbers only; sequences never come near the end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A stored sequence or count.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Remembers a single fact.
pub(super) fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            [key, value],
        )
        .map(|_| ())
}
