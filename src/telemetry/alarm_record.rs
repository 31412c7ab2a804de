//! Alarm changes as journal records of their own, in journald's native protocol.
//!
//! The journal crate of the log derives the priority from a log level and blocks; an alarm has a
//! priority of its own, and its sender waits, because it has a position and loses nothing.

use std::io;
use std::path::PathBuf;
use tokio::net::UnixDatagram;
use uuid::Uuid;

/// Where journald listens.
pub const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// Namespace of the message ids; never changes, so that `journalctl MESSAGE_ID=…` and catalogues last.
const MESSAGES: Uuid = Uuid::from_u128(0x6f0d_52a4_1e5b_4c55_9a3e_0b8c_57d1_c3e2);

/// Longest record: a socket takes about 200 KiB in one piece; a record is some kilobytes.
const RECORD: usize = 64 * 1_024;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRecord {
    /// For people.
    pub message: String,
    /// Id of the alarm's type.
    pub alarm_type: String,
    /// Priority of syslog, 0 to 7.
    pub priority: u8,
    /// Further fields by name.
    pub fields: Vec<(&'static str, String)>,
}

/// The message id of an alarm type: UUID version 5 of its id.
pub fn message_id(alarm_type: &str) -> Uuid {
    Uuid::new_v5(&MESSAGES, alarm_type.as_bytes())
}

impl AlarmRecord {
    /// The record in journald's native protocol.
    pub fn encode(&self) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(1_024);
        put(&mut datagram, "MESSAGE", &self.message);
        put(&mut datagram, "MESSAGE_ID", &message_id(&self.alarm_type).simple().to_string());
        put(&mut datagram, "PRIORITY", &self.priority.to_string());
        put(&mut datagram, "SYSLOG_IDENTIFIER", "vrmd");
        for (name, value) in &self.fields {
            // What is beyond the bound is left out; the record's identity comes first.
            if datagram.len() + name.len() + value.len() < RECORD {
                put(&mut datagram, name, value);
            }
        }
        datagram
    }
}

/// A field; a value of several lines is told with its length before it.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

/// The way to journald.
#[derive(Debug)]
pub struct JournalSocket {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl JournalSocket {
    /// A sender to the socket at a path; nothing is opened yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, socket: None }
    }

    /// Sends a record; waits while journald does not read.
    ///
    /// # Errors
    /// As the system reports them, e.g. while journald is away.
    pub async fn send(&mut self, record: &AlarmRecord) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => UnixDatagram::unbound()?,
        };
        socket.send_to(&record.encode(), &self.path).await?;
        self.socket = Some(socket);
        Ok(())
    }
}
