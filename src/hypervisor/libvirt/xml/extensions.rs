//! Keeps what no reader took: every remaining value of a document by its path.
//!
//! A path names elements from the root's children down, `memory/@dumpCore` for an attribute and
//! `on_crash` for a text. A position in brackets counts equally named siblings from 0; it is there
//! when there are several, and always below `devices`. A namespace prefix is written where it
//! differs from the parent's. An element without attributes, text and children has an empty value.

use super::reader::{Claims, Element, text_of};
use super::{quantity, secrets};
use roxmltree::Node;
use std::collections::{BTreeMap, HashMap};

/// Most values kept of one document; the rest is counted under [`LEFT_OUT`].
pub const MAX_ENTRIES: usize = 256;
/// Longest value kept, in bytes; a longer one is cut and says its real size.
pub const MAX_VALUE: usize = 4 << 10;
/// Longest path kept, in bytes; a value with a longer one is left out and counted.
pub const MAX_PATH: usize = 512;
/// Most bytes of paths and values kept of one document; the rest is left out and counted.
pub const MAX_TOTAL: usize = 64 << 10;
/// Key of the entry that says how many values were left out.
pub const LEFT_OUT: &str = "…";

/// Elements kept last when room is short: every device has one, and they are assigned by libvirt.
const PLUMBING: [&str; 4] = ["address", "alias", "controller", "seclabel"];

/// Prefixes of namespaces that libvirt itself gives a meaning, whatever a document calls them.
const PREFIXES: [(&str, &str); 6] = [
    ("http://libvirt.org/schemas/domain/qemu/1.0", "qemu"),
    ("http://libvirt.org/schemas/domain/lxc/1.0", "lxc"),
    ("http://libvirt.org/schemas/domain/xen/1.0", "xen"),
    ("http://libvirt.org/schemas/domain/bhyve/1.0", "bhyve"),
    ("http://libvirt.org/schemas/domain/test/1.0", "test"),
    ("urn:vrm:labels:1", "vrm"),
];

/// Every value below `root` that has not been read.
pub fn left_over(root: Element<'_, '_>) -> BTreeMap<String, String> {
    let mut walk = Walk { claims: root.claims(), plain: Kept::default(), plumbing: Kept::default() };
    walk.values(root.node(), "", false);
    walk.children(root.node(), "", false);
    walk.finish()
}

/// Values kept so far, in document order, and how many more there were.
#[derive(Default)]
struct Kept {
    entries: Vec<(String, String)>,
    left_out: usize,
}

impl Kept {
    fn add(&mut self, path: String, value: String) {
        if self.entries.len() < MAX_ENTRIES && path.len() <= MAX_PATH {
            self.entries.push((path, value));
        } else {
            self.left_out += 1;
        }
    }
}

struct Walk<'d> {
    claims: &'d Claims,
    plain: Kept,
    plumbing: Kept,
}

