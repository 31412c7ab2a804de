//! Opening `journal.db` and reading what it knew.

use super::aside::{self, FILE};
use super::behind::{self, Behind, Tenant};
use super::definitions::{self, Definitions};
use super::error::StoreError;
use super::reader::JournalReader;
use super::row::set_meta;
use super::schema;
use super::space::Ballast;
use super::transaction::{Ack, RequestRow};
use super::transition;
use super::writer::{self, StoreHandle};
use crate::model::object::Tombstone;
use crate::model::registration::HostRegistration;
use crate::model::{ChangeKind, Object, Timestamp};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// SQLite before this has a WAL-reset fault (reference/reliability.md 5).
const NEEDED_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// What to open.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Directory that holds the database.
    pub directory: PathBuf,
    /// Identity of the VRM for a new store.
    pub vrm_id: String,
}

/// What the store knew.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Identity of the log.
    pub epoch: String,
    /// Id of the VRM, fixed at first start.
    pub vrm_id: String,
    /// Last sequence.
    pub head: u64,
    /// What exists.
    pub objects: Vec<Arc<Object>>,
    /// What is gone and remembered.
    pub tombstones: Vec<Tombstone>,
    /// Highest sequence of a forgotten tombstone.
    pub forgotten: u64,
    /// Hosts registered through the API.
    pub hosts: Vec<HostRegistration>,
    /// Request ids still remembered.
    pub requests: Vec<RequestRow>,
    /// True for a store that was made just now.
    pub fresh: bool,
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    /// Way to the writer.
    pub store: StoreHandle,
    /// Reader of old transitions.
    pub reader: Arc<JournalReader>,
    /// Acknowledgements, in order.
    pub acks: mpsc::UnboundedReceiver<Ack>,
}

impl Journal {
    /// Opens or makes the journal, loads it and starts its writer thread. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError`]: exit code 78, except [`StoreError::Io`].
    pub fn open(options: &OpenOptions) -> Result<(Self, Loaded), StoreError> {
        if rusqlite::version_number() < NEEDED_SQLITE.0 {
            return Err(StoreError::OldSqlite { found: rusqlite::version(), needed: NEEDED_SQLITE.1 });
        }
        std::fs::create_dir_all(&options.directory)
            .map_err(|source| StoreError::Io { path: options.directory.clone(), source })?;
        let path = options.directory.join(FILE);
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let mut connection = Connection::open(&path).map_err(unreadable)?;
        schema::configure_writer(&connection).map_err(unreadable)?;
        let found = schema::version(&connection).map_err(unreadable)?;
        if found > schema::VERSION {
            return Err(StoreError::Newer { path, found, known: schema::VERSION });
        }
        if found > 0 && found < schema::VERSION {
            aside::keep_copy(&connection, &options.directory, schema::VERSION)?;
        }
        schema::migrate(&mut connection, found, schema::VERSION).map_err(unreadable)?;
        let (loaded, kept) = load(&connection, &path, options)?;
        let readable = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read_connection = Connection::open_with_flags(&path, readable).map_err(unreadable)?;
        let reader = Arc::new(JournalReader::new(read_connection).map_err(unreadable)?);
        let (ack, acks) = mpsc::unbounded_channel();
        let ballast = Ballast::of(&options.directory);
        let store = writer::start(connection, kept, ballast, ack, Arc::clone(&reader))
            .map_err(|source| StoreError::Io { path: options.directory.clone(), source })?;
        Ok((Self { store, reader, acks }, loaded))
    }
}

fn load(
    connection: &Connection,
    path: &Path,
    options: &OpenOptions,
) -> Result<(Loaded, (Behind, Definitions)), StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let mut loaded = Loaded::default();
    match meta(connection, "epoch").map_err(unreadable)? {
        Some(epoch) => loaded.epoch = epoch,
        None => {
            loaded.fresh = true;
            loaded.epoch = uuid::Uuid::new_v4().simple().to_string();
            set_meta(connection, "epoch", &loaded.epoch).map_err(unreadable)?;
            set_meta(connection, "vrm_id", &options.vrm_id).map_err(unreadable)?;
        }
    }
    loaded.vrm_id = meta(connection, "vrm_id").map_err(unreadable)?.unwrap_or_else(|| options.vrm_id.clone());
    loaded.forgotten =
        meta(connection, "forgotten").map_err(unreadable)?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut definitions = Definitions::default();
    let behind = load_behind(connection, path, &mut definitions)?;
    load_objects(connection, path, &behind, &mut definitions, &mut loaded)?;
    load_hosts(connection, path, &mut loaded)?;
    loaded.requests = load_requests(connection).map_err(unreadable)?;
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(sequence), 0) FROM transitions", [], |row| row.get(0))
        .map_err(unreadable)?;
    loaded.head = loaded.head.max(u64::try_from(newest).unwrap_or(0));
    Ok((loaded, (behind, definitions)))
}

