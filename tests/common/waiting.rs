//! Waiting for a value, and saying what cannot be tested here.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is a value; fails after `limit`, saying what was waited for. Answers the time it took too.
pub async fn wait_for<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let asked = Instant::now();
    loop {
        if let Some(value) = ask().await {
            return (value, asked.elapsed());
        }
        assert!(asked.elapsed() < limit, "waited {limit:?} in vain: {what}");
        pause().await;
    }
}

/// The pause between two looks at something that tells nobody when it changes.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Asks until it is so.
pub async fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    wait_for(what, PATIENCE, async || met().then_some(())).await;
}

/// Says why a test cannot run here; the test returns then.
pub fn skip_because(reason: &str) {
    eprintln!("skipped: {reason}");
}
