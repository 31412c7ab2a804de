//! Definitions of machines, kept apart from the states they are parts of.
//!
//! Most changes of a machine leave its definition as it was, and the definition is most of what is stored of a
//! machine. So it is written once, under the sequence of the change that brought it, and rows of states refer to it. A row
//! without a reference holds its object whole.

use super::row::json;
use super::row::signed;
use crate::model::virtual_machine::VmDefinition;
use crate::model::{Body, Change, ChangeKind, Name, Object};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::sync::Arc;

/// A definition that is stored.
#[derive(Clone, Debug)]
struct Stored {
    definition: Arc<VmDefinition>,
    id: i64,
}

/// The definition stored last of each machine that exists.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    stored: HashMap<Name, Stored>,
    /// What to return to if the commit fails: what was there before, latest last.
    undo: Vec<(Name, Option<Stored>)>,
}

impl Definitions {
    /// A machine was loaded whose row refers to a definition.
    pub(super) fn loaded(&mut self, object: &Object, id: Option<i64>) {
        if let (Some(definition), Some(id)) = (definition_of(object), id) {
            self.stored.insert(object.name.clone(), Stored { definition: Arc::clone(definition), id });
        }
    }

    /// The definition that the row of a change refers to; it is stored if it is another one than before.
    pub(super) fn store(&mut self, connection: &Connection, change: &Change) -> rusqlite::Result<Option<i64>> {
        let Some(definition) = definition_of(&change.object) else { return Ok(None) };
        let known = self.of(&change.object);
        if change.kind == ChangeKind::Removed {
            self.put(&change.name, None);
            return Ok(known);
        }
        if let Some(id) = known {
            return Ok(Some(id));
        }
        let id = signed(change.sequence);
        connection.prepare_cached("INSERT INTO definitions (id, name, body) VALUES (?1, ?2, ?3)")?.execute(params![
            id,
            change.name.as_str(),
            json(&**definition)?
        ])?;
        self.put(&change.name, Some(Stored { definition: Arc::clone(definition), id }));
        Ok(Some(id))
    }

    /// The stored definition of an object, if it is the one the object has.
    pub(super) fn of(&self, object: &Object) -> Option<i64> {
        let definition = definition_of(object)?;
        let stored = self.stored.get(&object.name)?;
        let same = Arc::ptr_eq(&stored.definition, definition) || stored.definition == *definition;
        same.then_some(stored.id)
    }

    fn put(&mut self, name: &Name, stored: Option<Stored>) {
        let before = match stored {
            Some(stored) => self.stored.insert(name.clone(), stored),
            None => self.stored.remove(name),
        };
        self.undo.push((name.clone(), before));
    }

    /// What was stored is durable.
    pub(super) fn committed(&mut self) {
        self.undo.clear();
    }

    /// What was stored since the last commit is not.
    pub(super) fn rolled_back(&mut self) {
        while let Some((name, before)) = self.undo.pop() {
            match before {
                Some(stored) => drop(self.stored.insert(name, stored)),
                None => drop(self.stored.remove(&name)),
            }
        }
    }
}

fn definition_of(object: &Object) -> Option<&Arc<VmDefinition>> {
    match &object.body {
        Body::VirtualMachine(vm) => Some(&vm.definition),
        _ => None,
    }
}

/// JSON of an object; without its definition, if its row refers to that.
pub(super) fn body(object: &Object, definition: Option<i64>) -> rusqlite::Result<String> {
    let (Some(_), Body::VirtualMachine(vm)) = (definition, &object.body) else { return json(object) };
    let mut vm = vm.clone();
    vm.definition = VmDefinition::apart();
    json(&Object {
        name: object.name.clone(),
        state: object.state.clone(),
        annotations: object.annotations.clone(),
        body: Body::VirtualMachine(vm),
        ..*object
    })
}

/// An object from its row: JSON, and that of the definition it refers to.
pub(super) fn object(body: &str, definition: Option<&str>) -> Result<Object, serde_json::Error> {
    let mut object: Object = serde_json::from_str(body)?;
    if let (Some(definition), Body::VirtualMachine(vm)) = (definition, &mut object.body) {
        vm.definition = Arc::new(serde_json::from_str(definition)?);
    }
    Ok(object)
}

/// Deletes definitions that no transition after `until` and no object refers to. `complete`: no row of an object waits
/// to be written, so that what has none does not exist.
pub(super) fn forget(connection: &Connection, until: u64, complete: bool) -> rusqlite::Result<()> {
    // By number and name alone, which the index holds: the rows are big.
    connection.execute(
        "DELETE FROM definitions WHERE id IN (
             SELECT this.id FROM definitions AS this INDEXED BY definitions_by_name
             LEFT JOIN objects ON objects.name = this.name
             WHERE this.id <= ?1 AND (
                 EXISTS (SELECT 1 FROM definitions AS next
                         WHERE next.name = this.name AND next.id > this.id AND next.id <= ?1)
                 OR (objects.removed_time IS NOT NULL AND objects.last_sequence <= ?1)
                 OR (objects.id IS NULL AND ?2)))",
        params![signed(until), complete],
    )?;
    Ok(())
}
