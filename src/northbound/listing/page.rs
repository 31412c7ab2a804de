//! Page arguments of a list request.

use super::token::{Token, digest};
use crate::changes::Position;
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::published::Published;
use crate::northbound::reason::Reason;

/// What a list request says about its pages.
#[derive(Clone, Copy, Debug)]
pub struct PageArguments<'a> {
    /// Objects per page; 0 for the default.
    pub page_size: i32,
    /// Where to go on; empty for the first page.
    pub page_token: &'a str,
}

/// Where a page begins.
#[derive(Clone, Debug)]
pub struct PageStart {
    /// Objects per page.
    pub size: usize,
    /// Position of the first page.
    pub position: Position,
    /// Sort key and name of the last object sent; nothing on the first page.
    pub after: Option<(String, String)>,
    arguments: String,
}

impl PageStart {
    /// Checks page size and token against the other arguments of the request.
    ///
    /// # Errors
    /// `INVALID_FIELD` for a negative size, `INVALID_PAGE_TOKEN` for a token that is not ours,
    /// belongs to other arguments or to a log that is gone.
    pub fn new(published: &Published, arguments: PageArguments<'_>, others: &[&str]) -> Result<Self, Failure> {
        let size = page_size(arguments.page_size)?;
        let digest = digest(others);
        if arguments.page_token.is_empty() {
            return Ok(Self { size, position: published.log.position(), after: None, arguments: digest });
        }
        let bad = |what: &str| Failure::violation(Reason::InvalidPageToken, "page_token", what);
        let token = Token::decode(arguments.page_token).ok_or_else(|| bad("is not a token of this server"))?;
        if token.arguments != digest {
            return Err(bad("belongs to a list with other arguments"));
        }
        if token.epoch != published.log.epoch() {
            return Err(bad("belongs to a log that is gone: begin with the first page"));
        }
        let position = Position { epoch: token.epoch, sequence: token.sequence };
        Ok(Self { size, position, after: Some((token.key, token.name)), arguments: digest })
    }

    /// The token of the page after the object with this key and name.
    pub fn next_token(&self, key: String, name: String) -> String {
        let Position { epoch, sequence } = self.position.clone();
        Token { arguments: self.arguments.clone(), epoch, sequence, key, name }.encode()
    }
}

/// Objects per page.
///
/// # Errors
/// `INVALID_FIELD` for a negative one.
pub fn page_size(asked: i32) -> Result<usize, Failure> {
    match usize::try_from(asked) {
        Err(_) => Err(Failure::field("page_size", "must not be negative")),
        Ok(0) => Ok(limits::PAGE_DEFAULT),
        Ok(size) => Ok(size.min(limits::PAGE_MOST)),
    }
}
