//! How far the daemon, or one host, may be changed.

/// Upper bound of what is done to hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Read-only.
    #[default]
    Monitor,
    /// Read-write.
    Manage,
}

/// Reads a profile's name.
pub(super) fn parse_profile(text: &str) -> Result<Profile, String> {
    match text {
        "monitor" => Ok(Profile::Monitor),
        "manage" => Ok(Profile::Manage),
        other => Err(format!("{other:?} is neither monitor nor manage")),
    }
}
