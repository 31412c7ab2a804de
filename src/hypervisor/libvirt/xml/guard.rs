//! Bounds on a document, checked in one linear pass before it is parsed.
//!
//! The parser itself compares every attribute of an element with every other and copies the
//! namespaces in force; both are quadratic, so a hostile host could keep a thread busy for minutes
//! within the size limit. This pass refuses such documents in microseconds.

use super::error::XmlError;

/// Largest document read: libvirt's own limit of one string on the wire (`REMOTE_STRING_MAX`).
pub const MAX_BYTES: usize = 4 << 20;
/// Most nodes (elements, texts, comments) of a document.
pub const MAX_NODES: u32 = 100_000;
/// Deepest nesting: libxml2's limit, so a deeper document cannot come from libvirt itself.
pub const MAX_DEPTH: usize = 256;
/// Most attributes of one element; real documents have fewer than twenty.
pub const MAX_ATTRIBUTES: usize = 1_024;
/// Most namespace declarations of a document; real documents have fewer than ten.
pub const MAX_NAMESPACES: usize = 256;

/// Checks size, depth, attributes per element, namespaces and the absence of a document type.
///
/// # Errors
/// [`XmlError::TooLarge`], [`XmlError::TooComplex`] or [`XmlError::DocumentType`]. Documents that
/// are not well-formed pass; the parser judges those.
pub fn check(text: &str) -> Result<(), XmlError> {
    if text.len() > MAX_BYTES {
        return Err(XmlError::TooLarge { bytes: text.len(), limit: MAX_BYTES });
    }
    let mut depth = 0_usize;
    let mut namespaces = 0_usize;
    let mut rest = text.as_bytes();
    while let Some(start) = find(rest, b"<") {
        rest = &rest[start..];
        rest = match skipped(rest)? {
            Some(after) => after,
            None => {
                let tag = tag_end(rest);
                let (body, after) = rest.split_at(tag);
                namespaces += check_tag(body)?;
                depth = depth_after(body, depth);
                after
            }
        };
        if depth > MAX_DEPTH {
            return Err(XmlError::TooComplex { what: "nested elements", limit: MAX_DEPTH });
        }
        if namespaces > MAX_NAMESPACES {
            return Err(XmlError::TooComplex { what: "namespace declarations", limit: MAX_NAMESPACES });
        }
    }
    Ok(())
}

/// What follows a comment, CDATA section or processing instruction; nothing if it is a tag.
fn skipped(rest: &[u8]) -> Result<Option<&[u8]>, XmlError> {
    let end: &[u8] = if rest.starts_with(b"<!--") {
        b"-->"
    } else if rest.starts_with(b"<![CDATA[") {
        b"]]>"
    } else if rest.starts_with(b"<?") {
        b"?>"
    } else if rest.starts_with(b"<!") {
        return Err(XmlError::DocumentType);
    } else {
        return Ok(None);
    };
    Ok(Some(find(rest, end).map_or(&[][..], |at| &rest[at..])))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [byte] => haystack.iter().position(|other| other == byte),
        _ => haystack.windows(needle.len()).position(|window| window == needle),
    }
}

/// Length of the tag at the start, including its `>`; quotes may contain one.
fn tag_end(rest: &[u8]) -> usize {
    let mut quote = None;
    for (at, &byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    rest.len()
}

/// Number of namespace declarations in a tag.
fn check_tag(tag: &[u8]) -> Result<usize, XmlError> {
    let attributes = tag.iter().filter(|&&byte| byte == b'=').count();
    // Values may contain equal signs too: only then the quotes have to be told apart.
    if attributes > MAX_ATTRIBUTES && unquoted_equals(tag) > MAX_ATTRIBUTES {
        return Err(XmlError::TooComplex { what: "attributes of one element", limit: MAX_ATTRIBUTES });
    }
    Ok(if attributes == 0 { 0 } else { tag.windows(5).filter(|window| window == b"xmlns").count() })
}

fn unquoted_equals(tag: &[u8]) -> usize {
    let mut quote = None;
    let mut count = 0;
    for &byte in tag {
        match (quote, byte) {
            (None, b'=') => count += 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    count
}

fn depth_after(tag: &[u8], depth: usize) -> usize {
    if tag.starts_with(b"</") {
        depth.saturating_sub(1)
    } else if tag.ends_with(b"/>") {
        depth
    } else {
        depth + 1
    }
}
