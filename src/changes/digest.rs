//! The order-independent digest by which a client checks its copy.

use crate::model::Object;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a-64 over the name's bytes, then the revision as eight bytes, most significant first.
pub fn digest_of(name: &str, revision: u64) -> u64 {
    name.bytes()
        .chain(revision.to_be_bytes())
        .fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

/// XOR of [`digest_of`] over objects.
pub fn state_digest<'a>(objects: impl IntoIterator<Item = &'a Object>) -> u64 {
    objects.into_iter().fold(0, |digest, object| digest ^ digest_of(object.name.as_str(), object.revision))
}
