//! What exists: reads, changes of what people say about it, and the stream.

mod annotate;
mod attributes;
mod capacity;
mod managed;
mod reader;
mod related;
mod service;

pub(super) use annotate::check_labels;
pub use reader::Inventory;
