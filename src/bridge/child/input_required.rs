//! `input_required`: a modern server ends its turn and says what it needs (2026-07-28 basic/patterns/mrtr).

use std::sync::Arc;

use super::super::charged::charged;
use super::super::client_capabilities::is_answerable;
use super::super::event::Ask;
use crate::limits::Account;
use crate::mcp::{ErrorObject, Object, Raw};
use crate::policy::Operation;

/// A cheap look first: most results do not contain the word at all.
pub(super) fn is_input_required(result: &Raw) -> bool {
    memchr::memmem::find(result.as_str().as_bytes(), b"input_required").is_some()
        && Object::parse(result).is_ok_and(|members| {
            members.get("resultType").is_some_and(|kind| kind.as_str() == r#""input_required""#)
        })
}

/// Reads and checks an `InputRequiredResult` (checklist 3.50, 3.51, 6.27); its questions are at the cost of this account.
pub(super) fn read_input_required(
    result: &Raw,
    operation: &Operation,
    account: &Arc<Account>,
) -> Result<(Vec<Ask>, Option<String>), ErrorObject> {
    let broken = |what: &str| {
        tracing::warn!(what, "the server broke the input_required protocol");
        ErrorObject::internal(format!("the server broke the protocol: {what}"))
    };
    if !operation.may_ask() {
        return Err(broken("input_required is not allowed for this method"));
    }
    let members = Object::parse(result).map_err(|_| broken("a result that repeats a member"))?;
    let state = match members.get("requestState") {
        None => None,
        Some(state) => Some(state.read().map_err(|_| broken("requestState is no string"))?),
    };
    let mut asks = Vec::new();
    if let Some(requests) = members.get("inputRequests") {
        let requests = Object::parse(&requests).map_err(|_| broken("inputRequests"))?.entries();
        for (key, request) in requests {
            let request = Object::parse(&request).map_err(|_| broken("an input request"))?;
            let method = request.get_str("method").unwrap_or_default();
            let params = request.get("params").map(|params| charged(&params, account)).transpose();
            let params = params.map_err(|short| ErrorObject::internal(short.to_string()))?;
            let ask = Ask { key: key.into(), method: method.into(), params };
            if !is_answerable(&ask, &operation.client) {
                return Err(broken("an input request that the client cannot answer"));
            }
            asks.push(ask);
        }
    } else if state.is_none() {
        return Err(broken("neither inputRequests nor requestState"));
    }
    Ok((asks, state))
}
