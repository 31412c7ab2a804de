//! What every command works with: which daemons, how to show, what is asked for.

use super::args::{Format, Global};
use super::exit::Failure;
use super::format::Clock;
use super::output::Style;
use super::selector::to_filter;
use crate::client::{Client, ClientError, Contexts, Environment, Target, contexts_path, locate};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// The flags with everything they refer to.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The flags.
    pub global: Global,
    /// Contexts known.
    pub contexts: Contexts,
    /// File they are kept in.
    pub contexts_path: Option<PathBuf>,
    /// What the search for a daemon depends on.
    pub environment: Environment,
    /// Time and zone.
    pub clock: Clock,
    /// Standard output is a terminal that may be coloured.
    pub colour: bool,
}

impl Frame {
    /// Of this process.
    ///
    /// # Errors
    /// The contexts file cannot be read.
    pub fn of_process(global: Global) -> Result<Self, Failure> {
        let contexts_path = contexts_path();
        let contexts = contexts_path.as_deref().map(Contexts::load).transpose();
        let contexts = contexts.map_err(|error| Failure::usage(error.to_string()))?.unwrap_or_default();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Self {
            clock: Clock::of_process(global.utc),
            colour: !no_colour && std::io::stdout().is_terminal(),
            environment: Environment::of_process(),
            contexts,
            contexts_path,
            global,
        })
    }

    /// The one daemon meant.
    ///
    /// # Errors
    /// Wrong use: `-A`, an unknown context, a malformed address.
    pub fn target(&self) -> Result<Target, Failure> {
        if self.global.all_contexts {
            return Err(
                Failure::usage("-A is for commands that only read and show lists").with_next("vrmctl context list")
            );
        }
        locate(self.global.endpoint.as_deref(), self.global.context.as_deref(), &self.contexts, &self.environment)
            .map_err(|error| self.misled(&error))
    }

    /// Every daemon meant: all contexts with `-A`.
    ///
    /// # Errors
    /// As [`Frame::target`]; no contexts at all.
    pub fn targets(&self) -> Result<Vec<Target>, Failure> {
        if !self.global.all_contexts {
            return Ok(vec![self.target()?]);
        }
        let contexts = &self.contexts.contexts;
        if contexts.is_empty() {
            return Err(Failure::usage("-A: there are no contexts").with_next("vrmctl context add NAME ENDPOINT"));
        }
        let targets = contexts.iter().map(|(name, context)| Target::of_context(name, context));
        targets.collect::<Result<_, _>>().map_err(|error| self.misled(&error))
    }

    fn misled(&self, error: &ClientError) -> Failure {
        let next =
            if self.contexts.contexts.is_empty() { "vrmctl context add NAME ENDPOINT" } else { "vrmctl context list" };
        match error {
            ClientError::Endpoint(_) => {
                Failure::usage(error.to_string()).with_next("vrmctl -e unix:/run/vrm/vrmd.sock info")
            }
            _ => Failure::usage(error.to_string()).with_next(next),
        }
    }

    /// A connection, with the deadline asked for.
    ///
    /// # Errors
    /// As the client says.
    pub async fn connect(&self, target: &Target) -> Result<Client, ClientError> {
        let client = Client::connect(target).await?;
        Ok(match self.global.timeout {
            Some(timeout) => client.with_timeout(timeout),
            None => client,
        })
    }

    /// A connection to the one daemon meant.
    ///
    /// # Errors
    /// As [`Frame::target`] and the client say.
    pub async fn client(&self) -> Result<Client, Failure> {
        let target = self.target()?;
        self.connect(&target).await.map_err(|error| Failure::of_client(&error, &target))
    }

    /// The filter of `--filter` and `-l`.
    ///
    /// # Errors
    /// Wrong use: a malformed selector.
    pub fn filter(&self) -> Result<String, Failure> {
        to_filter(&self.global.selector, self.global.filter.as_deref())
    }

    /// The context to mark rows with, when several are asked.
    pub fn mark(&self, target: &Target) -> Option<String> {
        self.global.all_contexts.then(|| target.label.clone())
    }

    /// How tables are drawn.
    pub fn style(&self) -> Style {
        Style {
            wide: matches!(self.global.output, Format::Wide | Format::Csv),
            no_headers: self.global.no_headers,
            colour: self.colour,
            columns: self.global.columns.clone(),
        }
    }

    /// Whether everything of an object is needed.
    pub fn needs_full(&self) -> bool {
        self.global.output.is_data() || !self.global.columns.is_empty() || self.global.sort.is_some()
    }

    /// Longest wait, if one was asked for.
    pub fn timeout(&self) -> Option<Duration> {
        self.global.timeout
    }
}
