//! Sheets of measurements in the format asked for.

use crate::cli::args::Format;
use crate::cli::exit::Failure;
use crate::cli::frame::Frame;
use crate::cli::output::{Sheet, data, print};
use serde_json::{Value, json};

/// Shows a sheet; `field` names the list in the one object of JSON.
///
/// # Errors
/// Wrong use: no such column; standard output cannot be written.
pub fn show(frame: &Frame, mut sheet: Sheet, field: &str, nothing: &str) -> Result<(), Failure> {
    if let Some(by) = &frame.global.sort {
        sheet.sort(by)?;
    }
    let style = frame.style();
    let objects = || sheet.rows.iter().map(|row| row.json.clone()).collect::<Vec<Value>>();
    match frame.global.output {
        Format::Jsonl => objects().iter().try_for_each(|object| print(&data(object, Format::Jsonl))),
        format if format.is_data() => print(&data(&json!({ field: objects() }), format)),
        Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>()),
        Format::Csv => print(&sheet.grid(&style)?.csv(style.no_headers)),
        _ if sheet.rows.is_empty() => {
            eprintln!("{nothing}");
            Ok(())
        }
        _ => print(&sheet.grid(&style)?.draw(&style, &[])),
    }
}
