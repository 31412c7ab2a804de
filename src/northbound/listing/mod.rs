//! Lists: pages by key, bound to the arguments and the position of their first page.

mod order;
mod page;
mod parent;
mod scan;
mod token;

pub use page::{PageArguments, PageStart, page_size};
pub use scan::{Listing, Query, list, list_as, object_filter};

#[cfg(test)]
mod tests;
