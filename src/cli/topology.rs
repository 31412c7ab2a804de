//! `get topology`: every object with its relations at one position, for programs and for a first look.

use super::args::Format;
use super::exit::{Exit, Failure};
use super::format::Cell;
use super::frame::Frame;
use super::output::{Row, Sheet, data, print};
use crate::client::schema;
use crate::wire::v1;

/// The word that asks for it.
const WORDS: [&str; 2] = ["topology", "topo"];

/// Columns of the table: one relation a line.
const HEADS: [&str; 3] = ["SOURCE", "RELATION", "TARGET"];

/// What `get`'s words ask for, if it is the topology: the name of the base object, or nothing for everything.
pub fn asked(words: &[String]) -> Option<Result<String, Failure>> {
    let (first, rest) = words.split_first()?;
    if !WORDS.contains(&first.to_ascii_lowercase().as_str()) {
        return None;
    }
    Some(match rest {
        [] => Ok(String::new()),
        [base] => Ok(base.clone()),
        _ => Err(Failure::usage("get topology takes one base object at most, by its resource name")
            .with_next("vrmctl get topology hosts/kvm-07")),
    })
}

/// Carries the command out.
///
/// # Errors
/// As the daemon answers.
pub async fn topology(frame: &Frame, base: &str) -> Result<Exit, Failure> {
    let client = frame.client().await?;
    let filter = frame.filter()?;
    let whole = client.topology(base, &filter).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    match frame.global.output {
        Format::Json | Format::Yaml | Format::Jsonl => {
            let document = schema::to_json("vrm.v1.ListManagedObjectsResponse", &whole);
            print(&data(&document, frame.global.output))?;
        }
        _ => show(frame, &whole)?,
    }
    Ok(Exit::Done)
}

fn show(frame: &Frame, whole: &v1::ListManagedObjectsResponse) -> Result<(), Failure> {
    let style = frame.style();
    let heads = HEADS.iter().map(|head| ((*head).to_owned(), false)).collect();
    let sheet = Sheet { heads, rows: whole.relations.iter().map(row).collect() };
    match frame.global.output {
        Format::Csv => print(&sheet.grid(&style)?.csv(frame.global.no_headers)),
        Format::Name => print(&whole.objects.iter().map(|object| format!("{}\n", object.name)).collect::<String>()),
        _ => print(&sheet.grid(&style)?.draw(&style, &[])),
    }
}

fn row(relation: &v1::ObjectRelation) -> Row {
    Row {
        context: None,
        name: relation.source.clone(),
        title: relation.source.clone(),
        json: serde_json::Value::Null,
        cells: vec![
            Cell::text(relation.source.clone()),
            Cell::text(word(relation.relation())),
            Cell::text(relation.target.clone()),
        ],
    }
}

/// The relation's own word, e.g. `runs_on`.
fn word(relation: v1::Relation) -> String {
    relation.as_str_name().trim_start_matches("RELATION_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_topology_is_asked_for_with_one_base_at_most() {
        assert!(asked(&words("vms")).is_none());
        assert!(asked(&[]).is_none());
        assert_eq!(asked(&words("topology")).map(Result::ok), Some(Some(String::new())));
        assert_eq!(asked(&words("topology hosts/a")).map(Result::ok), Some(Some("hosts/a".into())));
        assert!(asked(&words("topo hosts/a hosts/b")).is_some_and(|asked| asked.is_err()));
    }

    #[test]
    fn a_relation_is_a_line() {
        let relation = v1::ObjectRelation {
            source: "virtualMachines/u".into(),
            relation: v1::Relation::RunsOn.into(),
            target: "hosts/a".into(),
        };
        let cells: Vec<String> = row(&relation).cells.into_iter().map(|cell| cell.text).collect();
        assert_eq!(cells, ["virtualMachines/u", "runs_on", "hosts/a"]);
    }
}
