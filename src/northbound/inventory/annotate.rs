//! What people say about objects: labels, user label, service references, expectation.

use super::reader::Inventory;
use crate::engine::{AnnotationPatch, CommandContext};
use crate::model::annotation::limits as bounds;
use crate::model::{Name, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::request::any_name;
use crate::wire::convert::{self, Detail, managed_object};
use crate::wire::v1;

impl Inventory {
    pub(super) async fn annotate(
        &self,
        context: CommandContext,
        request: v1::UpdateAnnotationsRequest,
    ) -> Result<v1::ManagedObject, Failure> {
        let name = any_name("name", &request.name)?;
        check(&request)?;
        let answer = self.engine.annotate(context, name, patch(request)).await;
        answer.map(|object| self.shown(&object)).map_err(Failure::from)
    }

    pub(super) async fn expect(
        &self,
        context: CommandContext,
        request: &v1::SetExpectationRequest,
    ) -> Result<v1::ManagedObject, Failure> {
        let name: Name = any_name("name", &request.name)?;
        if !matches!(name.class(), Some(ObjectClass::VirtualMachine | ObjectClass::StoragePool | ObjectClass::Network))
        {
            return Err(Failure::field(
                "name",
                "only virtual machines, storage pools and networks have an expectation",
            ));
        }
        let expectation = v1::Expectation::try_from(request.expectation)
            .map_err(|_| Failure::field("expectation", "no such expectation"))?;
        let answer = self.engine.expect(context, name, convert::expectation_from(expectation)).await;
        answer.map(|object| self.shown(&object)).map_err(Failure::from)
    }

    fn shown(&self, object: &Object) -> v1::ManagedObject {
        managed_object(object, &self.published.dn, Detail::Full)
    }
}

fn patch(request: v1::UpdateAnnotationsRequest) -> AnnotationPatch {
    let set = request.set_labels.into_iter().map(|(key, value)| (key, Some(value)));
    let remove = request.remove_labels.into_iter().map(|key| (key, None));
    AnnotationPatch {
        labels: remove.chain(set).collect(),
        replace_labels: false,
        user_label: request.user_label,
        service_refs: None,
        add_service_refs: request.add_service_refs,
        remove_service_refs: request.remove_service_refs,
    }
}

/// The bounds of one request; those of the object are the engine's.
fn check(request: &v1::UpdateAnnotationsRequest) -> Result<(), Failure> {
    check_labels("set_labels", request.set_labels.iter())?;
    if request.remove_labels.len() > bounds::LABELS {
        return Err(Failure::field("remove_labels", format!("at most {}", bounds::LABELS)));
    }
    if let Some(key) = request.remove_labels.iter().find(|key| request.set_labels.contains_key(*key)) {
        return Err(Failure::field("remove_labels", format!("{key} is set by the same request")));
    }
    if let Some(user_label) = &request.user_label {
        let is_long = user_label.chars().count() > bounds::USER_LABEL;
        if is_long || user_label.chars().any(char::is_control) {
            let text = format!("at most {} characters, no control characters", bounds::USER_LABEL);
            return Err(Failure::field("user_label", text));
        }
    }
    for (field, refs) in
        [("add_service_refs", &request.add_service_refs), ("remove_service_refs", &request.remove_service_refs)]
    {
        let is_bad =
            |text: &String| text.is_empty() || text.len() > bounds::SERVICE_REF || text.chars().any(char::is_control);
        if refs.len() > bounds::SERVICE_REFS || refs.iter().any(is_bad) {
            let text = format!("at most {} of 1 to {} bytes", bounds::SERVICE_REFS, bounds::SERVICE_REF);
            return Err(Failure::field(field, text));
        }
    }
    Ok(())
}

/// Checks labels of a request.
///
/// # Errors
/// `INVALID_FIELD` naming the field.
pub(in crate::northbound) fn check_labels<'a>(
    field: &str,
    labels: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> Result<(), Failure> {
    if labels.len() > bounds::LABELS {
        return Err(Failure::field(field, format!("at most {}", bounds::LABELS)));
    }
    let is_key = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/');
    for (key, value) in labels {
        if key.is_empty() || key.len() > bounds::LABEL_KEY || !key.chars().all(is_key) {
            let text = format!("{key:?} is no key: 1 to {} letters, digits and . _ - /", bounds::LABEL_KEY);
            return Err(Failure::field(field, text));
        }
        if value.len() > bounds::LABEL_VALUE || value.chars().any(char::is_control) {
            let text = format!("value of {key}: at most {} bytes, no control characters", bounds::LABEL_VALUE);
            return Err(Failure::field(field, text));
        }
    }
    Ok(())
}
