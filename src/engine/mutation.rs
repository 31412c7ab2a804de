//! Faults built in on purpose, by which a test shows that they would be found. None of them is in a release build.

/// The engine publishes changes before the store has committed them: what must never happen. Switched on by
/// `VRM_MUTATION=tell-before-commit`, for `tests/process/soak.rs`.
#[cfg(debug_assertions)]
pub(super) fn tells_before_it_commits() -> bool {
    static SWITCHED_ON: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("VRM_MUTATION").is_some_and(|name| name == "tell-before-commit"));
    *SWITCHED_ON
}

/// Never in a release build.
#[cfg(not(debug_assertions))]
pub(super) const fn tells_before_it_commits() -> bool {
    false
}
