//! Why a document of libvirt could not be read. Texts are bounded and never quote content.

/// Why an XML document could not be turned into a typed object.
///
/// The object it describes stays listed with this reason (`definition_unread`); it is never dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The document is larger than [`super::guard::MAX_BYTES`].
    #[error("document of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A bound on the document's shape is passed: depth, nodes, attributes or namespaces.
    #[error("more than {limit} {what}")]
    TooComplex {
        /// What there is too much of, e.g. `nested elements`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The document declares a document type; entities are never expanded.
    #[error("document type declarations are refused")]
    DocumentType,
    /// Not well-formed XML.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// Well-formed, but another kind of document.
    #[error("document is <{found}>, expected <{expected}>")]
    WrongRoot {
        /// Element that was expected.
        expected: &'static str,
        /// Element that was found, at most 64 bytes of it.
        found: String,
    },
    /// An element that identifies the object is missing or unusable.
    #[error("<{0}> is missing or unusable")]
    Missing(&'static str),
}
