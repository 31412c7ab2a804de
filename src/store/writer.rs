//! The one writer thread: takes what is queued, commits it at once, acknowledges it.

use super::behind::{Behind, Bodies};
use super::closed;
use super::definitions::Definitions;
use super::reader::JournalReader;
use super::retention::{self, Limits};
use super::row::json;
use super::space::Ballast;
use super::transaction::{Ack, HostRow, Outcome, StoreCondition, Transaction};
use super::transition;
use rusqlite::{Connection, ErrorCode, params};
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;

/// Transactions committed together at most; what is queued is taken, nothing is waited for. Half of what the engine lets
/// be outstanding: it goes on while the other half is committed.
const GROUP: usize = 512;

/// Old rows are deleted once in so many changes, so that one commit in thousands pays for it.
const PRUNE_EVERY: u64 = 5_000;

/// Definitions that nothing refers to are deleted once in so many prunings.
const FORGET_EVERY: u64 = 16;

/// After so many changes the write-ahead log is moved into the database, when they have been acknowledged: some 20 MiB.
const CHECKPOINT_EVERY: u64 = 4_096;

/// While the disk is full a commit is tried again each second.
const RETRY: Duration = Duration::from_secs(1);

/// Way to the writer thread. Dropping the last one lets the thread finish what is queued and end.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    queue: blocking::Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Commit(Box<Transaction>),
    Flush(tokio::sync::oneshot::Sender<()>),
}

impl StoreHandle {
    /// Hands over a transaction; never blocks. The engine bounds what is outstanding.
    pub fn submit(&self, transaction: Transaction) {
        // A closed queue means that the writer ended as fatal: the engine hears of it by its ack.
        let _ = self.queue.send(Message::Commit(Box::new(transaction)));
    }

    /// Waits until everything handed over so far was tried.
    pub async fn flush(&self) {
        let (done, wait) = tokio::sync::oneshot::channel();
        if self.queue.send(Message::Flush(done)).is_ok() {
            let _ = wait.await;
        }
    }
}

/// Starts the writer thread.
pub(super) fn start(
    connection: Connection,
    (behind, definitions): (Behind, Definitions),
    ballast: Ballast,
    acks: mpsc::UnboundedSender<Ack>,
    reader: Arc<JournalReader>,
) -> std::io::Result<StoreHandle> {
    let (queue, inbox) = blocking::channel();
    let writer = Writer {
        connection,
        behind,
        definitions,
        ballast,
        acks,
        reader,
        condition: StoreCondition::Good,
        since_prune: 0,
        prunings: 0,
        since_checkpoint: 0,
    };
    std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(&inbox))?;
    Ok(StoreHandle { queue })
}

struct Writer {
    connection: Connection,
    behind: Behind,
    definitions: Definitions,
    ballast: Ballast,
    acks: mpsc::UnboundedSender<Ack>,
    reader: Arc<JournalReader>,
    condition: StoreCondition,
    since_prune: u64,
    prunings: u64,
    since_checkpoint: u64,
}

