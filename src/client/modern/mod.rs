//! Clients of 2026-07-28: every request stands alone, and its stream's end is its cancellation.
//!
//! A server's asks are gathered into one `input_required`; the retry that brings the answers goes on with the
//! same conversation (legacy server) or with the server's own sealed state (modern server).

mod asks;
mod call;
mod check;
mod filter;
pub(super) mod headers;
mod listen;
mod params;
mod parked;
mod result;
mod ticket;
mod work;

use std::sync::Arc;

pub(super) use parked::Parked;

use super::front::{Arrival, Front, bad};
use super::reply::Reply;
use crate::mcp::{Message, Params, codes};

/// Serves one POSTed message.
pub(super) async fn post(
    front: &Arc<Front>,
    arrival: &Arrival,
    message: Message,
    params: Params,
) -> Reply {
    match message {
        Message::Request(request) => {
            let checked = match check::check(&arrival.headers, &request, &params) {
                Ok(checked) => checked,
                Err(refusal) => return refusal.into_reply(&request.id),
            };
            match request.method.as_ref() {
                "subscriptions/listen" => {
                    listen::listen(front, arrival, request, params, checked).await
                }
                _ => call::call(front, arrival, request, params, checked).await,
            }
        }
        // None is defined for HTTP, and a `notifications/cancelled` could name another caller's id
        // (checklist 3.16, 10.6).
        Message::Notification(_) => Reply::Accepted,
        Message::Response(_) => {
            bad(None, codes::INVALID_REQUEST, "a response has no place in a modern request")
        }
    }
}
