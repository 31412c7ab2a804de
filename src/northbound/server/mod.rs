//! Listeners and connections: our own accept loop, because tonic's has no bounds.

mod accept;
mod connection;
mod dev_tls;
mod listener;
mod serve;
mod tls;

pub use accept::ConnectionCounters;
pub use dev_tls::make as make_dev_tls;
pub use listener::{Listen, ListenError, Listening};
pub use serve::serve;
pub use tls::{TlsAuthority, TlsError};
