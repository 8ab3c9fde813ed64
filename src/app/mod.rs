//! The composition root: builds the parts that a mode needs and runs them. The only module that knows both modes.

mod callers;
mod dev;
mod parts;
mod run;
mod runtime;
pub mod secret;
mod serve;
mod walls;
mod watch;

pub use dev::dev;
pub use run::{Error, News};
pub use serve::{check, serve};

pub(crate) use run::until_stopped;
pub(crate) use runtime::runtime;
pub(crate) use serve::{Built, build, open_store, outbound_client};
