//! Words of other tools, and of later versions: what they are called here. Pure.

use super::exit::Failure;

/// A word, what it is called here, and whether this version can do it.
const WORDS: [(&str, &str, bool); 32] = [
    ("list", "get vms", true),
    ("ls", "get vms", true),
    ("show", "describe vm NAME", true),
    ("dominfo", "describe vm NAME", true),
    ("domstate", "get vm NAME", true),
    ("dumpxml", "describe vm NAME -o yaml", true),
    ("nodeinfo", "describe host NAME", true),
    ("capabilities", "describe host NAME", true),
    ("pool-list", "get pools", true),
    ("vol-list", "get volumes", true),
    ("net-list", "get networks", true),
    ("snapshot-list", "get snapshots", true),
    ("event", "watch vms", true),
    ("version", "info", true),
    ("status", "summary", true),
    ("connect", "context use NAME", true),
    ("alerts", "get alarms", true),
    ("acknowledge", "ack alarm ID", true),
    ("maintenance", "lock host NAME", true),
    ("destroy", "stop vm NAME --force", false),
    ("shutdown", "stop vm NAME", false),
    ("poweroff", "stop vm NAME --force", false),
    ("undefine", "delete vm NAME", false),
    ("managedsave", "suspend vm NAME", false),
    ("define", "create vm -f FILE", false),
    ("start", "start vm NAME", false),
    ("stop", "stop vm NAME", false),
    ("reboot", "reboot vm NAME", false),
    ("reset", "reset vm NAME", false),
    ("pause", "pause vm NAME", false),
    ("migrate", "migrate vm NAME --to HOST", false),
    ("drain", "drain host NAME", false),
];

/// Our own verbs, for misspellings.
const VERBS: [&str; 36] = [
    "get",
    "describe",
    "watch",
    "summary",
    "info",
    "explain",
    "history",
    "ack",
    "unack",
    "clear",
    "comment",
    "shelve",
    "unshelve",
    "link",
    "raise",
    "query",
    "top",
    "report",
    "suspend",
    "resume",
    "lock",
    "unlock",
    "create",
    "delete",
    "label",
    "expect",
    "register",
    "deregister",
    "end",
    "check",
    "context",
    "config",
    "proto",
    "sim",
    "try",
    "completion",
];

/// The failure of a command that is none of ours.
pub fn failure(word: &str) -> Failure {
    let lower = word.to_ascii_lowercase();
    if let Some((_, ours, is_here)) = WORDS.iter().find(|(known, _, _)| *known == lower) {
        return if *is_here {
            Failure::usage(format!("{word:?} is called otherwise here")).with_next(format!("vrmctl {ours}"))
        } else if ours.starts_with(&lower) {
            Failure::usage(format!(
                "{word:?}: this version changes no virtual machines, storage or hosts; use virsh meanwhile"
            ))
            .with_next("vrmctl --help")
        } else {
            Failure::usage(format!(
                "{word:?} will be called 'vrmctl {ours}'; this version changes no virtual machines, storage or hosts: use virsh meanwhile"
            ))
        };
    }
    let near = VERBS.iter().min_by_key(|verb| distance(verb, &lower)).filter(|verb| distance(verb, &lower) <= 2);
    let failure = Failure::usage(format!("unknown command {word:?}"));
    match near {
        Some(verb) => failure.with_next(format!("vrmctl {verb}")),
        None => failure.with_next("vrmctl --help"),
    }
}

/// Levenshtein distance; words are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(32).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (before + usize::from(letter != *other)).min(above + 1).min(row[j] + 1);
            before = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_virsh_lead_to_ours() {
        for word in ["destroy", "shutdown", "undefine", "managedsave", "list"] {
            assert!(failure(word).to_string().contains("vrmctl "), "{word}");
        }
        assert!(failure("destroy").to_string().contains("stop vm NAME --force"));
        assert!(failure("list").to_string().contains("vrmctl get vms"));
        assert!(failure("start").what.contains("this version"));
    }

    #[test]
    fn misspellings_lead_to_the_nearest_verb() {
        assert_eq!(failure("descrbe").next.as_deref(), Some("vrmctl describe"));
        assert_eq!(failure("frobnicate").next.as_deref(), Some("vrmctl --help"));
    }
}
