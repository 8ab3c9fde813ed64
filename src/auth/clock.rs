//! What time it is: the wall clock that tokens are judged by, and a steady one for ages and cool-downs.
//!
//! Both are closures, so that tests move time by hand. It knows nothing of tokens.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of day and a steady time; a clone reads the same clock.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    steady: Arc<dyn Fn() -> Duration + Send + Sync>,
}

// === impl Clock ===

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        let start = Instant::now();
        Self::new(SystemTime::now, move || start.elapsed())
    }

    /// A clock of one's own: the time of day, and a duration that never goes backwards.
    pub fn new(
        wall: impl Fn() -> SystemTime + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), steady: Arc::new(steady) }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.wall)()
    }

    pub(super) fn unix(&self) -> f64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    pub(super) fn steady(&self) -> Duration {
        (self.steady)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
