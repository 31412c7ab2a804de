//! A page about one thing: sections of labelled lines and small tables.

use super::format::{Cell, Tone};
use super::output::{Grid, Style, one_line};

/// Text of a page as it grows.
#[derive(Clone, Debug)]
pub struct Page {
    text: String,
    colour: bool,
    /// Labelled lines not written yet: their labels are aligned.
    fields: Vec<(String, Cell)>,
}

impl Page {
    /// An empty page.
    pub fn new(colour: bool) -> Self {
        Self { text: String::new(), colour, fields: Vec::new() }
    }

    /// A labelled line.
    pub fn field(&mut self, label: &str, value: impl Into<String>) {
        self.cell(label, Cell::text(value));
    }

    /// A labelled line, left out if there is nothing to say.
    pub fn some(&mut self, label: &str, value: impl Into<String>) {
        let value: String = value.into();
        if !value.is_empty() {
            self.field(label, value);
        }
    }

    /// A labelled line of a cell.
    pub fn cell(&mut self, label: &str, cell: Cell) {
        self.fields.push((label.to_owned(), cell));
    }

    /// The heading of what follows.
    pub fn section(&mut self, title: &str) {
        self.flush();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(title);
        self.text.push('\n');
    }

    /// A small table under a heading of its own; left out without lines.
    pub fn table(&mut self, title: &str, heads: &[&str], lines: Vec<Vec<Cell>>) {
        if lines.is_empty() {
            return;
        }
        self.section(&format!("{title} ({})", lines.len()));
        let grid = Grid { heads: heads.iter().map(|head| (*head).to_owned()).collect(), lines };
        let style = Style { colour: self.colour, ..Style::default() };
        for line in grid.draw(&style, &[]).lines() {
            self.text.push_str(&format!("  {line}\n"));
        }
    }

    /// A line as it is.
    pub fn line(&mut self, line: &str) {
        self.flush();
        self.text.push_str(&format!("  {}\n", one_line(line)));
    }

    fn flush(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 2;
        for (label, cell) in fields {
            let value = one_line(&cell.text);
            let value = if self.colour { painted(&value, cell.tone) } else { value };
            self.text.push_str(&format!("  {label:<width$}{value}\n"));
        }
    }

    /// The text.
    pub fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

fn painted(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => 32,
        Tone::Warn => 33,
        Tone::Notice => 36,
        Tone::Grave => 35,
        Tone::Bad => 31,
        Tone::Dim => 90,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
