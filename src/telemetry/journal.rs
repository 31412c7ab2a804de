//! Log events as journal records with structured fields.
//!
//! The crates that speak to journald block when it does not read, and `tracing`'s bridge to `log`
//! loses all fields: hence an own small layer, a bounded queue and one writer thread.

use log::kv::{self, ToValue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use systemd_journal_logger::JournalLog;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Records that may wait for the journal: 4,096 (about 2 MB). More are dropped and counted.
const QUEUE: usize = 4_096;

/// A layer that writes to the journal through its own thread.
pub(super) fn layer(dropped: Arc<AtomicU64>) -> std::io::Result<JournalLayer> {
    let journal = JournalLog::new()?.with_syslog_identifier("vrmd".to_owned());
    let (queue, inbox) = sync_channel(QUEUE);
    std::thread::Builder::new().name("journal".into()).spawn(move || write(&journal, &inbox))?;
    Ok(JournalLayer { queue, dropped })
}

fn write(journal: &JournalLog, inbox: &Receiver<Record>) {
    while let Ok(record) = inbox.recv() {
        let fields = Fields(&record.fields);
        // A journal that is away loses records whoever writes them.
        let _ = journal.journal_send(
            &log::Record::builder()
                .args(format_args!("{}", record.message))
                .level(record.level)
                .target(record.target)
                .file(record.file)
                .line(record.line)
                .key_values(&fields)
                .build(),
        );
    }
}

struct Record {
    message: String,
    fields: Vec<(String, String)>,
    level: log::Level,
    target: &'static str,
    file: Option<&'static str>,
    line: Option<u32>,
}

struct Fields<'a>(&'a [(String, String)]);

impl kv::Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn kv::VisitSource<'kvs>) -> Result<(), kv::Error> {
        self.0.iter().try_for_each(|(key, value)| visitor.visit_pair(kv::Key::from_str(key), value.as_str().to_value()))
    }
}

/// Collects the fields of an event or span, with our prefix.
#[derive(Clone, Default)]
struct Collected {
    message: String,
    fields: Vec<(String, String)>,
}

impl Collected {
    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else if field.name() == "message_id" {
            // journald's own field: catalogues and `journalctl MESSAGE_ID=…` go by it.
            self.fields.push(("MESSAGE_ID".to_owned(), value));
        } else if !value.is_empty() {
            self.fields.push((format!("VRM_{}", field.name().to_ascii_uppercase()), value));
        }
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
}

/// The layer.
pub(super) struct JournalLayer {
    queue: SyncSender<Record>,
    dropped: Arc<AtomicU64>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JournalLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut collected = Collected::default();
        attributes.record(&mut collected);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(collected);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(collected) = span.extensions().get::<Collected>() {
                fields.extend(collected.fields.clone());
            }
        }
        let mut collected = Collected::default();
        event.record(&mut collected);
        fields.extend(collected.fields);
        let metadata = event.metadata();
        let record = Record {
            message: collected.message,
            fields,
            level: level(*metadata.level()),
            target: metadata.target(),
            file: metadata.file(),
            line: metadata.line(),
        };
        if self.queue.try_send(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn level(level: Level) -> log::Level {
    match level {
        Level::ERROR => log::Level::Error,
        Level::WARN => log::Level::Warn,
        Level::INFO => log::Level::Info,
        Level::DEBUG => log::Level::Debug,
        Level::TRACE => log::Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn an_event_is_a_record_with_its_fields_and_message_id() {
        let (queue, inbox) = sync_channel(4);
        let dropped = Arc::new(AtomicU64::new(0));
        let subscriber = tracing_subscriber::registry().with(JournalLayer { queue, dropped: Arc::clone(&dropped) });
        tracing::subscriber::with_default(subscriber, || {
            let message_id = "0123456789abcdef0123456789abcdef";
            tracing::warn!(message_id, principal = "uid:7(eve)", user = "", "audit: eve was denied");
        });
        let record = inbox.try_recv().expect("a record");
        assert_eq!((record.message.as_str(), record.level), ("audit: eve was denied", log::Level::Warn));
        let fields: Vec<(&str, &str)> = record.fields.iter().map(|(key, value)| (&**key, &**value)).collect();
        let expected = [("MESSAGE_ID", "0123456789abcdef0123456789abcdef"), ("VRM_PRINCIPAL", "uid:7(eve)")];
        assert_eq!(fields, expected, "what is empty is left out");
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
    }
}
