//! What must not be kept of a document (REQ-SEC-NON-07).
//!
//! libvirt itself leaves secrets out of what it hands to a read-only connection, but command lines,
//! guest user data and free metadata go through unchanged. What is withheld is still shown to exist.

/// Stands in the place of a value that was not kept.
pub const WITHHELD: &str = "(withheld)";

/// Words that make a value suspicious, in its name or in itself.
const WORDS: [&str; 10] = [
    "passw",
    "secret",
    "token",
    "credential",
    "cookie",
    "private key",
    "private_key",
    "privatekey",
    "apikey",
    "api_key",
];

/// Elements that are withheld whole, whatever they contain.
const ELEMENTS: [&str; 6] = ["auth", "secret", "cookies", "session", "dhCert", "encryption-key"];

/// Attributes that are always withheld: a URL's query often carries a signature.
const ATTRIBUTES: [&str; 4] = ["passwd", "password", "key", "query"];

/// True if nothing inside the element may be kept.
pub fn is_secret_element(name: &str) -> bool {
    ELEMENTS.contains(&name)
}

/// True if the attribute is withheld whatever its value.
pub fn is_secret_attribute(name: &str) -> bool {
    ATTRIBUTES.contains(&name)
}

/// True if the element carries guest user data: firmware files (ignition, cloud-init) and vendor strings.
pub fn is_user_data(parent: &str, name: &str) -> bool {
    name == "entry" && matches!(parent, "sysinfo" | "oemStrings")
}

/// True if a value looks as if it carried a secret.
pub fn is_suspicious(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word)) || lower.contains(":key=") || has_user_info(value)
}

/// True if the text contains an address with a password, `scheme://user:password@host`.
fn has_user_info(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', '"', ' ']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

/// A source path as it may be shown: QEMU's inline notations can carry keys, plain paths cannot.
pub fn public_source(source: &str) -> String {
    let inline = ["json:", "rbd:", "nbd:", "iscsi:", "http:", "https:", "ftp:", "ftps:", "ssh:", "sheepdog:"];
    if inline.iter().any(|prefix| source.starts_with(prefix)) && is_suspicious(source) {
        let scheme = source.split_once(':').map_or("", |(scheme, _)| scheme);
        return format!("{scheme}:{WITHHELD}");
    }
    source.to_owned()
}
