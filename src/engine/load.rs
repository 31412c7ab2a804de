//! How the engine itself is: whether its disk takes what it is given, and whether it keeps up.

use crate::fault::catalogue::AlarmType;
use crate::fault::{Finding, Sign};
use crate::model::{Name, PerceivedSeverity};
use crate::store::StoreCondition;
use std::time::Duration;

/// A turn that takes longer is too long: everything else waits for it. 500 ms; usual are less than 5.
const LONG_TURN: Duration = Duration::from_millis(500);

/// What was seen since the last judgement.
#[derive(Debug, Default)]
pub(super) struct Load {
    crowded: bool,
    long_turn: bool,
}

impl Load {
    /// The window to the store was full.
    pub(super) fn crowded(&mut self) {
        self.crowded = true;
    }

    /// A turn took so long.
    pub(super) fn turn(&mut self, took: Duration) {
        self.long_turn |= took > LONG_TURN;
    }

    /// Whether the engine keeps up (catalogue type vrmOverload); begins to look anew.
    pub(super) fn judge(&mut self) -> Sign {
        let seen = std::mem::take(self);
        let (text, severity) = match (seen.crowded, seen.long_turn) {
            (true, _) => ("too much waits for the disk: polls wait, commands are refused", PerceivedSeverity::Major),
            (false, true) => ("turns of the engine take more than half a second", PerceivedSeverity::Minor),
            (false, false) => return Sign::Over { alarm_type: AlarmType::VrmOverload, object: Name::vrm() },
        };
        Sign::Present(Box::new(Finding::new(AlarmType::VrmOverload, &Name::vrm(), text).severity(severity)))
    }
}

/// What the condition of the store says (vrmStoreFailure).
pub(super) fn of_store(condition: StoreCondition) -> Sign {
    match condition {
        StoreCondition::Good => Sign::Over { alarm_type: AlarmType::VrmStoreFailure, object: Name::vrm() },
        StoreCondition::Full => {
            let text = "the disk under the state directory is full: changes are refused, alarms wait for space";
            Sign::Present(Box::new(Finding::new(AlarmType::VrmStoreFailure, &Name::vrm(), text)))
        }
    }
}
