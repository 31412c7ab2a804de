//! Which start of a machine its counters belong to. Pure.
//!
//! libvirt's number of a running machine is given again after its daemon was restarted, so it alone does not tell
//! two starts apart: the moment at which a run was first seen goes with it, and a counter that went back begins a
//! new run whatever the number says.

use std::collections::HashMap;
use uuid::Uuid;

/// Bits of the moment, in milliseconds: 34 years.
const MOMENT_BITS: u32 = 40;

/// Runs of one endpoint's machines, and of the host under the nil UUID.
#[derive(Debug, Default)]
pub struct Runs(HashMap<Uuid, Run>);

#[derive(Debug)]
struct Run {
    id: Option<u32>,
    mark: u64,
    /// A counter that cannot go back in one run.
    counter: u64,
    /// Virtual CPUs: present, possible; as told last.
    vcpus: Option<(u64, u64)>,
}

impl Runs {
    /// The run to which a reading belongs, made at `now_ms`.
    pub fn incarnation(&mut self, machine: Uuid, id: Option<u32>, counter: Option<u64>, now_ms: u64) -> u64 {
        let begun =
            self.0.get(&machine).filter(|run| run.id == id && counter.is_none_or(|counter| counter >= run.counter));
        let mark = begun
            .map(|run| run.mark)
            .unwrap_or_else(|| u64::from(id.unwrap_or_default()) << MOMENT_BITS | now_ms & ((1 << MOMENT_BITS) - 1));
        let run = self.0.entry(machine).or_insert(Run { id, mark, counter: 0, vcpus: None });
        if run.mark != mark {
            *run = Run { id, mark, counter: 0, vcpus: None };
        }
        run.counter = counter.unwrap_or(run.counter);
        mark
    }

    /// A machine stopped: what comes is another run.
    pub fn end(&mut self, machine: Uuid) {
        self.0.remove(&machine);
    }

    /// Forgets machines that do not run.
    pub fn keep_only(&mut self, runs: impl Fn(Uuid) -> bool) {
        self.0.retain(|machine, _| machine.is_nil() || runs(*machine));
    }

    /// Takes note of a machine's virtual CPUs.
    pub fn note_vcpus(&mut self, machine: Uuid, current: u64, maximum: u64) {
        if let Some(run) = self.0.get_mut(&machine) {
            run.vcpus = Some((current, maximum));
        }
    }

    /// Virtual CPUs of a machine as told last in this run: present, possible.
    pub fn vcpus(&self, machine: Uuid) -> Option<(u64, u64)> {
        self.0.get(&machine)?.vcpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_run_keeps_its_number_until_something_says_that_it_is_another() {
        let mut runs = Runs::default();
        let first = runs.incarnation(VM, Some(3), Some(10), 1_000);
        assert_eq!(runs.incarnation(VM, Some(3), Some(20), 2_000), first);
        assert_eq!(runs.incarnation(VM, Some(3), None, 3_000), first, "nothing read is no sign");
        runs.note_vcpus(VM, 2, 4);
        let restarted = runs.incarnation(VM, Some(4), Some(30), 4_000);
        assert_ne!(restarted, first);
        assert_eq!(runs.vcpus(VM), None);
        let reused = runs.incarnation(VM, Some(4), Some(5), 5_000);
        assert_ne!(reused, restarted, "a daemon that began to count anew");
        runs.end(VM);
        let told = runs.incarnation(VM, Some(4), Some(6), 6_000);
        assert_ne!(told, reused, "its stop was told");
        runs.keep_only(|_| false);
        assert_ne!(runs.incarnation(VM, Some(4), Some(7), 7_000), told);
    }
}
