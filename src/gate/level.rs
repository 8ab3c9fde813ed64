//! The level from which on a member hears what the server logs.

use super::access::Access;
use super::bridge::{Member, Outcome};
use super::not_admitted::NotAdmitted;
use super::order::{Admitted, Busy, Gate};
use super::outcome;
use super::seat::Seat;
use crate::mcp::{Era, Raw};
use crate::policy::{LogLevel, Operation};
use crate::server::Internal;

// === impl Gate ===

impl Gate {
    /// Sets the level from which on a member wants to hear what the server logs. A modern server learns it with each
    /// request, a legacy one has one level for all who share it.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn set_level(
        &self,
        access: &Access,
        seat: &Seat,
        (member, level): (&Member, LogLevel),
        operation: Operation,
    ) -> Result<Outcome, NotAdmitted> {
        self.open()?;
        let _working = seat.inner.working();
        let child = self.child(access, seat).await?;
        // The rest of a call's bounds does not hold for it.
        let _share = child.share().ok_or_else(|| NotAdmitted::for_now(&Busy, None))?;
        let Admitted { child, permitted, record, .. } =
            self.admit(access, child, operation).await?;
        let of_all = member.set_level(level);
        let outcome = match child.hello().era() {
            Era::Modern => Outcome::Result(Raw::empty_object()),
            Era::Legacy => child.ask(Internal::SetLevel(of_all), self.call_timeout).await,
        };
        let (outcome, ending) = outcome::outcome(&permitted, outcome);
        record.end(ending);
        Ok(outcome)
    }
}
