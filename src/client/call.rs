//! The straight line from an operation to a conversation: policy, child, audit, dispatch.

use std::sync::Arc;
use std::time::Duration;

use super::front::Front;
use super::reply::Status;
use crate::audit::{Begin, Decision, Ending, Open};
use crate::auth::Principal;
use crate::bridge::{Child, Conversation, Event, Outcome, Retry, Seat, Unavailable};
use crate::mcp::ErrorObject;
use crate::policy::{Operation, Permitted};

/// A call under way, its seat and its open audit record.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) conversation: Conversation,
    audit: Option<Open>,
    /// Keeps the child alive while the call lasts.
    pub(super) seat: Seat,
}

/// Why a call did not begin.
#[derive(Debug)]
pub(super) struct NotBegun {
    pub(super) status: Status,
    pub(super) error: ErrorObject,
}

/// Whether a server's silence ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// After the configured time.
    Limited,
    /// Never: a subscription is quiet by nature.
    Unlimited,
}

impl Front {
    /// Judges an operation, records it and sends it to the seat's child.
    pub(super) async fn begin(
        &self,
        principal: &Arc<Principal>,
        seat: &Seat,
        operation: Operation,
        patience: Patience,
    ) -> Result<Ongoing, NotBegun> {
        let permitted = self.permit(principal, operation)?;
        let child = self.pool.ready(seat).await.map_err(NotBegun::from)?;
        let audit = self.record(&permitted, &child)?;
        let limit: Option<Duration> = match patience {
            Patience::Limited => Some(self.settings.call_timeout),
            Patience::Unlimited => None,
        };
        let conversation = child.converse(permitted, limit);
        Ok(Ongoing { conversation, audit: Some(audit), seat: seat.clone() })
    }

    pub(super) fn permit(
        &self,
        principal: &Arc<Principal>,
        operation: Operation,
    ) -> Result<Permitted, NotBegun> {
        self.policy.authorize(principal, operation).map_err(|refused| NotBegun {
            status: Status::Ok,
            error: ErrorObject::invalid_params(refused.to_string()),
        })
    }

    fn record(&self, permitted: &Permitted, child: &Child) -> Result<Open, NotBegun> {
        let begin = || {
            let operation = permitted.operation();
            let params = operation.params.raw.as_ref();
            let arguments = params.map(|raw| self.audit.keyed_hash(raw.as_str().as_bytes()));
            Begin {
                who: permitted.principal().as_ref().into(),
                method: operation.method.to_string(),
                target: operation.target().map(str::to_owned),
                child: child.number(),
                arguments: arguments.unwrap_or_default(),
                credentials: child.given().to_vec(),
                decision: Decision::WholeServer,
                trace: operation.params.meta.trace_id.clone(),
            }
        };
        self.audit.begin(begin).map_err(|full| NotBegun {
            status: Status::Unavailable { retry_after: Some(Duration::from_secs(1)) },
            error: ErrorObject::internal(full.to_string()),
        })
    }
}

impl Ongoing {
    /// The next event; the end is recorded.
    pub(super) async fn next(&mut self) -> Event {
        let event = self.conversation.next().await;
        let ending = match &event {
            Event::Done(Outcome::Result(_)) => Ending::Result,
            Event::Done(Outcome::Error(_)) => Ending::Error,
            Event::Done(Outcome::Lost(_)) => Ending::Lost,
            Event::Done(Outcome::Cancelled) => Ending::Cancelled,
            Event::Suspended { .. } => Ending::Suspended,
            _ => return event,
        };
        if let Some(audit) = self.audit.take() {
            audit.end(ending);
        }
        event
    }
}

impl From<Unavailable> for NotBegun {
    fn from(why: Unavailable) -> Self {
        let status = match why.retry {
            Retry::Time(retry_after) => Status::Unavailable { retry_after },
            // Clients throw the text of a 503 away and proxies send the request again; this one has to be read.
            Retry::People => Status::Ok,
        };
        Self { status, error: ErrorObject::internal(why.message) }
    }
}
