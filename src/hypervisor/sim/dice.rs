//! Reproducible chance: numbers that depend on the seed and on what is asked, never on when or how often.

use uuid::Uuid;

/// What a number is drawn for; keeps draws about different things independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what is drawn")]
#[repr(u64)]
pub enum Topic {
    MachineUuid = 1,
    HostUuid,
    PoolUuid,
    NetworkUuid,
    Role,
    Shape,
    Disk,
    Nic,
    Mac,
    Load,
    Phase,
    Pattern,
    Jitter,
    Partner,
    Steady,
    Snapshot,
    Hardware,
    Place,
    Pool,
    Churn,
    Drip,
    Boot,
}

/// The dice of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// Dice for a seed and a name: two registrations with one seed get different worlds.
    pub fn new(seed: u64, name: &str) -> Self {
        let salt = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { seed: scramble(seed ^ scramble(salt)) }
    }

    /// A number for a topic and two indices.
    pub fn roll(self, topic: Topic, first: u64, second: u64) -> u64 {
        let mixed = scramble(self.seed ^ (topic as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        scramble(scramble(mixed ^ first).wrapping_add(second.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(self, bound: u64, topic: Topic, first: u64, second: u64) -> u64 {
        self.roll(topic, first, second).checked_rem(bound).unwrap_or(0)
    }

    /// One of the choices.
    pub fn pick<T: Copy>(self, choices: &[T], topic: Topic, first: u64, second: u64) -> Option<T> {
        let at = self.below(choices.len() as u64, topic, first, second);
        choices.get(usize::try_from(at).unwrap_or(0)).copied()
    }

    /// A UUID of the random kind.
    pub fn uuid(self, topic: Topic, first: u64, second: u64) -> Uuid {
        let high = self.roll(topic, first, second);
        let low = scramble(high ^ self.seed.rotate_left(17));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The finaliser of `SplitMix64`: every bit of the input moves every bit of the output.
fn scramble(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
