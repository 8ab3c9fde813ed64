//! A request that brings what an earlier one was asked for: its state opened, the call that waits for it found.

use super::asks;
use super::request::ClientRequest;
use super::request_state::{Invalid, RequestState, Rest};
use super::suspended_calls::{SuspendedCalls, Waiting};
use crate::audit::Incident;
use crate::client::reply::Status;
use crate::gate::{Ask, Call, NotAdmitted};
use crate::mcp::{ErrorObject, Raw};
use crate::policy::Resume;

/// An answer before there is a call.
pub(super) type Early = (Status, Result<Raw, ErrorObject>);

/// Where a request goes on.
pub(super) enum Continuation {
    /// With the call that waits here for the answers it brings.
    Suspended(String, Box<Waiting>, Option<Raw>),
    /// With a call of its own.
    Fresh,
}

/// Reads the state that a retry brings back, and finds the call that waits for it.
pub(super) fn unseal(
    request: &mut ClientRequest,
    suspended: &SuspendedCalls,
) -> Result<Continuation, Early> {
    if !request.operation.may_ask() {
        return Ok(Continuation::Fresh);
    }
    let Some(state) = request.operation.params.request_state.take() else {
        return Ok(Continuation::Fresh);
    };
    let ClientRequest { context, access, .. } = &*request;
    let (principal, authority) = (access.principal(), access.authority());
    let opened =
        RequestState::open(&state, &context.keyring, principal, authority, &request.operation);
    let state = opened.map_err(|why| {
        if why == Invalid::Foreign {
            context.gate.report(access, &Incident::ForeignState);
        }
        invalid(why)
    })?;
    let responses = request.operation.params.input_responses.clone();
    request.round = state.round;
    match state.rest {
        Rest::Held(name) => {
            let user = request.access.principal().user();
            let waiting = suspended.take(&name, user, state.round);
            let waiting = waiting.ok_or_else(|| invalid(Invalid::Broken))?;
            Ok(Continuation::Suspended(name, Box::new(waiting), responses))
        }
        Rest::Portable(state) => {
            request.operation.resume = Some(Resume { responses, state });
            Ok(Continuation::Fresh)
        }
        Rest::Again if !asks::any_accepted(responses.as_ref()) => {
            Err((Status::Ok, asks::declined(&request.operation)))
        }
        // The first call ended with an error, so this is a fresh one.
        Rest::Again => Ok(Continuation::Fresh),
    }
}

/// Goes on with a call that has waited here, and returns it with what is still to be asked; it waits on where the retry
/// cannot be used (checklist 5.12).
pub(super) fn take_over(
    request: &ClientRequest,
    suspended: &SuspendedCalls,
    name: String,
    mut waiting: Waiting,
    responses: Option<&Raw>,
) -> Result<(Call, Vec<Ask>), Early> {
    let taken = asks::read_answers(&waiting.call, responses)
        .map_err(|error| (Status::Ok, Err(error)))
        .and_then(|answers| {
            let operation = request.operation.clone();
            let gate = &request.context.gate;
            gate.take_over(&request.access, &mut waiting.call, operation).map_err(refused)?;
            Ok(answers)
        });
    let answers = match taken {
        Ok(answers) => answers,
        Err(early) => {
            suspended.put_back(name, waiting);
            return Err(early);
        }
    };
    let mut call = waiting.call;
    let asks = asks::give_answers(&mut call, &answers, &request.operation);
    Ok((call, asks))
}

/// What a client is told of what did not pass the gate.
pub(super) fn refused(why: NotAdmitted) -> Early {
    (why.retry.into(), Err(why.error))
}

fn invalid(why: Invalid) -> Early {
    (Status::Ok, Err(ErrorObject::invalid_params(why.to_string())))
}
