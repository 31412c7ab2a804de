//! `label` and `expect`: what people say about objects. The VRM's own data, so it works in every profile.

use super::exit::{Exit, Failure};
use super::find::{batch_exit, find_all, tell};
use super::frame::Frame;
use super::kind::{Kind, Request, parse_requests};
use super::output::{data, print};
use super::sheet::title;
use crate::client::{Client, ClientError, Endpoint, Object, ObjectExt, Target, schema};
use crate::wire::v1;
use crate::wire::v1::{Expectation, ObjectClass};

/// The person behind a call over the local socket: who is logged in, also behind sudo (F17).
pub fn actor(target: &Target) -> Option<v1::Actor> {
    if !matches!(target.endpoint, Endpoint::Unix(_)) {
        return None;
    }
    let user =
        ["SUDO_USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))?;
    Some(v1::Actor { user: user.chars().take(64).collect(), ..v1::Actor::default() })
}

/// A fresh request id: the call may be repeated without being carried out twice.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Words of `label` taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelWords {
    /// Kinds and names.
    pub words: Vec<String>,
    /// Labels to set.
    pub set: Vec<(String, String)>,
    /// Keys to remove.
    pub remove: Vec<String>,
}

/// Tells names from labels: `k=v` sets, `k-` removes.
///
/// # Errors
/// Wrong use: no label, or one without a key.
pub fn split_labels(words: &[String]) -> Result<LabelWords, Failure> {
    let mut split = LabelWords::default();
    for word in words {
        if let Some((key, value)) = word.split_once('=') {
            if key.is_empty() {
                return Err(Failure::usage(format!("{word:?}: the key is missing")));
            }
            split.set.push((key.to_owned(), value.to_owned()));
        } else if let Some(key) = word.strip_suffix('-').filter(|key| !key.is_empty()) {
            split.remove.push(key.to_owned());
        } else {
            split.words.push(word.clone());
        }
    }
    if split.set.is_empty() && split.remove.is_empty() {
        return Err(Failure::usage("say which labels: k=v sets one, k- removes one")
            .with_next("vrmctl label vm web-1 tier=dev"));
    }
    Ok(split)
}

/// `label`.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon does not answer.
pub async fn label(
    frame: &Frame,
    words: &[String],
    dry_run: bool,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let split = split_labels(words)?;
    let requests = parse_requests(&split.words, stdin)?;
    refuse_selectors(frame)?;
    let client = frame.client().await?;
    let objects = find_all(&client, &requests).await?;
    let mut batch = Batch::new(frame, "labelled", dry_run);
    for (kind, object) in &objects {
        let request = v1::UpdateAnnotationsRequest {
            name: object.name().to_owned(),
            set_labels: split.set.iter().cloned().collect(),
            remove_labels: split.remove.clone(),
            request_id: request_id(),
            validate_only: dry_run,
            actor: actor(client.target()),
            ..v1::UpdateAnnotationsRequest::default()
        };
        let result = client.update_annotations(&request).await;
        batch.note(&client, *kind, object, result)?;
    }
    Ok(batch.finish())
}

/// `expect`.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon does not answer.
pub async fn expect(
    frame: &Frame,
    words: &[String],
    dry_run: bool,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let (expectation, words) = split_expectation(words)?;
    let requests = parse_requests(words, stdin)?;
    check_expectable(&requests)?;
    refuse_selectors(frame)?;
    let client = frame.client().await?;
    let objects = find_all(&client, &requests).await?;
    let mut batch = Batch::new(frame, "expectation set", dry_run);
    for (kind, object) in &objects {
        let request = v1::SetExpectationRequest {
            name: object.name().to_owned(),
            expectation: expectation.into(),
            request_id: request_id(),
            validate_only: dry_run,
            actor: actor(client.target()),
            ..v1::SetExpectationRequest::default()
        };
        let result = client.set_expectation(&request).await;
        batch.note(&client, *kind, object, result)?;
    }
    Ok(batch.finish())
}

