//! Which objects and metrics a request means.

use super::names::{check_metrics, measured_name, root_name};
use super::port::MetricDescription;
use crate::model::measurement::{LatestReading, MeasuredKey, MeasurementScope, Owner, Part};
use crate::model::metric::{MeasuredClass, Metric};
use crate::model::{Name, Object, ObjectClass, Timestamp};
use crate::northbound::failure::Failure;
use crate::northbound::filter::Filter;
use crate::northbound::limits;
use crate::northbound::listing::object_filter;
use crate::northbound::published::Published;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Objects and metrics.
#[derive(Debug)]
pub(super) struct Selection {
    /// Metrics in catalogue order.
    pub(super) metrics: BTreeSet<Metric>,
    classes: Vec<ObjectClass>,
    /// Owners named; of each the parts named, or all of them.
    named: BTreeMap<Name, Option<BTreeSet<Part>>>,
    roots: Vec<Name>,
    filter: Filter<Object>,
}

/// A managed object that is measured.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    pub(super) name: Name,
    pub(super) owner: Owner,
    /// The name people know it by; empty for one that is gone.
    pub(super) label: String,
}

/// What a request says about objects and metrics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) objects: &'a [String],
    pub(super) roots: &'a [String],
    pub(super) filter: &'a str,
    pub(super) metrics: &'a [String],
}

impl Selection {
    /// Understands a request.
    ///
    /// # Errors
    /// `INVALID_FIELD`, `INVALID_FILTER`, `…_NOT_FOUND` of a root.
    pub(super) fn new(
        published: &Published,
        descriptions: &[MetricDescription],
        asked: Asked<'_>,
    ) -> Result<Self, Failure> {
        let metrics = check_metrics("metrics", asked.metrics)?;
        let metrics = if metrics.is_empty() { core_metrics(descriptions) } else { metrics };
        let classes = owner_classes(&metrics);
        if asked.objects.len() > limits::BATCH || asked.roots.len() > limits::REQUEST_ITEMS {
            let text = format!("at most {} objects and {} roots", limits::BATCH, limits::REQUEST_ITEMS);
            return Err(Failure::field("objects", text));
        }
        let mut named: BTreeMap<Name, Option<BTreeSet<Part>>> = BTreeMap::new();
        for text in asked.objects {
            let MeasuredKey { owner, part } = measured_name("objects", text)?;
            let parts = named.entry(owner.name()).or_insert_with(|| Some(BTreeSet::new()));
            match part {
                // The object stands for all its parts.
                Part::Whole => *parts = None,
                part => {
                    if let Some(parts) = parts {
                        parts.insert(part);
                    }
                }
            }
        }
        let roots = asked.roots.iter().map(|root| root_name(published, "roots", root)).collect::<Result<_, _>>()?;
        let filter = object_filter(asked.filter, &classes)?;
        Ok(Self { metrics, classes, named, roots, filter })
    }

    /// The objects of a job or a monitor.
    pub(super) fn of_scope(scope: &MeasurementScope, metrics: BTreeSet<Metric>) -> Self {
        let classes = owner_classes(&metrics);
        let mut selection =
            Self { metrics, classes, named: BTreeMap::new(), roots: scope.roots.clone(), filter: Filter::default() };
        for name in &scope.objects {
            let Some(MeasuredKey { owner, part }) = MeasuredKey::of_name(name) else { continue };
            let parts = selection.named.entry(owner.name()).or_insert_with(|| Some(BTreeSet::new()));
            match (part, parts) {
                (Part::Whole, parts) => *parts = None,
                (part, Some(parts)) => {
                    parts.insert(part);
                }
                (_, None) => {}
            }
        }
        selection
    }

    /// The same metrics and parts, for objects that were selected already.
    pub(super) fn narrowed(&self) -> Self {
        let Self { metrics, classes, named, .. } = self;
        Self {
            metrics: metrics.clone(),
            classes: classes.clone(),
            named: named.clone(),
            roots: Vec::new(),
            filter: Filter::default(),
        }
    }

    /// The objects that there are, and those named that are gone, by name.
    pub(super) fn objects(&self, published: &Published) -> Vec<Selected> {
        let now = (published.now)();
        let mut found: BTreeMap<Name, Selected> = BTreeMap::new();
        if !self.named.is_empty() && self.roots.is_empty() {
            for name in self.named.keys() {
                found.extend(self.named_object(published, name, now).map(|one| (name.clone(), one)));
            }
        } else {
            let all = self.classes.iter().flat_map(|class| published.log.all(*class));
            let mine = all.filter(|object| self.takes(object, now));
            found.extend(mine.filter_map(|object| selected(&object)).map(|one| (one.name.clone(), one)));
        }
        found.into_values().collect()
    }

