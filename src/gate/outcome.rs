//! What a server's answer becomes before a client's era puts it into words: the one place where results are shaped.

use serde_json::json;

use super::bridge::{ANNOTATION, Changed, Outcome, without_broken_annotations};
use crate::audit::Ending;
use crate::mcp::{Era, ErrorObject, Object, Raw};
use crate::policy::Permitted;

/// The answer that the client gets, and how the call's end is recorded.
pub(super) fn outcome(permitted: &Permitted, outcome: Outcome) -> (Outcome, Ending) {
    let ending = ending(&outcome);
    let outcome = match outcome {
        Outcome::Result(result) => Outcome::Result(shaped(permitted, result)),
        Outcome::Lost(error) => Outcome::Lost(unknown(error)),
        Outcome::Unsent(error) => Outcome::Unsent(error.with_data(&json!({ "outcome": "unsent" }))),
        other => other,
    };
    (outcome, ending)
}

/// The error of a call that left for its server and was never answered: a client that sends it again may have it done
/// twice, so it is told that.
fn unknown(error: ErrorObject) -> ErrorObject {
    let message = format!("{}; whether the call was carried out is not known", error.message);
    ErrorObject { message, ..error }.with_data(&json!({ "outcome": "unknown" }))
}

/// How the end of a call is recorded.
pub(super) fn ending(outcome: &Outcome) -> Ending {
    match outcome {
        Outcome::Result(_) => Ending::Result,
        Outcome::Error(_) => Ending::Error,
        Outcome::Lost(_) => Ending::Lost,
        Outcome::Unsent(_) => Ending::Unsent,
        Outcome::Cancelled => Ending::Cancelled,
    }
}

fn shaped(permitted: &Permitted, result: Raw) -> Raw {
    let operation = permitted.operation();
    // Only modern clients read the annotations, and drop a tool whose are broken (checklist 3.13).
    if operation.method == "tools/list" && operation.client.era == Era::Modern {
        return annotated_well(&result).unwrap_or(result);
    }
    result
}

/// The list without annotations that break the rules, where there are such.
fn annotated_well(result: &Raw) -> Option<Raw> {
    memchr::memmem::find(result.as_str().as_bytes(), ANNOTATION.as_bytes())?;
    let members = Object::parse(result).ok()?;
    let mut tools: Vec<serde_json::Value> = members.get("tools")?.read().ok()?;
    match without_broken_annotations(&mut tools) {
        Changed::Yes => {
            let tools = serde_json::to_string(&tools).ok()?;
            Some(members.with(&[("tools", Some(&tools))]))
        }
        Changed::No => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::Principal;
    use crate::mcp::Params;
    use crate::policy::{ClientSide, Operation, Policy};

    const BROKEN: &str = r#"{"tools":[{"name":"t","inputSchema":{"properties":{"a":{"type":"array","x-mcp-header":"A"}}}}],"nextCursor":"2"}"#;

    fn permitted(method: &'static str, era: Era) -> Permitted {
        let capabilities = Raw::empty_object();
        let client = ClientSide { era, capabilities, info: None, log_level: None, session: None };
        let (method, params) = (method.into(), Params::default());
        let operation = Operation { method, params, client, resume: None };
        Policy::WholeServer.authorize(&Arc::new(Principal::local()), operation).unwrap()
    }

    fn text(permitted: &Permitted, result: &str) -> String {
        let result = Raw::parse(result.to_owned()).unwrap();
        match outcome(permitted, Outcome::Result(result)) {
            (Outcome::Result(result), Ending::Result) => result.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_for_a_modern_client_loses_broken_annotations_and_nothing_else() {
        let mended = text(&permitted("tools/list", Era::Modern), BROKEN);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&mended), read(&BROKEN.replace(r#","x-mcp-header":"A""#, "")));
        assert_eq!(text(&permitted("tools/list", Era::Legacy), BROKEN), BROKEN);
        assert_eq!(text(&permitted("tools/call", Era::Modern), BROKEN), BROKEN);
    }

    #[test]
    fn every_end_is_recorded_as_what_it_was() {
        let error = || ErrorObject::internal("x");
        let call = permitted("tools/call", Era::Legacy);
        let ending = |end| outcome(&call, end).1;
        assert_eq!(ending(Outcome::Result(Raw::empty_object())), Ending::Result);
        assert_eq!(ending(Outcome::Error(error())), Ending::Error);
        assert_eq!(ending(Outcome::Lost(error())), Ending::Lost);
        assert_eq!(ending(Outcome::Unsent(error())), Ending::Unsent);
        assert_eq!(ending(Outcome::Cancelled), Ending::Cancelled);
    }
}
