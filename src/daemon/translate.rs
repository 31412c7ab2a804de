//! Settings in words of inventory and collectors.

use super::{fault, hosts};
use crate::collect::{Cadence, CollectorSettings};
use crate::host::{LocalHost, Root};
use crate::inventory::InventorySettings;
use crate::measurement::SampleSink;
use crate::model::Timestamp;
use crate::model::capacity::Overcommit;
use crate::model::host::Vrm;
use crate::settings::Settings;
use std::sync::Arc;

pub(super) fn inventory_settings(settings: &Settings, vrm_id: &str) -> InventorySettings {
    InventorySettings {
        vrm: Vrm {
            vrm_id: vrm_id.to_owned(),
            dn_prefix: settings.dn_prefix.clone(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: hosts::profile(settings.profile).as_str().to_owned(),
        },
        cluster_id: settings.cluster_id.clone(),
        overcommit: Overcommit {
            cpu: settings.overcommit_cpu,
            memory: settings.overcommit_memory,
            storage: settings.overcommit_storage,
        },
        outside_changes: fault::outside_changes(settings),
    }
}

pub(super) fn collector_settings(
    settings: &Settings,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    samples: SampleSink,
) -> CollectorSettings {
    CollectorSettings { cadence: cadence(settings), local: Arc::new(LocalHost::new(Root::machine())), clock, samples }
}

fn cadence(settings: &Settings) -> Cadence {
    Cadence {
        probe: settings.poll_probe,
        statistics: settings.poll_statistics,
        states: settings.poll_states,
        full: settings.poll_definitions,
    }
}
