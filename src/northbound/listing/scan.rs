//! One page of one class.

use super::order::Order;
use super::page::{PageArguments, PageStart};
use super::parent::Parent;
use crate::changes::Position;
use crate::model::{Object, ObjectClass, Timestamp};
use crate::northbound::failure::Failure;
use crate::northbound::filter::{self, Filter};
use crate::northbound::limits;
use crate::northbound::published::Published;
use crate::northbound::reason::Reason;
use crate::wire::convert::{Detail, Served, resource};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The class.
    pub class: ObjectClass,
    /// Under which parent.
    pub parent: &'a str,
    /// Which of them.
    pub filter: &'a str,
    /// In which order.
    pub order_by: &'a str,
    /// How much of each.
    pub detail: Detail,
    /// Which page.
    pub page: PageArguments<'a>,
}

/// A page.
#[derive(Debug)]
pub struct Listing<M> {
    /// Its objects.
    pub items: Vec<M>,
    /// Token of the next page; empty on the last.
    pub next_page_token: String,
    /// Objects that match now.
    pub total_size: i32,
    /// Position of the first page.
    pub position: Position,
}

/// Understands a filter over objects of the given classes.
pub fn object_filter(text: &str, classes: &[ObjectClass]) -> Result<Filter<Object>, Failure> {
    filter::parse(text, &filter::object_fields(classes)).map_err(|error| {
        Failure::violation(Reason::InvalidFilter, "filter", error.to_string()).with("offset", error.at.to_string())
    })
}

/// Makes a page.
///
/// # Errors
/// `INVALID_FIELD`, `INVALID_FILTER`, `INVALID_ORDER_BY`, `INVALID_PAGE_TOKEN`, `…_NOT_FOUND` of
/// the parent.
pub fn list<M: Served>(published: &Published, query: Query<'_>) -> Result<Listing<M>, Failure> {
    list_as(published, query, |object, detail| resource(object, &published.dn, detail).and_then(M::from_resource))
}

/// Makes a page of messages that are made in a way of their own.
///
/// # Errors
/// As [`list`].
pub fn list_as<M: prost::Message>(
    published: &Published,
    query: Query<'_>,
    make: impl Fn(&Object, Detail) -> Option<M>,
) -> Result<Listing<M>, Failure> {
    let order = Order::parse(query.order_by, query.class)?;
    let filter = object_filter(query.filter, &[query.class])?;
    let parent = Parent::parse(published, query.class, query.parent)?;
    let class = format!("{:?}", query.class);
    let start = PageStart::new(published, query.page, &[&class, query.parent, query.filter, query.order_by])?;
    let wanted = Wanted { parent, filter, now: (published.now)() };
    let (candidates, total) = candidates(published, query.class, &wanted, order, &start);
    let mut page = Listing {
        items: Vec::new(),
        next_page_token: String::new(),
        total_size: i32::try_from(total).unwrap_or(i32::MAX),
        position: start.position.clone(),
    };
    let mut bytes = 0;
    let mut last: Option<&Arc<Object>> = None;
    for object in &candidates {
        let Some(message) = make(object, query.detail) else { continue };
        bytes += message.encoded_len();
        if page.items.len() == start.size || (bytes > limits::PAGE_BYTES && last.is_some()) {
            let token = last.map(|last| start.next_token(order.key(last), last.name.to_string()));
            page.next_page_token = token.unwrap_or_default();
            break;
        }
        page.items.push(message);
        last = Some(object);
    }
    Ok(page)
}

struct Wanted {
    parent: Parent,
    filter: Filter<Object>,
    now: Timestamp,
}

impl Wanted {
    fn takes(&self, object: &Object) -> bool {
        self.parent.contains(&object.name) && self.filter.matches(object, self.now)
    }
}

/// The objects of the page and one more, if there is one, and how many match altogether.
fn candidates(
    published: &Published,
    class: ObjectClass,
    wanted: &Wanted,
    order: Order,
    start: &PageStart,
) -> (Vec<Arc<Object>>, usize) {
    let mut total = 0;
    let mut found = 0;
    let after = start.after.as_ref();
    let mut page = published.log.page(class, None, |object| {
        if !wanted.takes(object) {
            return ControlFlow::Continue(false);
        }
        total += 1;
        let take = !order.is_natural()
            || (found <= start.size && after.is_none_or(|(_, name)| object.name.as_str() > name.as_str()));
        found += usize::from(take);
        ControlFlow::Continue(take)
    });
    if !order.is_natural() {
        sort(&mut page.objects, order, after);
        page.objects.truncate(start.size + 1);
    }
    (page.objects, total)
}

/// Sorts, and drops what the pages before had.
fn sort(objects: &mut Vec<Arc<Object>>, order: Order, after: Option<&(String, String)>) {
    let mut keyed: Vec<((String, String), Arc<Object>)> =
        objects.drain(..).map(|object| ((order.key(&object), object.name.to_string()), object)).collect();
    keyed.sort_by(|one, other| if order.descending { other.0.cmp(&one.0) } else { one.0.cmp(&other.0) });
    let is_left =
        |key: &(String, String)| after.is_none_or(|after| if order.descending { key < after } else { key > after });
    objects.extend(keyed.into_iter().filter(|(key, _)| is_left(key)).map(|(_, object)| object));
}
