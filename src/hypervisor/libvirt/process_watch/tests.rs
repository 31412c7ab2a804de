use super::*;
use crate::hypervisor::libvirt::sink::Registration;
use crate::hypervisor::port::HypervisorEvent;
use crate::model::incident::Incident;
use crate::model::virtual_machine::RunState;
use tokio::sync::mpsc;

const VM: Uuid = Uuid::from_u128(9);
const SOON: Duration = Duration::from_secs(20);

/// A shell that holds the lock on a pid file as QEMU does, until it is told how to end.
struct Guest {
    child: std::process::Child,
}

impl Guest {
    fn start(folder: &Path, ending: &str) -> Self {
        use std::io::Read as _;
        let script = format!(
            "import fcntl, sys, os, time, signal\n\
             f = open({:?}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX, 1)\n\
             print('locked', flush=True)\n{ending}",
            folder.join("vm.pid")
        );
        let mut child = std::process::Command::new("python3")
            .args(["-c", &script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut said = [0; 6];
        child.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it locks");
        Self { child }
    }

    fn kill(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    fn reap(mut self) {
        self.child.wait().expect("it ends");
    }
}

struct Rig {
    folder: tempfile::TempDir,
    memory: Arc<Memory>,
    watch: ProcessWatch,
    registration: Registration,
    events: mpsc::Receiver<HypervisorEvent>,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Arc::<Memory>::default();
    let (registration, events) = Registration::new(1, 16, memory.clone());
    let watch = ProcessWatch::new(folder.path().to_owned(), memory.clone());
    watch.tell_to(registration.number());
    Rig { folder, memory, watch, registration, events }
}

impl Rig {
    fn follow(&self, run_state: RunState) {
        let state = MachineStateFacts {
            uuid: VM,
            display_name: "vm".to_owned(),
            run_state,
            incarnation: Some(1),
            ..MachineStateFacts::default()
        };
        self.watch.follow(&[Fact::MachineState(state)]);
    }

    async fn incident(&mut self) -> Incident {
        let event = tokio::time::timeout(SOON, self.events.recv()).await.expect("in time").expect("an event");
        match event.subject {
            EventSubject::Machine { incident: Some(incident), .. } => *incident,
            other => panic!("{other:?}"),
        }
    }
}

fn skipped() -> bool {
    let missing = std::process::Command::new("python3").arg("--version").output().is_err();
    if missing {
        eprintln!("skipped: no python3, which plays the process that is watched");
    }
    missing
}

#[test]
fn ends_are_judged_by_the_wait_status() {
    let died = |signal, status| Verdict::Died { signal, status };
    assert_eq!(judge(0, false), Verdict::LibvirtTells);
    assert_eq!(judge(9, false), died(Some(9), None));
    assert_eq!(judge(9, true), Verdict::LibvirtTells, "destroy's last resort");
    assert_eq!(judge(11, true), died(Some(11), None));
    assert_eq!(judge(6 | 0x80, false), died(Some(6), None), "with a core dump");
    assert_eq!(judge(1 << 8, false), died(None, Some(1)));
}

#[test]
fn a_process_that_does_not_take_a_signal_is_doubtful() {
    let status = |state: &str, pending: &str| format!("Name:\tqemu\nState:\t{state}\nSigPnd:\t0\nShdPnd:\t{pending}\n");
    assert!(!looks_doubtful(&status("S (sleeping)", "0000000000000000")));
    assert!(looks_doubtful(&status("S (sleeping)", "0000000000004000")), "SIGTERM waits");
    assert!(looks_doubtful(&status("T (stopped)", "0000000000000000")));
    assert!(looks_doubtful(&status("D (disk sleep)", "0000000000000000")));
    assert!(!looks_doubtful(""));
}

#[tokio::test]
async fn a_killed_process_is_told_at_once_with_its_signal() {
    if skipped() {
        return;
    }
    let mut rig = rig();
    let guest = Guest::start(rig.folder.path(), "time.sleep(60)");
    rig.follow(RunState::Running);
    assert_eq!(rig.watch.count(), 1);
    guest.kill(Signal::KILL);
    guest.reap();
    let incident = rig.incident().await;
    match incident.kind {
        IncidentKind::ProcessDied { signal: Some(9), status: None } => {}
        // A kernel that does not tell the status: libvirt, which is silent here, would.
        IncidentKind::ProcessDied { signal: None, status: None } => {
            eprintln!("skipped: this kernel does not tell how a process ended");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_end_that_libvirt_calls_ordered_is_not_told() {
    if skipped() {
        return;
    }
    let mut rig = rig();
    let guest = Guest::start(rig.folder.path(), "sys.stdin.read(); sys.exit(0)");
    rig.follow(RunState::Running);
    let mut child = guest;
    drop(child.child.stdin.take());
    child.reap();
    rig.memory.note_departure(VM, GoneCause::Removed);
    let deadline = Instant::now() + SOON;
    while rig.watch.count() > 0 {
        assert!(Instant::now() < deadline, "the watch goes on");
        tokio::task::yield_now().await;
    }
    assert!(rig.events.try_recv().is_err(), "nothing told");
}

#[tokio::test]
async fn an_end_of_which_libvirt_says_nothing_is_told_late() {
    if skipped() {
        return;
    }
    let mut rig = rig();
    let mut guest = Guest::start(rig.folder.path(), "sys.stdin.read(); sys.exit(0)");
    rig.follow(RunState::Running);
    drop(guest.child.stdin.take());
    guest.reap();
    let incident = rig.incident().await;
    assert_eq!(incident.kind, IncidentKind::ProcessDied { signal: None, status: None });
    assert_eq!(incident.details["text"], "process gone, libvirt silent");
}

#[tokio::test]
async fn a_death_without_connection_is_told_over_the_next_one() {
    if skipped() {
        return;
    }
    let Rig { folder, memory, watch, registration, events } = rig();
    let guest = Guest::start(folder.path(), "os.kill(os.getpid(), signal.SIGSEGV) if sys.stdin.read() == '' else 0");
    let mut rig = Rig { folder, memory: memory.clone(), watch, registration, events };
    rig.follow(RunState::Running);
    let (next, events) = Registration::new(2, 16, memory);
    let gone = std::mem::replace(&mut rig.registration, next);
    drop(gone);
    let mut guest = guest;
    drop(guest.child.stdin.take());
    guest.reap();
    let deadline = Instant::now() + SOON;
    while rig.watch.count() > 0 {
        assert!(Instant::now() < deadline, "the watch goes on");
        tokio::task::yield_now().await;
    }
    rig.events = events;
    rig.watch.tell_to(rig.registration.number());
    if lock(&rig.watch.inner.untold).is_empty() && rig.events.is_empty() {
        eprintln!("skipped: this kernel does not tell how a process ended");
        return;
    }
    assert_eq!(rig.incident().await.kind, IncidentKind::ProcessDied { signal: Some(11), status: None });
}

#[tokio::test]
async fn a_machine_seen_off_is_not_watched_any_more() {
    if skipped() {
        return;
    }
    let rig = rig();
    let guest = Guest::start(rig.folder.path(), "time.sleep(60)");
    rig.follow(RunState::Running);
    rig.follow(RunState::Running);
    assert_eq!(rig.watch.count(), 1);
    rig.follow(RunState::Off);
    assert_eq!(rig.watch.count(), 0);
    guest.kill(Signal::KILL);
    guest.reap();
}
