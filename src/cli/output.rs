//! Rows in the format asked for: tables, CSV, JSON, YAML, names.

use super::args::Format;
use super::exit::Failure;
use super::format::{Cell, Tone};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell as TableCell, Color, ColumnConstraint, Table, Width};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::io::Write;

/// One thing found, as it can be shown.
#[derive(Clone, Debug)]
pub struct Row {
    /// Context it came from, when several were asked.
    pub context: Option<String>,
    /// Resource name.
    pub name: String,
    /// What people call it, to sort by.
    pub title: String,
    /// The whole of it.
    pub json: Value,
    /// Under the heads of its sheet.
    pub cells: Vec<Cell>,
}

/// Rows of one kind.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What stands above the cells, and whether only in wide tables.
    pub heads: Vec<(String, bool)>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What of a sheet is shown, and how.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// Every column.
    pub wide: bool,
    /// No line of headers.
    pub no_headers: bool,
    /// Colour.
    pub colour: bool,
    /// Columns or paths in place of the usual ones.
    pub columns: Vec<String>,
}

/// A table ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Headers.
    pub heads: Vec<String>,
    /// Lines.
    pub lines: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The columns and cells that a style shows; context first, if rows have one.
    ///
    /// # Errors
    /// Wrong use: a column that is neither a head nor a path.
    pub fn grid(&self, style: &Style) -> Result<Grid, Failure> {
        let has_context = self.rows.iter().any(|row| row.context.is_some());
        let picks = self.picks(style)?;
        let mut heads: Vec<String> = picks.iter().map(|pick| pick.head(self)).collect();
        if has_context {
            heads.insert(0, "CONTEXT".to_owned());
        }
        let is_cut = !style.wide && style.columns.is_empty();
        let lines = self.rows.iter().map(|row| {
            let context = has_context.then(|| Cell::text(row.context.clone().unwrap_or_default()));
            // The last column may wrap in the terminal: an alarm's text is what people look for.
            let last = picks.len().saturating_sub(1);
            let cells = picks.iter().enumerate().map(|(index, pick)| {
                let is_text = index == last && pick.head(self) == "TEXT";
                if is_cut && !is_text { cut(pick.cell(row)) } else { pick.cell(row) }
            });
            context.into_iter().chain(cells).collect()
        });
        Ok(Grid { lines: lines.collect(), heads })
    }

    fn picks(&self, style: &Style) -> Result<Vec<Pick>, Failure> {
        if style.columns.is_empty() {
            let shown = self.heads.iter().enumerate().filter(|(_, (_, only_wide))| style.wide || !only_wide);
            return Ok(shown.map(|(index, _)| Pick::Column(index)).collect());
        }
        style.columns.iter().map(|column| self.pick(column)).collect()
    }

    fn pick(&self, column: &str) -> Result<Pick, Failure> {
        let column = column.trim();
        if let Some(index) = self.heads.iter().position(|(head, _)| head.eq_ignore_ascii_case(column)) {
            return Ok(Pick::Column(index));
        }
        if column.is_empty() || !column.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) {
            let heads: Vec<String> = self.heads.iter().map(|(head, _)| head.to_ascii_lowercase()).collect();
            return Err(Failure::usage(format!(
                "no column {column:?}; columns are {}, or the path of a field",
                heads.join(", ")
            )));
        }
        Ok(Pick::Path(column.to_owned()))
    }

    /// Sorts by a column or path, `-` in front for the reverse.
    ///
    /// # Errors
    /// Wrong use: no such column.
    pub fn sort(&mut self, by: &str) -> Result<(), Failure> {
        let (by, reverse) = match by.strip_prefix('-') {
            Some(by) => (by, true),
            None => (by, false),
        };
        let pick = self.pick(by)?;
        self.rows.sort_by(|a, b| {
            let order = compare(&pick.cell(a).raw, &pick.cell(b).raw);
            if reverse { order.reverse() } else { order }
        });
        Ok(())
    }
}

/// 48 characters: longer texts are cut in the narrow table; what is left still serves as a prefix of a name.
const CELL_WIDTH: usize = 48;

