//! A sheet of readings being filled in: what is there, what is missing and why, and what made no sense.

use super::root::Root;
use crate::model::measurement::{AbsentReason, MeasuredKey, Number, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::observation::CollectError;
use std::io::ErrorKind;
use std::path::Path;

/// A figure of a file: nothing if the machine does not have it, an error if it is no figure.
pub type Figure = Result<Option<u64>, CollectError>;

/// Readings of one part of the machine.
#[derive(Debug)]
pub struct Sheet {
    part: Part,
    readings: Vec<(Metric, Number)>,
    absent: Vec<(Metric, AbsentReason)>,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(part: Part) -> Self {
        Self { part, readings: Vec::new(), absent: Vec::new() }
    }

    /// Fills in a whole number; nothing is absent as unsupported.
    pub fn put(&mut self, metric: Metric, value: Option<u64>) {
        self.number(metric, value.map(Number::Integer));
    }

    /// Fills in a number with a fraction; nothing is absent as unsupported.
    pub fn put_real(&mut self, metric: Metric, value: Option<f64>) {
        self.number(metric, value.map(Number::Real));
    }

    fn number(&mut self, metric: Metric, value: Option<Number>) {
        match value {
            Some(value) => self.readings.push((metric, value)),
            None => self.absent.push((metric, AbsentReason::Unsupported)),
        }
    }

    /// Says why there is no reading.
    pub fn lack(&mut self, metric: Metric, reason: AbsentReason) {
        self.absent.push((metric, reason));
    }

    /// Fills in a figure; one that makes no sense is told as an error and absent.
    pub fn figure(&mut self, metric: Metric, figure: Figure, errors: &mut Vec<CollectError>) {
        let value = figure.unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        self.put(metric, value);
    }

    /// The sample of it.
    pub fn sample(self, owner: &Owner, incarnation: u64) -> Sample {
        let key = MeasuredKey { owner: owner.clone(), part: self.part };
        Sample { key, incarnation, readings: self.readings, absent: self.absent }
    }
}

/// Text of a file; nothing if the machine does not have it or does not show it.
pub fn text(root: &Root, path: impl AsRef<Path>) -> Result<Option<String>, CollectError> {
    let path = path.as_ref();
    match root.text(path) {
        Ok(text) => Ok(Some(text)),
        // Also what drivers answer of a part that is off or that has no such figure.
        Err(error) if error.raw_os_error().is_some() || error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(nonsense(path, error)),
    }
}

/// Whole number of a small file.
pub fn number(root: &Root, path: impl AsRef<Path>) -> Figure {
    let path = path.as_ref();
    let Some(text) = text(root, path)? else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| nonsense(path, format!("{:?} is no figure", shortened(&text))))
}

/// What a file of lines `NAME VALUE` or `NAME: VALUE UNIT` says of a name.
pub fn line(text: &str, name: &str, path: &str) -> Figure {
    let rest = text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.strip_prefix(':').or_else(|| rest.strip_prefix(' '))
    });
    let Some(rest) = rest else { return Ok(None) };
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.parse().map(Some).map_err(|_| nonsense(path.as_ref(), format!("{name} is {:?}", shortened(word))))
}

/// A file that cannot be understood.
pub fn nonsense(path: &Path, reason: impl std::fmt::Display) -> CollectError {
    CollectError { what: path.display().to_string(), reason: reason.to_string() }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(40).collect()
}
