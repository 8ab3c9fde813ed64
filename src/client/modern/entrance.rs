//! Where a modern client's messages come in.

use std::sync::Arc;

use super::request::ClientRequest;
use super::suspended_calls::SuspendedCalls;
use super::{call, listen, param_headers, validate};
use crate::client::context::{Arrival, Context};
use crate::client::reply::{Reply, Status};
use crate::mcp::{Message, Params, Raw, RequestId, codes};
use crate::policy::Operation;

/// The modern half of the client side.
#[derive(Debug)]
pub(in crate::client) struct Modern {
    context: Arc<Context>,
    suspended: Arc<SuspendedCalls>,
}

impl Modern {
    pub(in crate::client) fn new(context: Arc<Context>) -> Self {
        Self { context, suspended: Arc::default() }
    }

    /// Serves one POSTed message.
    pub(in crate::client) async fn post(
        &self,
        arrival: &Arrival,
        message: Message,
        params: Params,
    ) -> Reply {
        match message {
            Message::Request(request) => {
                match validate::answer_without_meta(&arrival.headers, &request, &params) {
                    Ok(None) => {}
                    Ok(Some(result)) => return self.answer_ourselves(arrival, &request.id, result),
                    Err(rejected) => return rejected.into_reply(&request.id),
                }
                let client = match validate::validate(&arrival.headers, &request, &params) {
                    Ok(client) => client,
                    Err(rejected) => return rejected.into_reply(&request.id),
                };
                let access = match self.context.gate.access(&arrival.principal) {
                    Ok(access) => access,
                    Err(refused) => return Reply::refused(Some(&request.id), refused),
                };
                let method = request.method;
                let headers = param_headers::of(&method, &arrival.headers);
                let request = ClientRequest {
                    context: Arc::clone(&self.context),
                    access,
                    id: request.id,
                    operation: Operation { method, params, client, resume: None },
                    headers,
                    round: 0,
                };
                match request.operation.method.as_ref() {
                    "subscriptions/listen" => listen::listen(request).await,
                    _ => call::call(request, &self.suspended).await,
                }
            }
            // None is defined for HTTP, and a `notifications/cancelled` could name another caller's id
            // (checklist 3.16, 10.6).
            Message::Notification(_) => Reply::Accepted,
            Message::Response(_) => Reply::bad(
                None,
                codes::INVALID_REQUEST,
                "a response has no place in a modern request",
            ),
        }
    }

    /// Answers a request for which no child is needed, of a caller who may have one.
    fn answer_ourselves(&self, arrival: &Arrival, id: &RequestId, result: Raw) -> Reply {
        match self.context.gate.access(&arrival.principal) {
            Ok(_) => Reply::answer(Status::Ok, id, &Ok(result)),
            Err(refused) => Reply::refused(Some(id), refused),
        }
    }

    /// Takes calls back that have waited too long for their client.
    pub(in crate::client) fn expire(&self) {
        self.suspended.expire();
    }

    /// Takes all waiting calls back.
    pub(in crate::client) fn retire(&self) {
        self.suspended.close_all();
    }
}
