//! Real faults on a real host: each raised once, with the catalogue's severity, and cleared by its repair.

use crate::common::{TestClient, TestDaemon, wait_for};
use crate::harness::Lab;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use v1::alarm_change::Kind;
use v1::alarm_service_client::AlarmServiceClient;
use v1::watch_alarms_response::Message;
use vrm::wire::v1;

/// Longest wait for an alarm: boot of the guest, hold-on and a loaded machine included.
const PATIENCE: Duration = Duration::from_secs(90);

/// A guest of 32 MiB whose boot sector does something and halts.
fn guest(name: &str, disk: &str, policy: &str, devices: &str) -> String {
    let kind = if std::path::Path::new("/dev/kvm").exists() { "kvm" } else { "qemu" };
    format!(
        "<domain type='{kind}'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
         <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
         <on_crash>{policy}</on_crash>
         <devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
         <target dev='hda' bus='ide'/></disk>{devices}<controller type='usb' model='none'/>
         <video><model type='none'/></video></devices></domain>"
    )
}

/// What a boot sector may do: write 1 to port 0x505 (pvpanic), or start the ib700 watchdog.
const PANIC: [u8; 6] = [0xba, 0x05, 0x05, 0xb0, 0x01, 0xee];
const WATCHDOG: [u8; 6] = [0xba, 0x43, 0x04, 0xb0, 0x0e, 0xee];
const HALT: [u8; 3] = [0xf4, 0xeb, 0xfd];

type Heard = Arc<Mutex<Vec<(Instant, v1::AlarmChange)>>>;

struct Site {
    lab: Lab,
    uri: String,
    daemon: TestDaemon,
    client: TestClient,
    heard: Heard,
}

impl Site {
    async fn up(name: &str) -> Option<Self> {
        let lab = Lab::one(name)?;
        let uri = lab.uris().remove(0).1;
        let daemon = TestDaemon::with_hosts(&[&format!("lab={uri}")]).started().await;
        let client = daemon.client().await;
        client.synchronized().await;
        let heard = listen(&client).await;
        Some(Self { lab, uri, daemon, client, heard })
    }

