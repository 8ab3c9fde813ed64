//! What was measured of calls in a slice of time.

use std::time::Duration;

/// The calls of one slice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) took: Duration,
    nanos: Vec<u64>,
}

impl Sample {
    pub(crate) fn took_one(&mut self, time: Duration) {
        self.nanos.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn calls(&self) -> f64 {
        self.nanos.len() as f64
    }

    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls() / self.took.as_secs_f64()
    }

    /// The median time of a call, in microseconds.
    pub(crate) fn p50(&self) -> f64 {
        median(self.nanos.iter().map(|nanos| *nanos as f64 / 1000.0).collect())
    }
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
