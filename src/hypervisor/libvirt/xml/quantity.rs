//! libvirt's sizes and other small notations.

use std::borrow::Cow;
use std::net::IpAddr;

/// A size in bytes from its number and unit (libvirt: virScaleInteger); too large ones saturate.
///
/// `KiB`, `K` and `k` are 1,024 bytes, `KB` is 1,000; words are case-insensitive. `None` for anything else.
pub fn bytes(number: &str, unit: &str) -> Option<u64> {
    let number: u64 = match number.trim().parse() {
        Ok(number) => number,
        // More digits than 64 bits hold: as many bytes as can be told.
        Err(_) if is_digits(number.trim()) => u64::MAX,
        Err(_) => return None,
    };
    Some(number.saturating_mul(unit_bytes(unit.trim())?))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn unit_bytes(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "b" | "byte" | "bytes") {
        return Some(1);
    }
    let power = "kmgtpe".find(unit.chars().next()?)? + 1;
    let power = u32::try_from(power).ok()?;
    match unit.get(1..)? {
        "" | "ib" => Some(1 << (10 * power)),
        "b" => 1000_u64.checked_pow(power),
        _ => None,
    }
}

/// At most `limit` bytes of a text, cut between characters.
pub fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len()))
}

/// Network in CIDR form of a host address with a prefix length or netmask.
///
/// Without either it is the class of an IPv4 address (as libvirt does) or 64 bits of an IPv6 one.
pub fn cidr(address: &str, prefix: Option<u32>, netmask: Option<&str>) -> Option<String> {
    let address: IpAddr = address.parse().ok()?;
    let prefix = prefix.or_else(|| netmask.and_then(mask_length)).unwrap_or_else(|| default_prefix(address));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(format!("{}/{prefix}", std::net::Ipv4Addr::from_bits(v4.to_bits() & mask)))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(format!("{}/{prefix}", std::net::Ipv6Addr::from_bits(v6.to_bits() & mask)))
        }
    }
}

fn mask_length(netmask: &str) -> Option<u32> {
    match netmask.parse().ok()? {
        IpAddr::V4(mask) => Some(mask.to_bits().leading_ones()),
        IpAddr::V6(mask) => Some(mask.to_bits().leading_ones()),
    }
}

fn default_prefix(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) if v4.octets()[0] < 128 => 8,
        IpAddr::V4(v4) if v4.octets()[0] < 192 => 16,
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 64,
    }
}