    fn named_object(&self, published: &Published, name: &Name, now: Timestamp) -> Option<Selected> {
        match published.log.get(name.as_str()) {
            Some(object) => self.filter.matches(&object, now).then(|| selected(&object))?,
            // What is gone has history, but nothing a filter could ask.
            None if self.filter.is_empty() => {
                let owner = MeasuredKey::of_name(name)?.owner;
                Some(Selected { name: name.clone(), owner, label: String::new() })
            }
            None => None,
        }
    }

    /// The object of an owner, if it is meant.
    pub(super) fn object(&self, published: &Published, owner: &Owner) -> Option<Selected> {
        let name = owner.name();
        let class = name.class()?;
        let object: Arc<Object> = published.log.get(name.as_str())?;
        (self.classes.contains(&class) && self.takes(&object, (published.now)())).then(|| selected(&object))?
    }

    /// True if a part of an object that is meant is meant.
    pub(super) fn takes_part(&self, key: &MeasuredKey) -> bool {
        match self.named.get(&key.owner.name()) {
            Some(Some(parts)) => parts.contains(&key.part),
            _ => true,
        }
    }

    /// Of the readings of an object those that are meant, by object and metric.
    pub(super) fn readings(&self, readings: Vec<LatestReading>) -> Vec<LatestReading> {
        let mine = |reading: &LatestReading| self.metrics.contains(&reading.metric) && self.takes_part(&reading.key);
        let mut readings: Vec<_> = readings.into_iter().filter(mine).collect();
        readings.sort_by_cached_key(|reading| (reading.key.name(), reading.metric));
        readings
    }

    fn takes(&self, object: &Object, now: Timestamp) -> bool {
        let everything = self.named.is_empty() && self.roots.is_empty();
        let placed = everything
            || self.named.contains_key(&object.name)
            || self.roots.iter().any(|root| lies_under(object, root));
        placed && self.filter.matches(object, now)
    }
}

fn selected(object: &Object) -> Option<Selected> {
    let owner = MeasuredKey::of_name(&object.name)?.owner;
    Some(Selected { name: object.name.clone(), owner, label: object.display_name() })
}

/// True if the object is the root or lies below it: by name, or as a machine on a host.
fn lies_under(object: &Object, root: &Name) -> bool {
    if *root == Name::cluster() {
        return true;
    }
    let (name, root_text) = (object.name.as_str(), root.as_str());
    let below = name.strip_prefix(root_text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below || (root.class() == Some(ObjectClass::Host) && object.host().is_some_and(|host| Name::host(&host) == *root))
}

fn core_metrics(descriptions: &[MetricDescription]) -> BTreeSet<Metric> {
    descriptions.iter().filter(|description| description.core).map(|description| description.metric).collect()
}

/// Classes of the managed objects that have the metrics, themselves or in their parts.
fn owner_classes(metrics: &BTreeSet<Metric>) -> Vec<ObjectClass> {
    let classes: BTreeSet<ObjectClass> = metrics.iter().map(|metric| owner_class(metric.class())).collect();
    classes.into_iter().collect()
}

/// Class of the managed object whose part it is.
pub(super) fn owner_class(class: MeasuredClass) -> ObjectClass {
    match class {
        MeasuredClass::Host
        | MeasuredClass::HostCpu
        | MeasuredClass::NumaNode
        | MeasuredClass::HostDisk
        | MeasuredClass::HostFilesystem
        | MeasuredClass::HostNic
        | MeasuredClass::Sensor => ObjectClass::Host,
        MeasuredClass::VirtualMachine
        | MeasuredClass::VirtualCpu
        | MeasuredClass::VirtualDisk
        | MeasuredClass::VirtualNic => ObjectClass::VirtualMachine,
        MeasuredClass::StoragePool => ObjectClass::StoragePool,
        MeasuredClass::Volume => ObjectClass::Volume,
        MeasuredClass::Network => ObjectClass::Network,
        MeasuredClass::Cluster => ObjectClass::Cluster,
        MeasuredClass::Vrm => ObjectClass::Vrm,
    }
}
