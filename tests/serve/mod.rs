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

/// Whether strict walls can be had here, which is found out without asking mcpwrap; where not, it is said.
fn permits_strict_walls() -> bool {
    use crate::support::kernel;
    let permits =
        kernel::has_landlock() && kernel::has_namespaces(nix::unistd::geteuid().is_root());
    if !permits {
        crate::skipped::notice("this machine does not permit namespaces");
    }
    permits
}
