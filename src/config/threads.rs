//! How many threads work on calls. It does not know what they do.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::key;
use super::layers::Layers;
use super::value;

pub(super) fn resolve(layers: &mut Layers<'_>) -> usize {
    layers.one(&key::THREADS, default_threads(), value::count)
}

/// Half the cores, and at least one: a call is short work here and long work in its child, which needs the other half.
/// Two threads that both wait for one call hand the I/O driver to each other, at four system calls a time.
#[must_use]
pub fn default_threads() -> usize {
    (available_parallelism().map_or(1, NonZero::get) / 2).max(1)
}
