//! Shelves and profiles: rules about alarms.

use super::reader::Alarms;
use super::refusal::only;
use crate::engine::CommandContext;
use crate::model::alarm::limits as bounds;
use crate::model::alarm_command::AlarmCommand;
use crate::model::annotation::limits as label_bounds;
use crate::model::{Body, Name, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::request::{mask_paths, name_of_class, time};
use crate::wire::convert;
use crate::wire::v1;
use std::sync::Arc;

/// A page of rules.
pub(super) struct Page {
    pub(super) objects: Vec<Arc<Object>>,
    pub(super) next_page_token: String,
    pub(super) total_size: i32,
}

impl Alarms {
    /// Rules of a class in the order in which they are tried.
    pub(super) fn rules(&self, class: ObjectClass, arguments: PageArguments<'_>) -> Result<Page, Failure> {
        let start = PageStart::new(&self.published, arguments, &["rules", class.as_str()])?;
        let mut all: Vec<((String, String), Arc<Object>)> =
            self.published.log.all(class).into_iter().map(keyed).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let total_size = i32::try_from(all.len()).unwrap_or(i32::MAX);
        let mut left = all.into_iter().filter(|(key, _)| start.after.as_ref().is_none_or(|after| key > after));
        let page: Vec<_> = left.by_ref().take(start.size).collect();
        let next_page_token = match (left.next(), page.last()) {
            (Some(_), Some(((order, name), _))) => start.next_token(order.clone(), name.clone()),
            _ => String::new(),
        };
        Ok(Page { objects: page.into_iter().map(|(_, object)| object).collect(), next_page_token, total_size })
    }

    pub(super) async fn put_shelf(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        shelf: v1::AlarmShelf,
    ) -> Result<v1::AlarmShelf, Failure> {
        check_match("alarm_shelf.matches", shelf.matches.as_ref())?;
        time("alarm_shelf.expire_time", shelf.expire_time)?;
        check_text("alarm_shelf.reason", &shelf.reason)?;
        let asked = shelf.clone();
        let command =
            AlarmCommand::PutShelf { name: name.clone(), create, shelf: Box::new(convert::shelf_from(shelf)) };
        let put = only(self.engine.alarms(context, command).await?)?;
        // With validate_only nothing came to be: what would be is shown.
        Ok(put
            .and_then(|object| convert::alarm_shelf(&object))
            .unwrap_or(v1::AlarmShelf { name: name.to_string(), ..asked }))
    }

    pub(super) async fn put_profile(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        profile: v1::AlarmProfile,
    ) -> Result<v1::AlarmProfile, Failure> {
        check_match("alarm_profile.matches", profile.matches.as_ref())?;
        check_grades(&profile)?;
        let asked = profile.clone();
        let profile = Box::new(convert::profile_from_request(profile));
        let command = AlarmCommand::PutProfile { name: name.clone(), create, profile };
        let put = only(self.engine.alarms(context, command).await?)?;
        Ok(put
            .and_then(|object| convert::alarm_profile(&object))
            .unwrap_or(v1::AlarmProfile { name: name.to_string(), ..asked }))
    }

    /// A rule that is to be changed as it is now.
    pub(super) fn present(&self, class: ObjectClass, field: &str, name: &str) -> Result<Arc<Object>, Failure> {
        let name = name_of_class(field, name, class)?;
        self.published.log.get(name.as_str()).ok_or_else(|| Failure::not_found(Some(class), name.as_str()))
    }
}

/// Puts the fields of the mask into the present shelf; an empty mask means all of them.
pub(super) fn merged_shelf(
    present: &Object,
    wanted: v1::AlarmShelf,
    mask: Option<&prost_types::FieldMask>,
) -> Result<v1::AlarmShelf, Failure> {
    let Some(mut shelf) = convert::alarm_shelf(present) else { return Ok(wanted) };
    for path in mask_paths(mask, &["order", "matches", "reason", "expire_time"])? {
        match path {
            "order" => shelf.order = wanted.order,
            "matches" => shelf.matches.clone_from(&wanted.matches),
            "reason" => shelf.reason.clone_from(&wanted.reason),
            _ => shelf.expire_time = wanted.expire_time,
        }
    }
    Ok(shelf)
}

/// The same for profiles.
pub(super) fn merged_profile(
    present: &Object,
    wanted: v1::AlarmProfile,
    mask: Option<&prost_types::FieldMask>,
) -> Result<v1::AlarmProfile, Failure> {
    let Some(mut profile) = convert::alarm_profile(present) else { return Ok(wanted) };
    let fields = ["order", "matches", "severity", "hold_on_seconds", "hold_off_seconds", "thresholds", "off"];
    for path in mask_paths(mask, &fields)? {
        match path {
            "order" => profile.order = wanted.order,
            "matches" => profile.matches.clone_from(&wanted.matches),
            "severity" => profile.severity.clone_from(&wanted.severity),
            "hold_on_seconds" => profile.hold_on_seconds = wanted.hold_on_seconds,
            "hold_off_seconds" => profile.hold_off_seconds = wanted.hold_off_seconds,
            "thresholds" => profile.thresholds.clone_from(&wanted.thresholds),
            _ => profile.off = wanted.off,
        }
    }
    Ok(profile)
}

/// A text that sorts as rules are tried, and the name.
fn keyed(object: Arc<Object>) -> ((String, String), Arc<Object>) {
    let order = match &object.body {
        Body::AlarmShelf(shelf) => shelf.order,
        Body::AlarmProfile(profile) => profile.order,
        _ => 0,
    };
    ((format!("{order:010}"), object.name.to_string()), object)
}

/// The bounds of a request; what the rule means is the engine's business.
fn check_match(field: &str, matches: Option<&v1::AlarmMatch>) -> Result<(), Failure> {
    let Some(matches) = matches else { return Err(Failure::field(field, "is required")) };
    if matches.alarm_types.len() > limits::REQUEST_ITEMS || matches.labels.len() > label_bounds::LABELS {
        let text = format!("at most {} alarm types and {} labels", limits::REQUEST_ITEMS, label_bounds::LABELS);
        return Err(Failure::field(field, text));
    }
    let labels = matches.labels.iter().flat_map(|(key, value)| [key, value]);
    let texts = [&matches.object_pattern, &matches.host, &matches.resource_group];
    let mut all = matches.alarm_types.iter().chain(labels).chain(texts);
    if all.any(|text| text.len() > limits::IDENTIFIER || text.chars().any(char::is_control)) {
        return Err(Failure::field(field, "a text is too long or holds control characters"));
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), Failure> {
    if text.chars().count() > bounds::TEXT {
        return Err(Failure::field(field, format!("at most {} characters", bounds::TEXT)));
    }
    Ok(())
}

fn check_grades(profile: &v1::AlarmProfile) -> Result<(), Failure> {
    let severity = |number: i32| v1::Severity::try_from(number).ok().and_then(convert::severity_from);
    let mut seen = std::collections::BTreeSet::new();
    for grade in &profile.severity {
        let (Some(from), Some(_)) = (severity(grade.from), severity(grade.to)) else {
            return Err(Failure::field("alarm_profile.severity", "both from and to must be severities"));
        };
        if !seen.insert(from) {
            let text = format!("{} stands in it twice", from.as_str());
            return Err(Failure::field("alarm_profile.severity", text));
        }
    }
    if profile.thresholds.len() > limits::REQUEST_ITEMS {
        return Err(Failure::field("alarm_profile.thresholds", format!("at most {}", limits::REQUEST_ITEMS)));
    }
    Ok(())
}
