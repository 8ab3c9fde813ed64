//! Clients of 2026-07-28: every request stands alone, and its stream's end is its cancellation.
//!
//! A server's asks are gathered into one `input_required`; the retry that brings the answers goes on with the
//! same conversation (legacy server) or with the server's own sealed state (modern server).

mod asks;
mod call;
mod entrance;
mod listen;
mod param_headers;
mod request;
mod request_state;
mod result;
mod retry;
mod subscription_filter;
mod suspended_calls;
mod validate;

pub(super) use entrance::Modern;
