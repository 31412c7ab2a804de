//! Alarms on the command line: lists, pages, live views, and what people do with them.
//!
//! Shows and asks; which alarms there are and what may be done with them is the daemon's business.

mod acts;
mod check;
mod explain;
mod history;
mod list;
mod page;
mod reference;
mod report;
mod rules;
mod sheet;
mod shelving;
mod subject;
mod view;
mod watch;

pub use acts::{acknowledge, clear, comment, link};
pub use check::{check, counted, summary_json, summary_lines};
pub use explain::explain_type;
pub use history::history;
pub use list::rows;
pub use page::describe;
pub use report::raise;
pub use rules::{create, delete};
pub use sheet::{ALARM, ALARM_TYPE, PROFILE, SHELF};
pub use shelving::{shelve, unshelve};
pub use view::document as foreign_document;
pub use watch::watch;