impl Writer {
    fn run(mut self, inbox: &blocking::Receiver<Message>) {
        while let Ok(first) = inbox.recv() {
            let mut group = Vec::new();
            let mut flushes = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Commit(transaction) => group.push(*transaction),
                    Message::Flush(done) => flushes.push(done),
                }
                if group.len() < GROUP {
                    next = inbox.try_recv().ok();
                }
            }
            if !self.commit_until_done(&group) {
                return;
            }
            for done in flushes {
                let _ = done.send(());
            }
            let changes: usize = group.iter().map(|transaction| transaction.changes.len()).sum();
            self.checkpoint_sometimes(changes as u64);
            self.prune_sometimes(changes as u64);
        }
        // So that the next start has nothing to catch up; if it does not work it has.
        let _ = self.complete_rows();
        // Leaves one file behind instead of three.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Commits the group, waiting out a full disk; false if the process must end.
    fn commit_until_done(&mut self, group: &[Transaction]) -> bool {
        if group.is_empty() {
            return true;
        }
        loop {
            match self.commit(group) {
                Ok(()) => {
                    self.set_condition(StoreCondition::Good);
                    for transaction in group {
                        self.tell(Ack::Done { id: transaction.id, outcome: Outcome::Committed });
                    }
                    return true;
                }
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                    if self.ballast.release() {
                        continue;
                    }
                    self.set_condition(StoreCondition::Full);
                    if self.acks.is_closed() {
                        return false;
                    }
                    std::thread::sleep(RETRY);
                }
                Err(error) => {
                    let outcome = Outcome::Fatal(error.to_string());
                    for transaction in group {
                        self.tell(Ack::Done { id: transaction.id, outcome: outcome.clone() });
                    }
                    return false;
                }
            }
        }
    }

    fn tell(&self, ack: Ack) {
        // Nobody listens any more only while the daemon ends.
        let _ = self.acks.send(ack);
    }

    fn set_condition(&mut self, condition: StoreCondition) {
        if self.condition != condition {
            self.condition = condition;
            self.tell(Ack::Condition(condition));
        }
    }

    fn commit(&mut self, group: &[Transaction]) -> rusqlite::Result<()> {
        let result = self.commit_once(group);
        match result {
            Ok(()) => self.definitions.committed(),
            Err(_) => self.definitions.rolled_back(),
        }
        result
    }

    fn commit_once(&mut self, group: &[Transaction]) -> rusqlite::Result<()> {
        for change in group.iter().flat_map(|part| &part.changes) {
            self.behind.note(change);
        }
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut bodies = Bodies::default();
        for part in group {
            for change in &part.changes {
                let definition = self.definitions.store(&transaction, change)?;
                let body = transition::write(&transaction, change, definition)?;
                closed::keep(&transaction, change, &body)?;
                bodies.keep(change.sequence, body, definition);
            }
            for row in &part.hosts {
                write_host(&transaction, row)?;
            }
            write_act(&transaction, part)?;
        }
        let rows = self.behind.write_due(&transaction, &bodies, &self.definitions)?;
        transaction.commit()?;
        self.behind.written(rows);
        Ok(())
    }

    fn complete_rows(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let rows = self.behind.write_all(&transaction, &self.definitions)?;
        transaction.commit()?;
        self.behind.written(rows);
        Ok(())
    }

    fn checkpoint_sometimes(&mut self, changes: u64) {
        self.since_checkpoint += changes;
        if self.since_checkpoint >= CHECKPOINT_EVERY {
            self.since_checkpoint = 0;
            // What cannot be moved now is moved the next time.
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    fn prune_sometimes(&mut self, changes: u64) {
        self.since_prune += changes;
        if self.since_prune < PRUNE_EVERY {
            return;
        }
        self.since_prune = 0;
        let _ = self.ballast.fill();
        // Old rows that stay a while longer do no harm: the next round tries again.
        let _ = retention::prune(&mut self.connection, &Limits::default(), |oldest| self.reader.set_oldest(oldest));
        self.prunings += 1;
        if self.prunings.is_multiple_of(FORGET_EVERY) {
            let _ = retention::forget_definitions(&self.connection);
        }
    }
}

fn write_host(connection: &Connection, row: &HostRow) -> rusqlite::Result<()> {
    match row {
        HostRow::Put(registration) => connection
            .prepare_cached("INSERT INTO hosts (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = ?2")?
            .execute(params![registration.id.as_str(), json(registration)?])?,
        HostRow::Delete(host) => {
            connection.prepare_cached("DELETE FROM hosts WHERE id = ?1")?.execute([host.as_str()])?
        }
    };
    Ok(())
}

fn write_act(connection: &Connection, transaction: &Transaction) -> rusqlite::Result<()> {
    if let Some(request) = &transaction.request {
        connection
            .prepare_cached(
                "INSERT INTO requests (request_id, time, fingerprint, target) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (request_id) DO NOTHING",
            )?
            .execute(params![request.request_id, request.time.0, request.fingerprint, request.target])?;
    }
    for audit in &transaction.audit {
        connection
            .prepare_cached(
                "INSERT INTO audit (time, principal, method, target, outcome, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                audit.time.0,
                audit.actor.principal,
                audit.method,
                audit.target,
                audit.outcome,
                json(audit)?
            ])?;
    }
    Ok(())
}