impl Walk<'_> {
    /// Visits the children of an element. Recursion is bounded by `guard::MAX_DEPTH`.
    fn children(&mut self, parent: Node<'_, '_>, path: &str, plumbing: bool) {
        let mut totals: HashMap<String, (usize, usize)> = HashMap::new();
        for child in parent.children().filter(Node::is_element) {
            totals.entry(step(child)).or_default().0 += 1;
        }
        let always_numbered = parent.tag_name().name() == "devices";
        for child in parent.children().filter(Node::is_element) {
            let name = step(child);
            let Some((total, seen)) = totals.get_mut(&name) else { continue };
            let numbered = always_numbered || *total > 1;
            let index = *seen;
            *seen += 1;
            let child_path = join(path, &name, numbered.then_some(index));
            self.element(child, &child_path, plumbing);
        }
    }

    fn element(&mut self, node: Node<'_, '_>, path: &str, plumbing: bool) {
        let name = node.tag_name().name();
        let plumbing = plumbing || PLUMBING.contains(&name);
        let parent = node.parent_element().map_or("", |parent| parent.tag_name().name());
        if secrets::is_secret_element(name) || secrets::is_user_data(parent, name) {
            self.keep(path.to_owned(), secrets::WITHHELD, plumbing);
        } else {
            self.values(node, path, plumbing);
            self.children(node, path, plumbing);
        }
    }

    /// Attributes and text of one element.
    fn values(&mut self, node: Node<'_, '_>, path: &str, plumbing: bool) {
        let id = node.id().get();
        let withheld = is_withheld(node);
        let shown = |value| if withheld { secrets::WITHHELD } else { value };
        for (part, attribute) in (1..).zip(node.attributes()) {
            if self.claims.contains(id, part) {
                continue;
            }
            let secret = secrets::is_secret_attribute(attribute.name());
            let value = if secret { secrets::WITHHELD } else { shown(attribute.value()) };
            let separator = if path.is_empty() { "" } else { "/" };
            let name = match attribute.namespace() {
                Some(uri) => prefixed(node, uri, attribute.name()),
                None => attribute.name().to_owned(),
            };
            self.keep(format!("{path}{separator}@{name}"), value, plumbing);
        }
        if self.claims.contains(id, 0) || path.is_empty() {
            return;
        }
        let text = text_of(node);
        let is_bare = node.attributes().len() == 0 && node.first_element_child().is_none();
        if !text.is_empty() || is_bare {
            self.keep(path.to_owned(), if text.is_empty() { "" } else { shown(&text) }, plumbing);
        }
    }

    fn keep(&mut self, path: String, value: &str, plumbing: bool) {
        let value = quantity::shortened(value, MAX_VALUE).into_owned();
        let kept = if plumbing { &mut self.plumbing } else { &mut self.plain };
        kept.add(path, value);
    }

    fn finish(self) -> BTreeMap<String, String> {
        let mut left_out = self.plain.left_out + self.plumbing.left_out;
        let mut bytes = 0;
        let mut kept = BTreeMap::new();
        for (path, value) in self.plain.entries.into_iter().chain(self.plumbing.entries) {
            let size = path.len() + value.len();
            // Two values can share a path only if a document redefines a well-known prefix.
            if kept.len() >= MAX_ENTRIES || bytes + size > MAX_TOTAL || kept.contains_key(&path) {
                left_out += 1;
                continue;
            }
            bytes += size;
            kept.insert(path, value);
        }
        if left_out > 0 {
            kept.insert(LEFT_OUT.to_owned(), format!("{left_out} further values"));
        }
        kept
    }
}

/// True if the element looks as if it carried a secret, or follows an option that announces one.
fn is_withheld(node: Node<'_, '_>) -> bool {
    let suspicious = |node: Node<'_, '_>| {
        secrets::is_suspicious(node.tag_name().name())
            || node.attributes().any(|attribute| {
                !secrets::is_secret_attribute(attribute.name()) && secrets::is_suspicious(attribute.value())
            })
            || secrets::is_suspicious(&text_of(node))
    };
    let follows = |before: Node<'_, '_>| before.tag_name() == node.tag_name() && suspicious(before);
    suspicious(node) || (is_argument(node) && node.prev_sibling_element().is_some_and(follows))
}

/// True for the words of a command line, where a value may follow its option.
fn is_argument(node: Node<'_, '_>) -> bool {
    matches!(node.tag_name().name(), "arg" | "initarg")
}

/// An element's name in a path.
fn step(node: Node<'_, '_>) -> String {
    let tag = node.tag_name();
    let parent = node.parent_element().and_then(|parent| parent.tag_name().namespace());
    match tag.namespace() {
        Some(uri) if Some(uri) != parent => prefixed(node, uri, tag.name()),
        _ => tag.name().to_owned(),
    }
}

/// A name with the prefix of its namespace; without one if it is the default namespace.
fn prefixed(node: Node<'_, '_>, uri: &str, name: &str) -> String {
    let known = PREFIXES.iter().find(|(known, _)| *known == uri).map(|(_, prefix)| *prefix);
    match known.or_else(|| node.lookup_prefix(uri)) {
        Some(prefix) => format!("{prefix}:{name}"),
        None => name.to_owned(),
    }
}

fn join(path: &str, name: &str, index: Option<usize>) -> String {
    let separator = if path.is_empty() { "" } else { "/" };
    match index {
        Some(index) => format!("{path}{separator}{name}[{index}]"),
        None => format!("{path}{separator}{name}"),
    }
}
