use super::*;
use crate::changes::{ChangeLog, Restored};
use crate::model::dn::DnScheme;
use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::{Body, Change, HostId, Name, Object, ObjectClass, ResourceState, Timestamp};
use crate::northbound::failure::Failure;
use crate::northbound::published::Published;
use crate::northbound::reason::Reason;
use crate::wire::convert::Detail;
use crate::wire::v1;
use std::sync::Arc;

struct NoHistory;

impl TransitionHistory for NoHistory {
    fn read(&self, _: u64, _: u64, _: &[ObjectClass], _: usize) -> Result<Vec<Arc<Change>>, HistoryError> {
        Ok(Vec::new())
    }

    fn oldest(&self, _: &[ObjectClass]) -> u64 {
        0
    }
}

fn object(name: Name, sequence: u64, body: Body) -> Arc<Object> {
    Arc::new(Object {
        name,
        uid: uuid::Uuid::from_u128(sequence.into()),
        revision: 1,
        created_sequence: sequence,
        last_change_sequence: sequence,
        create_time: Timestamp(i64::try_from(1_000 - sequence).unwrap()),
        change_time: Timestamp(0),
        state: ResourceState::default(),
        annotations: Default::default(),
        body,
    })
}

fn published() -> Published {
    let hosts = ["a", "b"].map(|id| HostId::parse(id).unwrap());
    let mut objects = Vec::new();
    for host in &hosts {
        objects.push(object(Name::host(host), objects.len() as u64 + 1, Body::empty(ObjectClass::Host)));
        for pool in ["default", "images", "x"] {
            let name = Name::storage_pool(host, pool);
            objects.push(object(name, objects.len() as u64 + 1, Body::empty(ObjectClass::StoragePool)));
        }
    }
    let restored = Restored { epoch: "e1".into(), head: 20, objects, ..Restored::default() };
    Published {
        log: Arc::new(ChangeLog::new(restored, Arc::new(NoHistory))),
        dn: Arc::new(DnScheme { prefix: String::new(), vrm_id: "v".into(), cluster_id: "c".into() }),
        now: || Timestamp(0),
    }
}

fn query<'a>(parent: &'a str, order_by: &'a str, page_size: i32, page_token: &'a str) -> Query<'a> {
    Query {
        class: ObjectClass::StoragePool,
        parent,
        filter: "",
        order_by,
        detail: Detail::Basic,
        page: PageArguments { page_size, page_token },
    }
}

fn pages(published: &Published, parent: &str, order_by: &str, size: i32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = list::<v1::StoragePool>(published, query(parent, order_by, size, &token)).unwrap();
        assert_eq!(page.position.sequence, 20);
        pages.push(page.items.into_iter().map(|pool| pool.name).collect());
        token = page.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

fn reason(published: &Published, query: Query<'_>) -> Reason {
    list::<v1::StoragePool>(published, query)
        .map(|page| page.total_size)
        .map_err(|failure: Failure| failure.reason())
        .unwrap_err()
}

#[test]
fn every_object_is_on_exactly_one_page() {
    let published = published();
    for order in ["", "name desc", "display_name", "create_time", "create_time desc", "update_time"] {
        for size in 1..8 {
            let pages = pages(&published, "hosts/-", order, size);
            let mut all: Vec<String> = pages.concat();
            assert_eq!(all.len(), 6, "{order} {size}");
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 6, "{order} {size}");
        }
    }
    assert_eq!(pages(&published, "hosts/b", "", 2)[0][0], "hosts/b/storagePools/default");
    assert_eq!(pages(&published, "", "name desc", 9)[0][0], "hosts/b/storagePools/x");
    assert_eq!(pages(&published, "", "create_time", 9)[0][0], "hosts/b/storagePools/x");
}

#[test]
fn arguments_that_are_refused() {
    let published = published();
    let first = list::<v1::StoragePool>(&published, query("hosts/-", "", 2, "")).unwrap();
    assert_eq!(first.total_size, 6);
    let token = first.next_page_token;
    assert_eq!(reason(&published, query("hosts/a", "", 2, &token)), Reason::InvalidPageToken);
    assert_eq!(reason(&published, query("hosts/-", "name desc", 2, &token)), Reason::InvalidPageToken);
    for bad in [
        "x",
        "1",
        "1zzzzzzzz",
        "1ä€öüß0123456789",
        &token[..token.len() - 2],
        &format!("{token}00"),
        &"1".repeat(20_000),
    ] {
        assert_eq!(reason(&published, query("hosts/-", "", 2, bad)), Reason::InvalidPageToken, "{bad}");
    }
    assert_eq!(reason(&published, query("hosts/-", "", -1, "")), Reason::InvalidField);
    assert_eq!(reason(&published, query("hosts", "", 0, "")), Reason::InvalidField);
    assert_eq!(reason(&published, query("virtualMachines/-", "", 0, "")), Reason::InvalidField);
    assert_eq!(reason(&published, query("hosts/c", "", 0, "")), Reason::HostNotFound);
    assert_eq!(reason(&published, query("", "size", 0, "")), Reason::InvalidOrderBy);
    assert_eq!(reason(&published, query("", "name up", 0, "")), Reason::InvalidOrderBy);
    assert_eq!(reason(&published, Query { filter: "x", ..query("", "", 0, "") }), Reason::InvalidFilter);
}

#[test]
fn page_sizes_are_coerced() {
    assert_eq!(page_size(0).unwrap(), 100);
    assert_eq!(page_size(1_000_000).unwrap(), 1_000);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_token_reader_panic(text in "\\PC{0,80}|1[0-9a-f]{0,200}") {
        proptest::prop_assert!(token::Token::decode(&text).is_none());
    }
}
