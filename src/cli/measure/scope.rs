//! Objects of measurements as people name them.

use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{Lookup, find};
use crate::cli::kind::{Kind, parse_requests};
use crate::client::{Client, ObjectExt, class_of_name};
use crate::model::name::decode;

/// Resource names of the objects typed; names of parts are taken as they are.
///
/// # Errors
/// Wrong use; a name that means nothing or too much; a failed call.
pub async fn names(client: &Client, typed: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for word in typed {
        names.push(name(client, word).await?);
    }
    Ok(names)
}

async fn name(client: &Client, word: &str) -> Result<String, Failure> {
    let is_part = word.split('/').count() > 3 && class_of_name(word).is_none();
    if is_part || matches!(word, "cluster" | "vrm") {
        return Ok(word.to_owned());
    }
    let requests = parse_requests(&[word.to_owned()], &mut Vec::new)?;
    let Some((request, Kind::Object(class))) = requests.first().map(|request| (request, request.kind)) else {
        return Err(Failure::usage(format!("{word}: name an object as KIND/NAME")));
    };
    if request.names.is_empty() {
        return Err(Failure::usage(format!("{word}: name an object as KIND/NAME")));
    }
    let found = find(client, class, &request.names, &Lookup { prefixes: true, ..Lookup::default() }).await?;
    match (found.list.objects.first(), found.failures.into_iter().next()) {
        (Some(object), None) => Ok(object.name().to_owned()),
        (_, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::new(Exit::NotFound, format!("{word} not found"))),
    }
}

/// An object with what people call it: `web-1`, or `web-1 disks/vda` for a part.
pub fn called(object: &str, label: &str) -> String {
    let own = if label.is_empty() { id(object) } else { label };
    let part = class_of_name(object).is_none().then(|| part_of(object)).flatten();
    part.map_or_else(|| own.to_owned(), |part| format!("{own} {part}"))
}

/// The last segment of a resource name.
pub fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn part_of(object: &str) -> Option<String> {
    let mut segments = object.splitn(3, '/');
    let part = segments.nth(2)?;
    Some(decode(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_called_by_their_owner_and_kind() {
        let machine = "virtualMachines/00000000-0000-0000-0000-000000000001";
        assert_eq!(called(machine, "web-1"), "web-1");
        assert_eq!(called(&format!("{machine}/disks/vda"), "web-1"), "web-1 disks/vda");
        assert_eq!(called("hosts/a/filesystems/%2Fvar", "a"), "a filesystems//var");
        assert_eq!(called("hosts/gone", ""), "gone");
    }
}