/// The changes that the rows of objects lack.
fn load_behind(connection: &Connection, path: &Path, definitions: &mut Definitions) -> Result<Behind, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let mut changes = Vec::new();
    if let Some(until) = behind::remembered(connection).map_err(unreadable)? {
        for row in transition::last_after(connection, until).map_err(unreadable)? {
            let what = format!("transition {}", row.sequence());
            let definition = row.definition();
            let change = row.parse().map_err(|error| StoreError::Damaged {
                path: path.to_owned(),
                what,
                reason: error.to_string(),
            })?;
            if change.kind != ChangeKind::Removed {
                definitions.loaded(&change.object, definition);
            }
            changes.push(change);
        }
    }
    Behind::of(connection, &changes).map_err(unreadable)
}

fn load_objects(
    connection: &Connection,
    path: &Path,
    behind: &Behind,
    definitions: &mut Definitions,
    loaded: &mut Loaded,
) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let query = "SELECT objects.name, removed_time, objects.body, definition, definitions.body FROM objects
                 LEFT JOIN definitions ON definitions.id = definition ORDER BY objects.name";
    let mut statement = connection.prepare(query).map_err(unreadable)?;
    let mut rows = statement.query([]).map_err(unreadable)?;
    while let Some(row) = rows.next().map_err(unreadable)? {
        let name: String = row.get(0).map_err(unreadable)?;
        if behind.holds(&name) {
            continue;
        }
        let removed: Option<i64> = row.get(1).map_err(unreadable)?;
        let body: String = row.get(2).map_err(unreadable)?;
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            path: path.to_owned(),
            what: format!("object {name}"),
            reason: error.to_string(),
        };
        if removed.is_some() {
            let tombstone: Tombstone = serde_json::from_str(&body).map_err(damaged)?;
            loaded.head = loaded.head.max(tombstone.last_change_sequence);
            loaded.tombstones.push(tombstone);
        } else {
            let definition: Option<String> = row.get(4).map_err(unreadable)?;
            let object = definitions::object(&body, definition.as_deref()).map_err(damaged)?;
            definitions.loaded(&object, row.get(3).map_err(unreadable)?);
            loaded.head = loaded.head.max(object.last_change_sequence);
            loaded.objects.push(Arc::new(object));
        }
    }
    for tenant in behind.tenants() {
        match tenant {
            Tenant::Live(object) => loaded.objects.push(Arc::clone(object)),
            Tenant::Gone(tombstone) => loaded.tombstones.push(Tombstone::clone(tombstone)),
        }
    }
    Ok(())
}

fn load_hosts(connection: &Connection, path: &Path, loaded: &mut Loaded) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let mut statement = connection.prepare("SELECT id, body FROM hosts ORDER BY id").map_err(unreadable)?;
    let mut rows = statement.query([]).map_err(unreadable)?;
    while let Some(row) = rows.next().map_err(unreadable)? {
        let id: String = row.get(0).map_err(unreadable)?;
        let body: String = row.get(1).map_err(unreadable)?;
        let registration = serde_json::from_str(&body).map_err(|error| StoreError::Damaged {
            path: path.to_owned(),
            what: format!("host {id}"),
            reason: error.to_string(),
        })?;
        loaded.hosts.push(registration);
    }
    Ok(())
}

fn load_requests(connection: &Connection) -> rusqlite::Result<Vec<RequestRow>> {
    let mut statement =
        connection.prepare("SELECT request_id, time, fingerprint, target FROM requests ORDER BY time")?;
    let rows = statement.query_map([], |row| {
        Ok(RequestRow {
            request_id: row.get(0)?,
            time: Timestamp(row.get(1)?),
            fingerprint: row.get(2)?,
            target: row.get(3)?,
        })
    })?;
    rows.collect()
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}
