//! `mcpwrap serve` under attack: the real binary, real children, and an identity provider and a vault of the tests'
//! own that lie, stall and fail as they are told. One file per promise; each test is an attack or the control of one.
//!
//! Nothing here uses the product's code. Numbers in parentheses are those of the authorization checklist.

mod audit;
mod authorities;
mod challenges;
mod credentials;
mod crowd;
mod faults;
mod hidden;
mod homes;
mod identity;
mod introspection;
mod keys;
mod memory;
mod probe;
mod sessions;
mod shares;
mod silence;
mod stalls;
mod startup;
mod tokens;
mod vault;
mod walls;
mod weaker;