fn cut(mut cell: Cell) -> Cell {
    if cell.text.chars().count() > CELL_WIDTH {
        cell.text = cell.text.chars().take(CELL_WIDTH - 1).chain(['…']).collect();
    }
    cell
}

/// One column picked.
enum Pick {
    Column(usize),
    Path(String),
}

impl Pick {
    fn head(&self, sheet: &Sheet) -> String {
        match self {
            Self::Column(index) => sheet.heads.get(*index).map(|(head, _)| head.clone()).unwrap_or_default(),
            Self::Path(path) => path.to_ascii_uppercase(),
        }
    }

    fn cell(&self, row: &Row) -> Cell {
        match self {
            Self::Column(index) => row.cells.get(*index).cloned().unwrap_or_else(Cell::unknown),
            Self::Path(path) => {
                let value = at_path(&row.json, path);
                Cell { text: plain_text(&value), raw: value, tone: Tone::Plain }
            }
        }
    }
}

/// The value at a path of field names, in JSON or proto spelling; lists give a list.
pub fn at_path(value: &Value, path: &str) -> Value {
    let mut rest = path;
    let mut current = value;
    loop {
        match current {
            Value::Array(items) => return Value::Array(items.iter().map(|item| at_path(item, rest)).collect()),
            Value::Object(fields) => {
                // Keys of maps may hold dots: the longest key first.
                if let Some(found) = fields.get(rest).or_else(|| fields.get(&camel(rest))) {
                    return found.clone();
                }
                let Some((first, behind)) = rest.split_once('.') else { return Value::Null };
                let Some(found) = fields.get(first).or_else(|| fields.get(&camel(first))) else { return Value::Null };
                (current, rest) = (found, behind);
            }
            _ => return Value::Null,
        }
    }
}

/// `run_state` → `runState`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Rank of a word of a severity, as tables and JSON spell it.
fn severity_rank(value: &Value) -> Option<usize> {
    const RISING: [&str; 6] = ["cleared", "indeterminate", "warning", "minor", "major", "critical"];
    let word = value.as_str()?;
    let word = word.strip_prefix("SEVERITY_").unwrap_or(word).to_ascii_lowercase();
    RISING.iter().position(|known| *known == word)
}

/// Numbers by size, also those that JSON carries as strings; the rest as text without case; nothing last.
fn compare(a: &Value, b: &Value) -> Ordering {
    if let (Some(a), Some(b)) = (severity_rank(a), severity_rank(b)) {
        return a.cmp(&b);
    }
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => natural_key(&plain_text(a)).cmp(&natural_key(&plain_text(b))),
        },
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A key that sorts `web-9` before `web-10`.
pub fn natural_key(text: &str) -> Vec<(u64, String)> {
    let mut key = Vec::new();
    let mut rest = text.to_lowercase();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            key.push((rest[..digits].parse().unwrap_or(u64::MAX), String::new()));
        } else {
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            key.push((0, rest[..letters].to_owned()));
            rest.drain(..letters);
            continue;
        }
        rest.drain(..digits);
    }
    key
}

impl Grid {
    /// Drawn, every line with its end; columns at least as wide as `widths`.
    pub fn draw(&self, style: &Style, widths: &[u16]) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty();
        if style.colour {
            table.enforce_styling();
        }
        if !style.no_headers {
            table.set_header(self.heads.clone());
        }
        for line in &self.lines {
            table.add_row(line.iter().map(|cell| drawn(cell, style.colour)).collect::<Vec<_>>());
        }
        table.discover_columns();
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if let Some(width) = widths.get(index) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
            }
        }
        let text = table.trim_fmt();
        if text.is_empty() { text } else { text + "\n" }
    }

    /// Widths of the columns when drawn, for further lines under the same headers.
    pub fn widths(&self) -> Vec<u16> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| head.chars().count()).collect();
        for line in &self.lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        widths.into_iter().map(|width| u16::try_from(width + 2).unwrap_or(u16::MAX)).collect()
    }

    /// As comma-separated values (RFC 4180).
    pub fn csv(&self, no_headers: bool) -> String {
        let mut text = String::new();
        if !no_headers {
            let heads: Vec<String> = self.heads.iter().map(|head| csv_field(&head.to_ascii_lowercase())).collect();
            text += &(heads.join(",") + "\r\n");
        }
        for line in &self.lines {
            let fields: Vec<String> = line.iter().map(|cell| csv_field(&csv_text(&cell.raw))).collect();
            text += &(fields.join(",") + "\r\n");
        }
        text
    }
}

