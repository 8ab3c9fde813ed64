//! A step of a child's preparation, which may fail and then says what it was.

use nix::errno::Errno;

use crate::process::ExecFailure;

/// A step that failed.
#[derive(Debug)]
pub(super) struct Step {
    step: String,
    pub(super) errno: Errno,
}

// === impl Step ===

impl Step {
    pub(super) fn new(step: impl Into<String>, errno: Errno) -> Self {
        Self { step: step.into(), errno }
    }

    pub(super) fn of(step: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::new(step, errno)
    }

    pub(super) fn io(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(step, Errno::from_raw(error.raw_os_error().unwrap_or_default()))
    }
}

impl From<Step> for ExecFailure {
    fn from(step: Step) -> Self {
        Self::Preparation { step: step.step, errno: step.errno as i32 }
    }
}
