//! Reading values out of a parsed document, and remembering which ones were read.
//!
//! Whatever a reader takes is *claimed*; `extensions` afterwards keeps everything that is not. So
//! no reader has to list what it leaves out, and nothing is dropped silently.

use super::error::XmlError;
use super::guard;
use super::quantity;
use roxmltree::{Document, Node, ParsingOptions};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;

/// Most prefixes without declaration that are repaired before a document counts as malformed.
const MAX_UNDECLARED_PREFIXES: usize = 16;

/// Longest text taken into the model, in bytes: an object has to fit into one message northbound.
/// A longer one is cut and says its real size.
const MAX_TEXT: usize = 4 << 10;

/// Runs `read` on the root element of `text`, which must be named `root`.
///
/// # Errors
/// Every [`XmlError`]; `read` itself may return [`XmlError::Missing`].
pub fn with_root<T>(
    text: &str,
    root: &'static str,
    read: impl FnOnce(Element<'_, '_>) -> Result<T, XmlError>,
) -> Result<T, XmlError> {
    guard::check(text)?;
    match parse(text) {
        Err(roxmltree::Error::UnknownNamespace(..)) => {
            let repaired = declare_prefixes(text)?;
            read_root(&parse(&repaired).map_err(|error| refusal(&error))?, root, read)
        }
        parsed => read_root(&parsed.map_err(|error| refusal(&error))?, root, read),
    }
}

fn read_root<T>(
    document: &Document<'_>,
    root: &'static str,
    read: impl FnOnce(Element<'_, '_>) -> Result<T, XmlError>,
) -> Result<T, XmlError> {
    let node = document.root_element();
    if !is_named(node, root) {
        let found = quantity::shortened(node.tag_name().name(), 64).into_owned();
        return Err(XmlError::WrongRoot { expected: root, found });
    }
    let claims = Claims::default();
    read(Element { node, claims: &claims })
}

fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: guard::MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
}

fn refusal(error: &roxmltree::Error) -> XmlError {
    match error {
        roxmltree::Error::DtdDetected => XmlError::DocumentType,
        roxmltree::Error::NodesLimitReached => XmlError::TooComplex { what: "nodes", limit: guard::MAX_NODES as usize },
        other => XmlError::Malformed(quantity::shortened(&other.to_string(), 256).into_owned()),
    }
}

/// Declares prefixes that the document uses without declaring them.
///
/// libxml2 takes such names as they are, so libvirt may hand out metadata with them.
fn declare_prefixes(text: &str) -> Result<String, XmlError> {
    let mut text = text.to_owned();
    for _ in 0..MAX_UNDECLARED_PREFIXES {
        let prefix = match parse(&text) {
            Err(roxmltree::Error::UnknownNamespace(prefix, _)) => prefix,
            Ok(_) | Err(_) => return Ok(text),
        };
        let Some(at) = end_of_root_name(&text) else { return Ok(text) };
        let (before, after) = text.split_at(at);
        text = format!("{before} xmlns:{prefix}=\"urn:vrm:undeclared:{prefix}\"{after}");
    }
    Err(XmlError::TooComplex { what: "undeclared prefixes", limit: MAX_UNDECLARED_PREFIXES })
}

/// Where the name of the first start tag ends.
fn end_of_root_name(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('<')?;
        let name = text.get(open + 1..)?;
        let skip = if name.starts_with("!--") {
            "-->"
        } else if name.starts_with('?') {
            "?>"
        } else {
            let length = name.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')?;
            return Some(open + 1 + length);
        };
        from = open + name.find(skip)? + 1;
    }
}

/// True if `node` is an element of that name in no namespace, as all of libvirt's own are.
fn is_named(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name && node.tag_name().namespace().is_none()
}

/// What has been read: node ids, with 0 for an element's own text or presence and `n + 1` for its `n`th attribute.
#[derive(Debug, Default)]
pub struct Claims(RefCell<HashSet<(u32, u32)>>);

impl Claims {
    fn add(&self, node: u32, part: u32) {
        self.0.borrow_mut().insert((node, part));
    }

    /// True if that part of that node was read.
    pub fn contains(&self, node: u32, part: u32) -> bool {
        self.0.borrow().contains(&(node, part))
    }
}

/// An element of a document.
#[derive(Clone, Copy, Debug)]
pub struct Element<'d, 'i> {
    node: Node<'d, 'i>,
    claims: &'d Claims,
}

