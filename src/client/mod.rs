//! Client of a VRM: where it is, how to connect, lists with their pages merged, streams that resume.
//!
//! Made to become a crate of its own: it knows the interface (`wire`) and nothing else of ours, and
//! prints nothing. `vrmctl` and agents of other hosts are built on it.
//!
//! ```no_run
//! # async fn example() -> Result<(), vrm::client::ClientError> {
//! use vrm::client::{Client, Endpoint, ListQuery, ObjectExt};
//! use vrm::wire::v1::ObjectClass;
//!
//! let endpoint: Endpoint = "unix:/run/vrm/vrmd.sock".parse()?;
//! let client = Client::connect(&endpoint.into()).await?;
//! let query = ListQuery { filter: "run_state = running".to_owned(), ..ListQuery::default() };
//! for machine in client.list(ObjectClass::VirtualMachine, &query).await?.objects {
//!     println!("{}", machine.display_name());
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod alarm_watcher;
mod alarms;
mod backoff;
mod connection;
mod contexts;
mod error;
mod inventory;
mod locate;
mod object;
mod pages;
mod performance;
mod replica;
pub mod schema;
mod time;
mod tls;
mod watcher;

pub use crate::wire::v1;
pub use address::{Endpoint, EndpointError, TlsFiles};
pub use alarm_watcher::{AlarmEvent, AlarmWatcher};
pub use alarms::{AlarmList, AlarmQuery};
pub use backoff::Backoff;
pub use connection::Client;
pub use contexts::{Context, Contexts, contexts_path};
pub use error::{ClientError, Refusal};
pub use inventory::{ListQuery, ObjectList};
pub use locate::{Environment, Target, locate};
pub use object::{Object, ObjectExt, class_of_name, list_field, message_name};
pub use performance::Report;
pub use replica::{Applied, Held, Replica, StreamFault, state_digest};
pub use time::{span, time};
pub use tonic::Code;
pub use watcher::{Network, ResponseStream, Transport, WatchEvent, WatchQuery, Watcher};
