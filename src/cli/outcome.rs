//! What came of acts on several alarms or rules: told one by one, and the exit of all together.

use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{batch_exit, tell};
use crate::cli::frame::Frame;
use crate::cli::output::{data, print};
use crate::client::{Client, ClientError, schema};
use crate::wire::v1;
use v1::ErrorReason;

/// The outcomes so far.
pub struct Outcomes<'a> {
    frame: &'a Frame,
    done_word: &'static str,
    dry_run: bool,
    done: usize,
    failures: Vec<Failure>,
}

impl<'a> Outcomes<'a> {
    /// None yet but the failures of words that meant nothing.
    pub fn new(frame: &'a Frame, done_word: &'static str, dry_run: bool, failures: Vec<Failure>) -> Self {
        Self { frame, done_word, dry_run, done: 0, failures }
    }

    /// Notes one result of a batch and tells it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(&mut self, shown: &str, result: &v1::AlarmResult) -> Result<(), Failure> {
        if result.error == 0 {
            return self.ok(shown, &schema::to_json("vrm.v1.AlarmResult", result));
        }
        let reason = result.error();
        let word = reason.as_str_name().trim_start_matches("ERROR_REASON_");
        let failure = Failure::new(exit_of(reason), format!("{shown}: {} [{word}]", result.message));
        self.failures.push(failure.with_next(format!("vrmctl explain {word}")));
        if self.frame.global.output.is_data() {
            return self.show(&schema::to_json("vrm.v1.AlarmResult", result));
        }
        Ok(())
    }

    /// Notes what came of a call about one alarm and tells it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn alarm(
        &mut self,
        client: &Client,
        shown: &str,
        result: Result<v1::Alarm, ClientError>,
    ) -> Result<(), Failure> {
        self.note(client, shown, result.map(|alarm| schema::to_json("vrm.v1.Alarm", &alarm)))
    }

    /// Notes what came of a call and tells it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn note(
        &mut self,
        client: &Client,
        shown: &str,
        result: Result<serde_json::Value, ClientError>,
    ) -> Result<(), Failure> {
        match result {
            Ok(json) => self.ok(shown, &json),
            Err(error) => {
                self.failures.push(Failure::of_call(&error, client.target(), shown));
                Ok(())
            }
        }
    }

    fn ok(&mut self, shown: &str, json: &serde_json::Value) -> Result<(), Failure> {
        self.done += 1;
        if self.frame.global.output.is_data() {
            return self.show(json);
        }
        let done = if self.dry_run { format!("would be {}", self.done_word) } else { self.done_word.to_owned() };
        eprintln!("{shown}: {done}");
        Ok(())
    }

    fn show(&self, json: &serde_json::Value) -> Result<(), Failure> {
        if json.is_null() { Ok(()) } else { print(&data(json, self.frame.global.output)) }
    }

    /// Notes a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Tells the failures.
    pub fn finish(self) -> Exit {
        tell(&self.failures);
        batch_exit(self.done, &self.failures)
    }
}

/// The exit that a reason means, as calls of their own would have.
fn exit_of(reason: ErrorReason) -> Exit {
    match reason {
        ErrorReason::AlarmNotFound | ErrorReason::ObjectNotFound => Exit::NotFound,
        ErrorReason::PermissionDenied => Exit::NotAllowed,
        ErrorReason::InvalidField => Exit::Usage,
        ErrorReason::Internal | ErrorReason::StoreFull | ErrorReason::StoreBusy => Exit::Failed,
        _ => Exit::Conflict,
    }
}
