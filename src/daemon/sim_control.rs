//! What the daemon itself does for the simulator's control socket: stream events that integrators
//! want to see their client handle.

use crate::changes::ChangeLog;
use crate::hypervisor::sim::ControlHook;
use crate::hypervisor::sim::fault::FaultError;
use crate::northbound::Sessions;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

/// Carries out `lag` and `close`.
pub(super) struct StreamControl {
    pub(super) changes: Arc<ChangeLog>,
    pub(super) sessions: Arc<Sessions>,
}

impl ControlHook for StreamControl {
    fn handle<'a>(&'a self, verb: &'a str, _: &'a Value) -> BoxFuture<'a, Result<Value, FaultError>> {
        Box::pin(async move {
            match verb {
                "lag" => {
                    self.changes.force_gap();
                    Ok(json!({ "streams": self.sessions.all().len() }))
                }
                "close" => {
                    let open = self.sessions.all();
                    for session in &open {
                        session.closed().cancel();
                    }
                    Ok(json!({ "closed": open.len() }))
                }
                _ => Err(FaultError::new(
                    "do",
                    "an epoch ends with its store: stop vrmd and start it with --set-aside-store",
                )),
            }
        })
    }
}