fn drawn(cell: &Cell, colour: bool) -> TableCell {
    let drawn = TableCell::new(one_line(&cell.text));
    match (colour, cell.tone) {
        (true, Tone::Good) => drawn.fg(Color::Green),
        (true, Tone::Warn) => drawn.fg(Color::Yellow),
        (true, Tone::Notice) => drawn.fg(Color::Cyan),
        (true, Tone::Grave) => drawn.fg(Color::Magenta),
        (true, Tone::Bad) => drawn.fg(Color::Red),
        (true, Tone::Dim) => drawn.fg(Color::DarkGrey),
        _ => drawn,
    }
}

/// Without control characters: what a guest or host calls itself must not move the cursor.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn csv_text(value: &Value) -> String {
    if value.is_null() { String::new() } else { plain_text(value) }
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// A value in a data format, with its end of line.
pub fn data(value: &Value, format: Format) -> String {
    match format {
        Format::Yaml => serde_yaml_ng::to_string(value).unwrap_or_default(),
        Format::Jsonl => format!("{value}\n"),
        _ => serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default(),
    }
}

/// An object with its context in it, when it came from one of several.
pub fn with_context(mut value: Value, context: Option<&String>) -> Value {
    if let (Some(context), Value::Object(fields)) = (context, &mut value) {
        let mut marked = Map::new();
        marked.insert("context".to_owned(), context.clone().into());
        marked.append(fields);
        return Value::Object(marked);
    }
    value
}

/// Writes to standard output. A reader that went away (`| head`) ends the program quietly.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new(super::exit::Exit::Failed, format!("standard output: {error}"))),
    }
}

/// Tells a person something that is not data.
pub fn warn(text: &str) {
    eprintln!("warning: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_find_fields_in_both_spellings_and_keys_with_dots() {
        let value = json!({"runState": "x", "labels": {"vrm.expect": "off"}, "definition": {"disks": [{"target": "vda"}, {"target": "vdb"}]}});
        assert_eq!(at_path(&value, "run_state"), json!("x"));
        assert_eq!(at_path(&value, "runState"), json!("x"));
        assert_eq!(at_path(&value, "labels.vrm.expect"), json!("off"));
        assert_eq!(at_path(&value, "definition.disks.target"), json!(["vda", "vdb"]));
        assert_eq!(at_path(&value, "definition.none"), Value::Null);
    }

    #[test]
    fn numbers_sort_by_size_and_names_by_their_numbers() {
        assert_eq!(compare(&json!("9"), &json!("10")), Ordering::Less);
        assert_eq!(compare(&json!("web-9"), &json!("web-10")), Ordering::Less);
        assert_eq!(compare(&json!("a"), &Value::Null), Ordering::Less);
    }

    #[test]
    fn csv_fields_are_quoted_where_needed() {
        let grid =
            Grid { heads: vec!["NAME".to_owned()], lines: vec![vec![Cell::text("a,\"b\"")], vec![Cell::unknown()]] };
        assert_eq!(grid.csv(false), "name\r\n\"a,\"\"b\"\"\"\r\n\r\n");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let grid = Grid { heads: vec!["NAME".to_owned()], lines: vec![vec![Cell::text("a\u{1b}[2Jb\nc")]] };
        assert!(!grid.draw(&Style::default(), &[]).contains('\u{1b}'));
    }

    #[test]
    fn further_lines_keep_the_widths() {
        let first = Grid {
            heads: vec!["A".to_owned(), "B".to_owned()],
            lines: vec![vec![Cell::text("long-name"), Cell::text("x")]],
        };
        let next = Grid { heads: first.heads.clone(), lines: vec![vec![Cell::text("s"), Cell::text("y")]] };
        let style = Style { no_headers: true, ..Style::default() };
        assert_eq!(next.draw(&style, &first.widths()), "s          y\n");
    }
}
