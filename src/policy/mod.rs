//! What a caller may do: turns an [`Operation`] into a [`Permitted`], or refuses it.
//!
//! Only this module makes a [`Permitted`] and a [`Connect`], and nothing else reaches a child: there is no way
//! around policy in the types. It knows nothing of HTTP or processes.

mod operation;

use std::sync::Arc;

pub use operation::{ClientSide, LogLevel, Operation, Resume};

use crate::auth::Principal;
use crate::mcp::{Params, Raw};

/// What is allowed. A missing rule means deny; a mode that allows everything says so by name.
#[derive(Clone, Copy, Debug)]
pub enum Policy {
    /// Everything the child offers: the child's own credential is the limit.
    WholeServer,
}

/// An operation that policy allowed for one principal.
#[derive(Clone, Debug)]
pub struct Permitted {
    principal: Arc<Principal>,
    operation: Operation,
}

/// The permission to have a child at all (policy action `connect`).
#[derive(Clone, Debug)]
pub struct Connect {
    principal: Arc<Principal>,
}

/// Policy said no.
#[derive(Debug, thiserror::Error)]
#[error("policy does not allow {action}")]
pub struct Refused {
    /// The method or `connect`.
    pub action: String,
}

// === impl Policy ===

impl Policy {
    /// Decides whether the principal may have a child.
    ///
    /// # Errors
    /// When no rule allows it.
    pub fn connect(self, principal: &Arc<Principal>) -> Result<Connect, Refused> {
        match self {
            Self::WholeServer => Ok(Connect { principal: Arc::clone(principal) }),
        }
    }

    /// Decides whether the principal may do this.
    ///
    /// # Errors
    /// When no rule allows it.
    pub fn authorize(
        self,
        principal: &Arc<Principal>,
        operation: Operation,
    ) -> Result<Permitted, Refused> {
        match self {
            Self::WholeServer => Ok(Permitted { principal: Arc::clone(principal), operation }),
        }
    }
}

// === impl Permitted ===

impl Permitted {
    /// Who may do it.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What was allowed.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The same operation on behalf of its retry: what that one can be asked and wants to be told counts from now
    /// on. The method and its parameters stay what policy judged.
    #[must_use]
    pub fn taken_over_by(&self, retry: &Self) -> Self {
        let mut operation = self.operation.clone();
        operation.client = retry.operation.client.clone();
        operation.params.meta = retry.operation.params.meta.clone();
        Self { principal: Arc::clone(&retry.principal), operation }
    }

    /// How many bytes its parameters are.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.operation.params.raw.as_ref().map_or(0, Raw::len)
    }

    /// The same operation, of whose parameters only its resource is left: whoever keeps it keeps no request's body.
    #[must_use]
    pub fn of_its_resource_alone(&self) -> Self {
        let uri = self.operation.params.uri.as_ref();
        let params = Params::read(Some(Raw::of(&serde_json::json!({ "uri": uri }))));
        let params = params.unwrap_or_default();
        let operation = Operation { params, ..self.operation.clone() };
        Self { principal: Arc::clone(&self.principal), operation }
    }

    /// The same operation, going on with the answers that its server asked for. The method and its
    /// parameters stay what policy judged.
    #[must_use]
    pub fn resumed(&self, resume: Resume) -> Self {
        let operation = Operation { resume: Some(resume), ..self.operation.clone() };
        Self { principal: Arc::clone(&self.principal), operation }
    }
}

// === impl Connect ===

impl Connect {
    /// Who may connect.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }
}
