//! What was typed, exported and written down, turned into what the program needs.
//!
//! Flags beat environment (`MCPWRAP_…`) beats file beats default; a setting has one [name](key) in all of them.
//! Everything here is pure: no file is opened, nothing is printed. A [`Problem`](crate::problem::Problem) says who said what is wrong.

mod auth;
mod child;
mod demo;
mod dev;
mod file;
mod http;
mod issuer;
pub mod key;
mod layers;
mod name;
mod output;
mod secret;
mod serve;
mod state;
#[cfg(test)]
mod tests;
mod threads;
mod value;
mod wrong;

pub use auth::{Admission, Audience, Auth, Claim, Introspection};
pub use child::{Child, ChildEra, ChildScope};
pub use demo::{Demo, Rounds, demo};
pub use dev::{ClientApp, Dev, dev};
pub use http::{Http, LegacySse, Listen, Port};
pub use issuer::{Client, Issuer};
pub use layers::{Origins, Typed};
pub use output::{Audit, AuditDurability, Trace};
pub use secret::{
    Owner, Secret, SecretAction, SecretInput, SecretLocation, TypedOwner, TypedSecret, secret,
};
pub use serve::{
    Credentials, HomeScope, Isolation, IsolationLevel, Limits, MAX_FILE, PublicUrl, Serve,
    UidRange, serve,
};
pub use state::{Store, store};
pub use threads::default_threads;
