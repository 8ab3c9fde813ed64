//! The one way to a child.
//!
//! Whatever a client wants of a server passes here, in whichever era it speaks, and the order stands in one place
//! (`order.rs`): connect → child → authorize → audit `begin` → dispatch → outcome → audit `end`. A caller is let in once
//! a request ([`Access`]), sits down at his child ([`Seat`]), and gets a [`Call`] for each thing he asks. Every answer
//! to a client's call goes through `outcome.rs` before an era puts it into words; what a client says without asking
//! (`message.rs`) and what mcpwrap asks for itself (`own_request.rs`) is on record as well.
//!
//! The bridge is declared here and not beside the other modules, so that the compiler keeps everybody else away from
//! pools and children: what stands in the list of re-exports below is vocabulary and the way children are started,
//! nothing by which one can be reached. The gate knows nothing of HTTP, of how a session lives or of its streams.

mod access;
mod call;
mod level;
mod message;
mod not_admitted;
mod order;
mod outcome;
mod own_request;
mod seat;
mod upkeep;

#[expect(unreachable_pub, reason = "what is public in the bridge is so to the gate alone")]
#[path = "../bridge/mod.rs"]
mod bridge;

pub use access::Access;
pub use bridge::{
    ANNOTATION, Annotated, Ask, AskKey, Canceller, Catalogue, Confinement, Event, Freshness,
    HomeLimit, HomeScope, Homes, Isolated, Keep, Launcher, MOST_URIS, Mailbox, Member, Notice,
    Opened, Outcome, Remaining, Retry, Role, Settings as PoolSettings, Trace, Undeclared,
    is_covered, stand_in_answer,
};
pub use call::Call;
pub use not_admitted::NotAdmitted;
pub use order::{Admitted, Gate, Parts};
pub use seat::{OutsideAsk, Seat};
