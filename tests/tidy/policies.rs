//! Every RPC of ours carries a policy, and no policy is left empty.

use crate::sources::{extension, files_below, read, shown};

#[test]
fn every_rpc_has_a_policy_with_a_permission() {
    let mut rpcs = 0;
    for file in files_below(&["proto/vrm"]).iter().filter(|file| extension(file) == "proto") {
        let text = read(file);
        for part in text.split("\n  rpc ").skip(1) {
            rpcs += 1;
            let name = part.split('(').next().unwrap_or_default();
            let body = part.split("\n  }").next().unwrap_or_default();
            assert!(body.contains("(method_policy)"), "{}: rpc {name} has no policy", shown(file));
            assert!(body.contains("permission: \""), "{}: rpc {name} has no permission", shown(file));
        }
    }
    assert!(rpcs >= 30, "only {rpcs} RPCs found: has the layout of the protos changed?");
}
