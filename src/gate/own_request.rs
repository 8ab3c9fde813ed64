//! What mcpwrap asks a server for itself: recorded under the caller who caused it.

use std::sync::Arc;

use super::access::Access;
use super::bridge::{Catalogue, Freshness, Outcome, recording};
use super::not_admitted::NotAdmitted;
use super::order::Gate;
use super::seat::Seat;
use crate::auth::Principal;
use crate::server::Hello;

impl Gate {
    /// The annotated tools of the seat's child, asked for on first need and after its list has changed.
    ///
    /// # Errors
    /// When there is no child, or the audit log does not let the request pass.
    pub async fn catalogue(
        &self,
        access: &Access,
        seat: &Seat,
        freshness: Freshness,
    ) -> Result<Arc<Catalogue>, NotAdmitted> {
        let _working = seat.inner.working();
        let child = self.child(access, seat).await?;
        let record =
            || recording::own_request(&self.audit, access.principal(), "tools/list", &child);
        Ok(child.catalogue(freshness, record).await?)
    }

    /// Starts a child before anybody asks for one, and returns what it says about itself and its tools.
    ///
    /// # Errors
    /// When it may not or cannot be started.
    pub async fn warm(&self, principal: &Arc<Principal>) -> Result<(Hello, Outcome), NotAdmitted> {
        let access = self.access(principal)?;
        let (_seat, child) = self.pool.warm(&access.connect, access.key.clone()).await?;
        recording::own_request(&self.audit, principal, "tools/list", &child)?;
        let tools = child.list_tools(self.pool.start_timeout()).await;
        Ok((child.hello().clone(), tools))
    }
}
