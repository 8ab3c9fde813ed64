//! What a client says without asking for anything: its notifications, and its answers to questions outside any call.

use super::access::Access;
use super::bridge::recording;
use super::not_admitted::NotAdmitted;
use super::order::{Gate, own};
use super::seat::{OutsideAsk, Seat};
use crate::mcp::{Era, ErrorObject, Raw};
use crate::policy::{Operation, Permitted};

/// A client's notifications that a server is told; its handshake and its cancellations are the session's own. Whatever
/// else comes without an id goes nowhere (basic/utilities/progress, client/roots, 2025-11-25 basic/utilities/tasks).
const PASSED_ON: [&str; 3] =
    ["notifications/progress", "notifications/roots/list_changed", "notifications/tasks/status"];

impl Gate {
    /// Tells a legacy server one of MCP's own notifications; any other goes nowhere, and so does one for a server that
    /// does not run (a successor never heard of what it is about).
    ///
    /// # Errors
    /// When policy or the audit log does not let it pass.
    pub fn notify(
        &self,
        access: &Access,
        seat: &Seat,
        notification: Operation,
    ) -> Result<(), NotAdmitted> {
        if !PASSED_ON.contains(&notification.method.as_ref()) {
            tracing::debug!(method = %notification.method, "not a notification that goes on; dropped");
            return Ok(());
        }
        own(access, seat.key())?;
        let running = seat.running().filter(|child| child.hello().era() == Era::Legacy);
        let Some(child) = running else { return Ok(()) };
        let permitted = self.policy.authorize(access.principal(), notification)?;
        let record =
            |permitted: &Permitted| recording::notification(&self.audit, permitted, &child);
        Ok(child.notify(permitted, record)?)
    }

    /// Hands a child the client's answer to its question that belongs to no call.
    ///
    /// # Errors
    /// When the audit log does not let it pass.
    pub fn answer(
        &self,
        access: &Access,
        seat: &Seat,
        ask: &OutsideAsk,
        outcome: Result<Raw, ErrorObject>,
    ) -> Result<(), NotAdmitted> {
        own(access, seat.key())?;
        // It may drain already; its successor never asked.
        let Some(child) = seat.child(ask.child) else { return Ok(()) };
        recording::answer(&self.audit, access.principal(), &ask.method, &outcome, &child)?;
        child.answer_outside(&ask.key, outcome);
        Ok(())
    }
}
