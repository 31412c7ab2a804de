//! Wires the gRPC server.

use super::lifecycle::Options;
use crate::changes::ChangeLog;
use crate::engine::{EngineHandle, EngineVitals};
use crate::settings::Settings;
use crate::telemetry::LogCounters;
use std::sync::Arc;

pub(super) struct Server;

impl Server {
    pub(super) fn ready(&self) {}
    pub(super) fn inventory_ready(&self) {}
    pub(super) async fn stop(&self) {}
}

pub(super) async fn bind(
    _options: &Options,
    _settings: &Settings,
    _vrm_id: &str,
    _changes: &Arc<ChangeLog>,
    _engine: &EngineHandle,
    _vitals: &Arc<EngineVitals>,
    _log: &LogCounters,
) -> std::io::Result<Server> {
    Ok(Server)
}
