//! What was measured: interned names, and what people called it last. Gone objects stay until their history is gone.

use super::key::{LAST_GRANULARITY, LAST_OBJECT};
use crate::model::measurement::MeasuredKey;
use crate::model::{Name, Timestamp};
use crate::store::row::json;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};

/// What people know of a managed object; parts share what their owner has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeasuredFacts {
    /// Its name.
    pub name: Name,
    /// The name people know it by.
    pub display_name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Cloud services it supports.
    pub services: Vec<String>,
    /// Host it is on; nothing for what is on none.
    pub host: Option<Name>,
    /// When it was found gone; nothing while it exists.
    pub gone: Option<Timestamp>,
}

/// An object with history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredObject {
    /// What was measured.
    pub key: MeasuredKey,
    /// What is known of it, or of what it is a part of.
    pub facts: MeasuredFacts,
}

/// Numbers of objects and granularities, remembered.
#[derive(Debug, Default)]
pub(super) struct Interned {
    objects: HashMap<MeasuredKey, i64>,
    granularities: HashMap<u32, i64>,
}

impl Interned {
    /// Forgets everything, after a transaction that did not take place.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The number of an object, given now if it has none.
    pub(super) fn object(&mut self, connection: &Connection, key: &MeasuredKey) -> rusqlite::Result<i64> {
        if let Some(known) = self.objects.get(key) {
            return Ok(*known);
        }
        let id = put(connection, &key.name(), &class_word(key), &key.owner.name())?;
        self.objects.insert(key.clone(), id);
        Ok(id)
    }

    /// The number of a granularity, given now if it has none.
    pub(super) fn granularity(&mut self, connection: &Connection, seconds: u32) -> rusqlite::Result<i64> {
        if let Some(known) = self.granularities.get(&seconds) {
            return Ok(*known);
        }
        connection.execute("INSERT INTO granularities (seconds) VALUES (?1) ON CONFLICT DO NOTHING", [seconds])?;
        let id = granularity(connection, seconds)?.filter(|id| *id <= LAST_GRANULARITY);
        let id = id.ok_or(rusqlite::Error::IntegralValueOutOfRange(0, LAST_GRANULARITY + 1))?;
        self.granularities.insert(seconds, id);
        Ok(id)
    }
}

/// The number of a granularity, if anything of it was ever stored.
pub(super) fn granularity(connection: &Connection, seconds: u32) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM granularities WHERE seconds = ?1")?;
    statement.query_row([seconds], |row| row.get(0)).optional()
}

/// Every granularity: number and seconds.
pub(super) fn granularities(connection: &Connection) -> rusqlite::Result<Vec<(i64, u32)>> {
    let mut statement = connection.prepare_cached("SELECT id, seconds FROM granularities ORDER BY seconds")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The number of an object, if it is known.
pub(super) fn object(connection: &Connection, name: &Name) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM objects WHERE name = ?1")?;
    statement.query_row([name.as_str()], |row| row.get(0)).optional()
}

fn class_word(key: &MeasuredKey) -> String {
    key.class().map_or_else(String::new, |class| format!("{class:?}"))
}

fn put(connection: &Connection, name: &Name, class: &str, owner: &Name) -> rusqlite::Result<i64> {
    if let Some(id) = object(connection, name)? {
        return Ok(id);
    }
    // A part that appears later shows what is known of its owner.
    connection
        .prepare_cached(
            "INSERT INTO objects (name, class, owner, display, labels, services, host, gone)
             SELECT ?1, ?2, ?3, coalesce(max(display), ''), coalesce(max(labels), '{}'),
                 coalesce(max(services), '[]'), coalesce(max(host), ''), max(gone) FROM objects WHERE name = ?3",
        )?
        .execute([name.as_str(), class, owner.as_str()])?;
    let id = connection.last_insert_rowid();
    if id > LAST_OBJECT {
        return Err(rusqlite::Error::IntegralValueOutOfRange(0, id));
    }
    Ok(id)
}

/// Writes what is known of an object, for it and its parts.
pub(super) fn describe(connection: &Connection, facts: &MeasuredFacts) -> rusqlite::Result<()> {
    let Some(key) = MeasuredKey::of_name(&facts.name) else { return Ok(()) };
    put(connection, &facts.name, &class_word(&key), &key.owner.name())?;
    connection
        .prepare_cached(
            "UPDATE objects SET display = ?2, labels = ?3, services = ?4, host = ?5, gone = ?6 WHERE owner = ?1",
        )?
        .execute(params![
            facts.name.as_str(),
            facts.display_name,
            json(&facts.labels)?,
            json(&facts.services)?,
            facts.host.as_ref().map_or("", Name::as_str),
            facts.gone.map(|time| time.0),
        ])?;
    Ok(())
}

/// Objects of a class, by name.
pub(super) fn of_class(connection: &Connection, class: &str, gone_too: bool) -> rusqlite::Result<Vec<MeasuredObject>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, owner, display, labels, services, host, gone FROM objects
         WHERE class = ?1 AND (?2 OR gone IS NULL) ORDER BY name",
    )?;
    let rows = statement.query_map(params![class, gone_too], |row| {
        let host: String = row.get(5)?;
        let facts = MeasuredFacts {
            name: Name::new(row.get::<_, String>(1)?),
            display_name: row.get(2)?,
            labels: serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default(),
            services: serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default(),
            host: Some(host).filter(|host| !host.is_empty()).map(Name::new),
            gone: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        };
        Ok((row.get::<_, String>(0)?, facts))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (name, facts) = row?;
        // A name of a class that a later version measures is passed over.
        if let Some(key) = MeasuredKey::of_name(&Name::new(name)) {
            found.push(MeasuredObject { key, facts });
        }
    }
    Ok(found)
}
