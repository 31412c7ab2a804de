//! `docs/profiles.md`, what each profile can see: made from the capabilities of the model. After a
//! change of those, `VRM_REGENERATE=1 cargo test --test tidy profiles` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use vrm::model::capability::{Capability, Needs};

use crate::sources::{ROOT, read};

const PREFACE: &str = "\
# What each profile can see

Made from `src/model/capability.rs` by a test in `tests/tidy`; do not edit by hand.

The *profile* of a host bounds what `vrmd` may do to it. **monitor** (the default) opens libvirt read-only, also as
root; **manage** opens it for writing, which equals root on the host. The profile of the daemon is the upper bound,
a host may be narrower. What the driver and its server really have is probed at every connection and shown by
`vrmctl describe host NAME`, in the words

* *available*: works;
* *needs manage*: the read-only connection refuses it;
* *unsupported*: the driver or server lacks it;
* *unknown*: not probed, or the probe gave no verdict. A capability that is not listed is unknown.

This table says what can be hoped for where the driver has it: *yes*, or what else it takes. *Local* is the host on
which `vrmd` runs; *agent* is a host with a `vrmd` of its own, which serves it to a cluster (not there yet).
What cannot be seen is absent and named, never 0 and never silently left out.
";

const AFTERWORD: &str = "
Notes.

* Pools: libvirt knows the figures of the last refresh only, and profile monitor may not refresh. They carry the time
  of that refresh (`as_of`); nothing should be concluded from figures older than ten minutes. In manage `vrmd` has
  pools refreshed from time to time.
* `guest_agent`, `migration` and `disk_errors` are for later parts: nothing of them is read or done yet. In profile
  manage `guest_agent` is not probed: whether an agent answers is a matter of each machine.
* `disk_errors` and `local_host_details` are not probed, so a host lists no verdict on them; on the local host the
  details are simply there.
* `control_state` and `snapshots` are asked of a machine: without one (for `control_state`, a running one) the
  verdict is unknown.
* The last column holds what is known of the drivers of libvirt 9 to 11; the probe decides, not this column. Networks,
  pools and devices of a host come from libvirt's own drivers for them, whatever the hypervisor.
";

/// Drivers that are known to lack a capability.
fn lacking(capability: Capability) -> &'static [&'static str] {
    match capability {
        Capability::BulkStatistics => &["bhyve", "ch", "esx", "hyperv", "lxc", "test (partly)", "vbox", "xen"],
        Capability::MachineEvents => &["ch (before 10.10)", "esx"],
        Capability::HostMemoryStatistics | Capability::LossDetection => &["test"],
        Capability::Snapshots => &["lxc"],
        Capability::Migration => &["lxc", "test"],
        _ => &[],
    }
}

/// The cells of one capability: monitor local, monitor remote, manage, agent.
fn visibility(needs: Needs) -> [&'static str; 4] {
    match needs {
        Needs::ReadOnly => ["yes", "yes", "yes", "yes"],
        Needs::Manage => ["needs manage", "needs manage", "yes", "if its profile is manage"],
        Needs::Local => ["yes", "no", "local only", "yes"],
    }
}

fn page() -> String {
    let mut page = format!(
        "{PREFACE}\n| capability | meaning | monitor, local | monitor, remote | manage | agent (later) | drivers \
         without it |\n|---|---|---|---|---|---|---|\n"
    );
    for capability in Capability::ALL {
        let cells = visibility(capability.needs()).join(" | ");
        let lacking = lacking(capability).join(", ");
        writeln!(page, "| `{}` | {} | {cells} | {lacking} |", capability.as_str(), capability.meaning())
            .expect("a string takes everything");
    }
    page + AFTERWORD
}

#[test]
fn profiles_md_is_made_from_the_capabilities() {
    let path = Path::new(ROOT).join("docs/profiles.md");
    let page = page();
    if std::env::var_os("VRM_REGENERATE").is_some() {
        fs::write(&path, &page).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    }
    assert!(read(&path) == page, "docs/profiles.md is not what the capabilities say: run this with VRM_REGENERATE=1");
}

#[test]
fn every_capability_is_named_once_and_explained() {
    let names: std::collections::BTreeSet<_> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
    assert_eq!(names.len(), Capability::ALL.len());
    for capability in Capability::ALL {
        let meaning = capability.meaning();
        assert!(!meaning.is_empty() && !meaning.contains(['|', '\n']), "{capability:?}");
    }
}
