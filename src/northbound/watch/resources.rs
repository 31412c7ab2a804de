//! `WatchResources`: managed objects and their changes.

use super::choice::{mode_of_choice, resource_choice};
use super::options::{effective_options, subscription_options};
use super::payload::{Payload, Said, envelope};
use super::stream::{Answers, Opening, Watching};
use crate::changes::{Delivery, DeliveryKind, DeliveryMode};
use crate::model::ObjectClass;
use crate::northbound::auth::Caller;
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::object_filter;
use crate::northbound::published::Published;
use crate::wire::convert::{self, Detail};
use crate::wire::v1;

/// Managed objects on a stream.
#[derive(Debug)]
pub struct Resources;

/// A stream of managed objects.
pub type ResourceAnswers = Answers<v1::WatchResourcesResponse>;

impl Payload for Resources {
    type Change = v1::ResourceChange;
    type Response = v1::WatchResourcesResponse;
    const METHOD: &'static str = "vrm.v1.InventoryService/WatchResources";

    fn change(published: &Published, delivery: &Delivery) -> v1::ResourceChange {
        use v1::resource_change::Kind;
        let Delivery { kind, object, attributes, source, time, merged } = delivery;
        let kind = match kind {
            DeliveryKind::Snapshot => Kind::Snapshot,
            DeliveryKind::Created => Kind::Created,
            DeliveryKind::Changed if *merged > 0 => Kind::Merged,
            DeliveryKind::Changed => Kind::Changed,
            DeliveryKind::Removed => Kind::Removed,
        };
        let dn = &published.dn;
        let paths: Vec<String> = attributes.iter().map(|attribute| attribute.path.clone()).collect();
        v1::ResourceChange {
            kind: kind.into(),
            changed_fields: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
            attribute_changes: attributes.iter().map(convert::attribute_change).collect(),
            source: source.map(convert::change_source).unwrap_or_default(),
            event_time: Some(convert::timestamp(*time)),
            report_time: Some(convert::timestamp((published.now)())),
            time_received: true,
            object_class: convert::object_class(object.class()),
            object_dn: dn.dn(&object.name),
            merged_count: u32::try_from(*merged).unwrap_or(u32::MAX),
            resource: convert::resource(object, dn, Detail::Full).map(convert::to_change_resource),
        }
    }

    fn response(
        position: v1::StreamPosition,
        message_number: u64,
        said: Said<v1::ResourceChange>,
    ) -> v1::WatchResourcesResponse {
        envelope!(WatchResourcesResponse, v1::watch_resources_response::Message, position, message_number, said)
    }
}

impl Watching {
    /// Begins a stream of managed objects.
    ///
    /// # Errors
    /// `INVALID_FIELD`, `INVALID_FILTER`, and those of [`Watching::open`].
    pub fn resources(&self, caller: &Caller, request: v1::WatchResourcesRequest) -> Result<ResourceAnswers, Failure> {
        let classes = classes(&request.kinds)?;
        let options = request.options.unwrap_or_default();
        let mode = mode_of_choice(&request.notification_types, &options, DeliveryMode::State)?;
        let choice = resource_choice(&request.notification_types)?;
        let options = subscription_options(options, mode)?;
        let filter = object_filter(&request.filter, &classes)?;
        let effective = effective_options(&options);
        self.open::<Resources>(
            caller,
            Opening { classes, filter, filter_text: request.filter, kinds: request.kinds, options, effective, choice },
        )
    }
}

/// Classes from a request.
///
/// # Errors
/// `INVALID_FIELD` for a number that is no class.
pub fn classes(kinds: &[i32]) -> Result<Vec<ObjectClass>, Failure> {
    if kinds.len() > limits::REQUEST_ITEMS {
        return Err(Failure::field("kinds", format!("at most {}", limits::REQUEST_ITEMS)));
    }
    let class = |kind: &i32| v1::ObjectClass::try_from(*kind).ok().and_then(convert::class_from);
    kinds.iter().map(|kind| class(kind).ok_or_else(|| Failure::field("kinds", format!("{kind} is no class")))).collect()
}
