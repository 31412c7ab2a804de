//! The accounts of this machine: names of users, and who is in which group.
//!
//! A socket's peer credentials name a uid and its primary group. Its supplementary groups are
//! taken from its process where that can be seen, else from the account files. (The kernel's own
//! list, SO_PEERGROUPS, has no safe wrapper.)

use std::collections::BTreeSet;
use std::path::Path;

/// Largest account file read, in bytes.
const FILE: u64 = 16 * 1024 * 1024;

/// The name of a user, if the account files know one.
pub(super) fn user_name(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    lines("/etc/passwd").into_iter().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)? == uid).then_some(name)
    })
}

/// Names of the groups a peer is in.
pub(super) fn group_names(uid: u32, gid: u32, pid: Option<i32>, user: Option<&str>) -> BTreeSet<String> {
    let seen = pid.and_then(|pid| groups_of_process(pid, uid));
    lines("/etc/group")
        .into_iter()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, id, members] = fields[..] else { return None };
            let id: u32 = id.parse().ok()?;
            let is_member = match &seen {
                Some(groups) => groups.contains(&id),
                None => user.is_some_and(|user| members.split(',').any(|member| member == user)),
            };
            (id == gid || is_member).then(|| name.to_owned())
        })
        .collect()
}

/// Groups of a process, if it can be seen and still belongs to the user.
fn groups_of_process(pid: i32, uid: u32) -> Option<BTreeSet<u32>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let owner: u32 = line("Uid:")?.split_whitespace().nth(1)?.parse().ok()?;
    if owner != uid {
        return None;
    }
    Some(line("Groups:")?.split_whitespace().filter_map(|group| group.parse().ok()).collect())
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    let path = path.as_ref();
    if std::fs::metadata(path).is_ok_and(|file| file.len() > FILE) {
        return Vec::new();
    }
    std::fs::read_to_string(path).map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
}
