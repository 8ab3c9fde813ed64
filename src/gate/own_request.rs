//! What mcpwrap asks a server for itself: recorded like any call, under the caller who caused it.

use std::sync::Arc;

use super::access::Access;
use super::bridge::{Catalogue, Outcome};
use super::not_admitted::NotAdmitted;
use super::order::{Gate, Wanted};
use super::record;
use super::seat::Seat;
use crate::auth::Principal;
use crate::server::Hello;

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As fresh as the server's own change notices make it.
    Usual,
    /// Asked for now.
    Now,
}

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
        let child = self.child(access, seat, Wanted::Started).await?;
        if freshness == Freshness::Usual
            && let Some(known) = child.known_catalogue().await
        {
            return Ok(known);
        }
        record::own_request(&self.audit, access.principal(), "tools/list", &child)?;
        Ok(child.read_catalogue().await)
    }

    /// Starts a child before anybody asks for one, and returns what it says about itself and its tools.
    ///
    /// # Errors
    /// When it may not or cannot be started.
    pub async fn warm(&self, principal: &Arc<Principal>) -> Result<(Hello, Outcome), NotAdmitted> {
        let access = self.access(principal)?;
        let child = self.pool.warm(&access.connect, access.key.clone()).await?;
        record::own_request(&self.audit, principal, "tools/list", &child)?;
        let tools = child.list_tools().await;
        Ok((child.hello().clone(), tools))
    }
}
