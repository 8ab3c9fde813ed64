//! The composition root: builds the parts that a mode needs and runs them. The only file that knows both modes.

mod dev;
mod run;
mod watch;

pub use dev::dev;
pub use run::{Error, News};