    fn virsh(&self, arguments: &[&str]) {
        let output =
            Command::new("virsh").args(["-q", "-c", &self.uri]).args(arguments).output().expect("virsh starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts a transient guest with this boot sector.
    fn boot(&self, name: &str, code: &[u8], policy: &str, devices: &str) {
        let disk = self.lab.dir().join(format!("one/{name}.img"));
        let mut sector = [code, &HALT].concat();
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        sector.resize(1 << 20, 0);
        std::fs::write(&disk, sector).expect("written");
        let file = self.lab.dir().join(format!("one/{name}.xml"));
        std::fs::write(&file, guest(name, &disk.to_string_lossy(), policy, devices)).expect("written");
        self.virsh(&["create", &file.to_string_lossy()]);
    }

    /// Waits for a change of an alarm of this type; how long after `since` it was heard.
    async fn hears(&self, alarm_type: &str, kind: Kind, since: Instant) -> (v1::Alarm, Duration) {
        let what = format!("{alarm_type} {kind:?}");
        let ((alarm, took), _) = wait_for(&what, PATIENCE, async || {
            let heard = self.heard.lock().expect("no test panicked");
            heard.iter().find_map(|(at, change)| {
                let alarm = change.alarm.as_ref()?;
                let wanted = *at >= since && change.kind() == kind && alarm.alarm_type == alarm_type;
                wanted.then(|| (alarm.clone(), at.duration_since(since)))
            })
        })
        .await;
        eprintln!("| {alarm_type} | {kind:?} | {} | {took:.0?} |", alarm.object);
        (alarm, took)
    }

    /// How often an alarm type was raised.
    fn raised(&self, alarm_type: &str) -> usize {
        let heard = self.heard.lock().expect("no test panicked");
        let of_type = |change: &v1::AlarmChange| {
            change.kind() == Kind::Raised && change.alarm.as_ref().is_some_and(|alarm| alarm.alarm_type == alarm_type)
        };
        heard.iter().filter(|(_, change)| of_type(change)).count()
    }
}

async fn listen(client: &TestClient) -> Heard {
    let mut alarms = AlarmServiceClient::new(client.channel());
    let mut stream = alarms.watch_alarms(v1::WatchAlarmsRequest::default()).await.expect("answers").into_inner();
    let heard = Heard::default();
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok(Some(message)) = stream.message().await {
            if let Some(Message::Change(change)) = message.message {
                noted.lock().expect("no test panicked").push((Instant::now(), change));
            }
        }
    });
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_an_idle_host_has_no_alarm() {
    let Some(site) = Site::up("lab-quiet").await else { return };
    let listed = AlarmServiceClient::new(site.client.channel())
        .list_alarms(v1::ListAlarmsRequest::default())
        .await
        .expect("answers")
        .into_inner();
    assert!(listed.alarms.is_empty(), "{:?}", listed.alarms);
    // Ordinary stops outside of us stay quiet in profile monitor.
    for _ in 0..3 {
        site.virsh(&["destroy", "web-1"]);
        site.virsh(&["start", "web-1"]);
    }
    assert!(site.heard.lock().expect("no test panicked").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_faults_of_guests_are_raised_once_and_cleared_by_repair() {
    let Some(site) = Site::up("lab-faults").await else { return };
    let since = Instant::now();
    site.boot("panic-1", &PANIC, "preserve", "<panic model='isa'/>");
    let (alarm, _) = site.hears("vmGuestPanicked", Kind::Raised, since).await;
    assert_eq!(alarm.perceived_severity(), v1::Severity::Critical);
    assert_eq!(alarm.object_label, "panic-1");

    let since = Instant::now();
    site.boot("dog-1", &WATCHDOG, "destroy", "<watchdog model='ib700' action='pause'/>");
    let (alarm, _) = site.hears("vmWatchdogFired", Kind::Raised, since).await;
    assert_eq!(alarm.perceived_severity(), v1::Severity::Major);

    let since = Instant::now();
    site.lab.run("kill-guest", &["one", "web-1"]);
    let (alarm, _) = site.hears("vmCrashed", Kind::Raised, since).await;
    assert_eq!(alarm.perceived_severity(), v1::Severity::Major);
    let since = Instant::now();
    site.virsh(&["start", "web-1"]);
    site.hears("vmCrashed", Kind::Cleared, since).await;

    for alarm_type in ["vmGuestPanicked", "vmWatchdogFired", "vmCrashed"] {
        assert_eq!(site.raised(alarm_type), 1, "{alarm_type} once");
    }
    assert!(!site.daemon.log().contains("panicked at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_pools_networks_and_strict_machines_that_stop_are_alarms() {
    let Some(site) = Site::up("lab-stopped").await else { return };
    let mut inventory = site.client.inventory();
    let strict = async |name: String, inventory: &mut v1::inventory_service_client::InventoryServiceClient<_>| {
        let expectation = v1::Expectation::Running.into();
        let request = v1::SetExpectationRequest { name, expectation, ..Default::default() };
        inventory.set_expectation(request).await.expect("stated");
    };
    let web = site.client.machines().await.into_iter().find(|machine| machine.display_name == "web-1").expect("known");
    strict(web.name.clone(), &mut inventory).await;
    strict("hosts/lab/storagePools/images".to_owned(), &mut inventory).await;
    strict("hosts/lab/networks/lab".to_owned(), &mut inventory).await;
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("vmUnexpectedStop", &["destroy", "web-1"], &["start", "web-1"]),
        ("poolInactive", &["pool-destroy", "images"], &["pool-start", "images"]),
        ("virtualNetworkInactive", &["net-destroy", "lab"], &["net-start", "lab"]),
    ];
    for (alarm_type, fault, repair) in cases {
        let since = Instant::now();
        site.virsh(fault);
        site.hears(alarm_type, Kind::Raised, since).await;
        let since = Instant::now();
        site.virsh(repair);
        site.hears(alarm_type, Kind::Cleared, since).await;
        assert_eq!(site.raised(alarm_type), 1, "{alarm_type} once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_a_dead_libvirtd_is_its_own_alarm_and_not_that_of_its_guests() {
    let Some(site) = Site::up("lab-service").await else { return };
    let since = Instant::now();
    site.lab.run("kill-libvirtd", &["one"]);
    let (alarm, took) = site.hears("hypervisorServiceFailed", Kind::Raised, since).await;
    assert!(took >= Duration::from_secs(25), "a restart of libvirtd must page nobody: {took:?}");
    assert_eq!(alarm.perceived_severity(), v1::Severity::Major);
    let since = Instant::now();
    site.lab.run("start-libvirtd", &["one"]);
    site.hears("hypervisorServiceFailed", Kind::Cleared, since).await;
    let heard = site.heard.lock().expect("no test panicked");
    let types: std::collections::BTreeSet<&str> =
        heard.iter().filter_map(|(_, change)| Some(change.alarm.as_ref()?.alarm_type.as_str())).collect();
    assert_eq!(types, ["hypervisorServiceFailed"].into());
}