/// The expectation is the last word.
fn split_expectation(words: &[String]) -> Result<(Expectation, &[String]), Failure> {
    let wrong = || {
        Failure::usage("say what to expect: running, off, any or observed").with_next("vrmctl expect vm web-1 running")
    };
    let (last, words) = words.split_last().ok_or_else(wrong)?;
    let expectation = match last.to_ascii_lowercase().as_str() {
        "running" | "active" | "on" => Expectation::Running,
        "off" | "inactive" => Expectation::Off,
        "any" => Expectation::Any,
        "observed" => Expectation::Unspecified,
        _ => return Err(wrong()),
    };
    Ok((expectation, words))
}

fn check_expectable(requests: &[Request]) -> Result<(), Failure> {
    let wrong = requests.iter().find(|request| {
        !matches!(
            request.kind.class(),
            Some(ObjectClass::VirtualMachine | ObjectClass::StoragePool | ObjectClass::Network)
        )
    });
    match wrong {
        Some(request) => Err(Failure::usage(format!(
            "nothing can be expected of a {}; only of vm, pool and network",
            request.kind.word()
        ))),
        None => Ok(()),
    }
}

/// A change names its objects, so that it never hits others than those meant.
pub fn refuse_selectors(frame: &Frame) -> Result<(), Failure> {
    if frame.global.selector.is_empty() && frame.global.filter.is_none() {
        return Ok(());
    }
    Err(Failure::usage("a change names its objects; select them with get")
        .with_next("vrmctl get vms -o name -l tier=dev | vrmctl label vm - k=v"))
}

/// What came of the changes of a batch.
pub struct Batch<'a> {
    frame: &'a Frame,
    done_word: &'static str,
    dry_run: bool,
    done: usize,
    failures: Vec<Failure>,
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub fn new(frame: &'a Frame, done_word: &'static str, dry_run: bool) -> Self {
        Self { frame, done_word, dry_run, done: 0, failures: Vec::new() }
    }

    /// Notes one result and tells it.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn note(
        &mut self,
        client: &Client,
        kind: Kind,
        object: &Object,
        result: Result<Option<Object>, ClientError>,
    ) -> Result<(), Failure> {
        let shown = format!("{}/{}", kind.word(), title(object));
        match result {
            Ok(after) => {
                self.done += 1;
                if self.frame.global.output.is_data() {
                    let after = after.as_ref().unwrap_or(object);
                    return print(&data(&schema::object_json(after), self.frame.global.output));
                }
                let done = if self.dry_run { "would be changed" } else { self.done_word };
                eprintln!("{shown}: {done}");
            }
            Err(error) => self.failures.push(Failure::of_call(&error, client.target(), &shown)),
        }
        Ok(())
    }

    /// Tells the failures.
    pub fn finish(self) -> Exit {
        tell(&self.failures);
        batch_exit(self.done, &self.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn labels_are_told_from_names() {
        let split = split_labels(&words(&["vm", "web-1", "-", "a=b", "c=", "d-"])).expect("labels");
        assert_eq!(split.words, words(&["vm", "web-1", "-"]));
        assert_eq!(split.set, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())]);
        assert_eq!(split.remove, ["d"]);
        assert!(split_labels(&words(&["vm", "web-1"])).is_err());
        assert!(split_labels(&words(&["vm", "=x"])).is_err());
    }

    #[test]
    fn the_last_word_says_what_is_expected() {
        let given = words(&["vm", "web-1", "Running"]);
        assert_eq!(split_expectation(&given).map(|(e, rest)| (e, rest.len())), Ok((Expectation::Running, 2)));
        assert!(split_expectation(&words(&["vm", "web-1"])).is_err());
    }

    #[test]
    fn nothing_is_expected_of_hosts() {
        let requests = [Request { kind: Kind::Object(ObjectClass::Host), names: vec!["a".to_owned()] }];
        assert!(check_expectable(&requests).is_err());
    }
}
