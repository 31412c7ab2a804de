//! placeholder
use super::*;
#[test]
fn smallest_domain() {
    let parsed = domain("<domain type='kvm' id='3'><name>a</name><uuid>00000000-0000-0000-0000-000000000001</uuid><on_crash>destroy</on_crash></domain>").expect("reads");
    assert_eq!(parsed.name, "a");
    assert_eq!(parsed.definition.extensions.get("on_crash").map(String::as_str), Some("destroy"));
    assert_eq!(parsed.definition.extensions.len(), 1);
}
