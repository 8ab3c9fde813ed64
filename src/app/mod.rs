//! The composition root: builds the parts that a mode needs and runs them. The only module that knows both modes.

mod callers;
mod dev;
mod hidden;
mod outbound_client;
mod parts;
mod protect;
mod proxy_cautions;
mod run;
mod runtime;
pub mod secret;
mod serve;
mod shown;
mod sources;
mod walls;
mod watch;

pub use dev::dev;
pub use protect::{Rereading, protect};
pub use run::{Error, News};
pub use serve::{check, serve};

pub(crate) use outbound_client::outbound_client;
pub(crate) use run::until_stopped;
pub(crate) use runtime::runtime;
pub(crate) use serve::{Built, build};
pub(crate) use sources::open_store;