impl<'d, 'i: 'd> Element<'d, 'i> {
    /// The parsed node, for walking what was not read.
    pub fn node(self) -> Node<'d, 'i> {
        self.node
    }

    /// What has been read of the document so far.
    pub fn claims(self) -> &'d Claims {
        self.claims
    }

    /// The element's name.
    pub fn name(self) -> &'d str {
        self.node.tag_name().name()
    }

    /// Children of that name, in no namespace.
    pub fn children(self, name: &'d str) -> impl Iterator<Item = Self> + 'd {
        self.elements().filter(move |child| is_named(child.node, name))
    }

    /// All child elements.
    pub fn elements(self) -> impl Iterator<Item = Self> + 'd {
        let claims = self.claims;
        self.node.children().filter(Node::is_element).map(move |node| Self { node, claims })
    }

    /// Child elements of that name in that namespace.
    pub fn children_in(self, namespace: &'d str, name: &'d str) -> impl Iterator<Item = Self> + 'd {
        self.elements().filter(move |child| {
            let tag = child.node.tag_name();
            tag.name() == name && tag.namespace() == Some(namespace)
        })
    }

    /// First child of that name.
    pub fn child(self, name: &'d str) -> Option<Self> {
        self.children(name).next()
    }

    /// First descendant along a path of names separated by `/`.
    pub fn at(self, path: &'d str) -> Option<Self> {
        path.split('/').try_fold(self, Self::child)
    }

    /// An attribute, read.
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        let value = self.peek(name)?;
        self.claim_attribute(name);
        Some(value)
    }

    /// An attribute, looked at but not read: it stays among what is left over.
    pub fn peek(self, name: &str) -> Option<&'d str> {
        self.node.attributes().find(|attribute| attribute.name() == name && attribute.namespace().is_none()).map(
            // The value borrows from the document, not from the iterator.
            |attribute| attribute.value(),
        )
    }

    /// An attribute as text, empty if it is not there.
    pub fn word(self, name: &str) -> String {
        bounded(self.attribute(name).unwrap_or_default().trim())
    }

    /// An attribute as a number; one that is no number stays left over.
    pub fn number<N: std::str::FromStr>(self, name: &str) -> Option<N> {
        let number = self.peek(name)?.trim().parse().ok()?;
        self.claim_attribute(name);
        Some(number)
    }

    /// True if the attribute says `yes`; any other word stays left over, unless it is `no`.
    pub fn is_yes(self, name: &str) -> bool {
        let value = self.peek(name);
        if matches!(value, Some("yes" | "no")) {
            self.claim_attribute(name);
        }
        value == Some("yes")
    }

    /// The element's text without surrounding white space, read.
    pub fn text(self) -> Cow<'d, str> {
        self.claim();
        self.peek_text()
    }

    /// The element's text without surrounding white space, looked at but not read.
    pub fn peek_text(self) -> Cow<'d, str> {
        text_of(self.node)
    }

    /// Text of the first child of that name, read; empty if there is none.
    pub fn text_of(self, path: &'d str) -> String {
        self.at(path).map(|child| bounded(&child.text())).unwrap_or_default()
    }

    /// Text of the element as a number; anything else stays left over.
    pub fn text_number<N: std::str::FromStr>(self) -> Option<N> {
        let number = self.peek_text().parse().ok()?;
        self.claim();
        Some(number)
    }

    /// Text of the element in bytes, by its attribute `unit`, whose absence means `default_unit`.
    ///
    /// A size that cannot be understood stays left over, with its unit.
    pub fn bytes(self, default_unit: &str) -> Option<u64> {
        let size = quantity::bytes(&self.peek_text(), self.peek("unit").unwrap_or(default_unit))?;
        self.claim();
        self.claim_attribute("unit");
        Some(size)
    }

    /// True if there is a child of that name; its presence counts as read.
    pub fn has(self, name: &'d str) -> bool {
        self.child(name).is_some_and(|child| {
            child.claim();
            true
        })
    }

    /// Marks the element's own text (or its presence) as read.
    pub fn claim(self) {
        self.claims.add(self.node.id().get(), 0);
    }

    /// Marks an attribute as read.
    pub fn claim_attribute(self, name: &str) {
        let index =
            self.node.attributes().position(|attribute| attribute.name() == name && attribute.namespace().is_none());
        if let Some(part) = index.and_then(|index| u32::try_from(index + 1).ok()) {
            self.claims.add(self.node.id().get(), part);
        }
    }
}

fn bounded(text: &str) -> String {
    quantity::shortened(text, MAX_TEXT).into_owned()
}

/// The text directly inside an element, without surrounding white space.
pub fn text_of<'d>(node: Node<'d, '_>) -> Cow<'d, str> {
    let mut pieces = node.children().filter(Node::is_text).filter_map(|piece| piece.text());
    let first = pieces.next().unwrap_or_default();
    match pieces.next() {
        None => Cow::Borrowed(first.trim()),
        Some(second) => {
            let whole: String = [first, second].into_iter().chain(pieces).collect();
            Cow::Owned(whole.trim().to_owned())
        }
    }
}
