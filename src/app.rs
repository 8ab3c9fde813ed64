//! The composition root: builds the parts that a mode needs and runs them. The only file that knows both modes.

mod callers;
pub mod demo;
mod dev;
mod parts;
mod run;
pub mod secret;
mod serve;
mod walls;
mod watch;

pub use dev::dev;
pub use run::{Error, News};
pub use serve::{check, serve};
