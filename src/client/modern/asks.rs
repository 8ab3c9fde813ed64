//! What a server asks, as a modern client is told of it, and the answers that its retry brings.

use serde_json::json;

use crate::gate::{Ask, Call, is_covered, stand_in_answer};
use crate::mcp::{Era, ErrorObject, Object, Raw, codes};
use crate::policy::{ClientSide, Operation};
use crate::server::Hello;

/// URLs that one error may ask to be opened.
const MOST_URLS: usize = 16;

/// Whether a legacy server's error says that the user must open URLs first.
pub(super) fn needs_urls(error: &ErrorObject, hello: &Hello) -> bool {
    hello.era() == Era::Legacy && error.code == codes::LEGACY_URL_ELICITATION
}

/// The URLs of such an error, each as an ask (checklist 5.22).
pub(super) fn urls(error: &ErrorObject) -> Vec<Ask> {
    let read = || {
        let list = Object::parse(error.data.as_ref()?).ok()?.get("elicitations")?;
        list.read::<Vec<serde_json::Value>>().ok()
    };
    let elicitations = read().unwrap_or_default();
    let ask = |(at, one): (usize, &serde_json::Value)| Ask {
        key: format!("url-{}", at + 1).into(),
        method: "elicitation/create".into(),
        params: Some(Raw::of(
            &json!({ "mode": "url", "message": one["message"], "url": one["url"] }),
        )),
    };
    elicitations.iter().take(MOST_URLS).enumerate().map(ask).collect()
}

/// The error for a client that lacks a capability.
pub(super) fn missing(needed: &serde_json::Value) -> ErrorObject {
    ErrorObject::new(
        codes::MISSING_CAPABILITY,
        "the call needs a capability that the client did not declare",
    )
    .with_data(&json!({ "requiredCapabilities": needed }))
}

/// Whether any answer accepts.
pub(super) fn any_accepted(responses: Option<&Raw>) -> bool {
    let entries = responses.and_then(|raw| Some(Object::parse(raw).ok()?.entries()));
    entries.unwrap_or_default().iter().any(|(_, answer)| {
        Object::parse(answer)
            .is_ok_and(|members| members.get_str("action").as_deref() == Some("accept"))
    })
}

/// Whether a client can be asked to open a URL at all.
pub(super) fn can_open_urls(client: &ClientSide) -> bool {
    let params = Raw::of(&json!({ "mode": "url", "url": "https://localhost/" }));
    let method = "elicitation/create".into();
    is_covered(&Ask { key: "url".into(), method, params: Some(params) }, &client.capabilities)
}

/// The end of a call whose user did not want to open the URL.
pub(super) fn declined(operation: &Operation) -> Result<Raw, ErrorObject> {
    if operation.method != "tools/call" {
        return Err(ErrorObject::internal("the user did not open the page that the server needs"));
    }
    let text = json!([{ "type": "text", "text": "The user did not open the page that the server needs." }]);
    Ok(Raw::of(&json!({ "resultType": "complete", "isError": true, "content": text })))
}

/// An entry of `inputRequests`; a legacy server's request loses what the modern revision no longer has.
pub(super) fn request_of(ask: &Ask) -> (String, String) {
    let params = ask.params.as_ref().map(|params| match Object::parse(params) {
        Ok(members) => members.with(&[("elicitationId", None)]),
        Err(_) => params.clone(),
    });
    let method = json!(ask.method.to_string());
    // Clients exist that cannot read one without, though `roots/list` has none to give.
    let params = params.unwrap_or_else(Raw::empty_object);
    (ask.key.to_string(), format!(r#"{{"method":{method},"params":{}}}"#, params.one_line()))
}

/// The answers that came, by the key of their question (checklist 5.12).
pub(super) fn read_answers(
    call: &Call,
    responses: Option<&Raw>,
) -> Result<Vec<(String, Raw)>, ErrorObject> {
    let broken =
        || ErrorObject::invalid_params("params.inputResponses must be an object of answers");
    let Some(raw) = responses else { return Ok(Vec::new()) };
    let answers = Object::parse(raw).map_err(|_| broken())?.entries();
    let asked = |key: &str| call.asked().iter().any(|ask| *ask.key == *key);
    match answers.iter().any(|(key, answer)| asked(key) && !answer.is_object()) {
        true => Err(broken()),
        false => Ok(answers),
    }
}

/// Hands a legacy server the answers that came; returns what is still to be asked (checklist 5.13).
pub(super) fn give_answers(
    call: &mut Call,
    answers: &[(String, Raw)],
    operation: &Operation,
) -> Vec<Ask> {
    let mut rest = Vec::new();
    for ask in call.asked().to_vec() {
        match answers.iter().find(|(key, _)| *key == *ask.key) {
            Some((_, answer)) => call.answer(&ask.key, Ok(answer.clone())),
            // The retry may come from a client that can do less than the first request's.
            None if !is_covered(&ask, &operation.client.capabilities) => {
                call.answer(&ask.key, stand_in_answer(&ask.method));
            }
            None => rest.push(ask),
        }
    }
    rest
}
