//! Who is asking: turns what a request carries into a [`Principal`], or refuses it.
//!
//! Only this module makes a [`Principal`]. It knows nothing of children, credentials to inject or MCP.

mod principal;

pub use principal::{Kind, Principal, UserId};
