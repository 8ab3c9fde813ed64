//! What a client can be asked, judged by the capabilities that it declared, and what is said in its place.

use serde_json::{Value, json};

use super::event::Ask;
use crate::mcp::{Era, ErrorObject, Object, Raw, codes};
use crate::policy::ClientSide;

/// The answer that stands in for a user who cannot be asked.
pub fn stand_in_answer(method: &str) -> Result<Raw, ErrorObject> {
    match method {
        "elicitation/create" => Ok(Raw::of(&json!({ "action": "cancel" }))),
        "sampling/createMessage" => {
            Err(ErrorObject::new(codes::LEGACY_USER_REJECTED, "no user is there to be asked"))
        }
        "roots/list" => Ok(Raw::of(&json!({ "roots": [] }))),
        method => Err(ErrorObject::method_not_found(method)),
    }
}

/// What a legacy client that lacks the capability, or a part of it, says (checklist 5.7, 5.23).
pub(super) fn undeclared(method: &str, capabilities: &Raw) -> Result<Raw, ErrorObject> {
    let knows = |name| Object::parse(capabilities).is_ok_and(|all| all.get(name).is_some());
    let code = match method {
        "elicitation/create" => codes::INVALID_PARAMS,
        "sampling/createMessage" if knows("sampling") => codes::INVALID_PARAMS,
        _ => codes::METHOD_NOT_FOUND,
    };
    Err(ErrorObject::new(code, format!("the client does not support {method}")))
}

/// The capability that an ask needs.
pub(super) fn required(ask: &Ask) -> Value {
    let params = ask.params.as_ref().and_then(|params| Object::parse(params).ok());
    let has = |name: &str| params.as_ref().is_some_and(|params| params.get(name).is_some());
    match ask.method.as_ref() {
        "elicitation/create" => {
            let mode = params.as_ref().and_then(|params| params.get_str("mode"));
            match mode.as_deref() {
                Some("url") => json!({ "elicitation": { "url": {} } }),
                _ => json!({ "elicitation": {} }),
            }
        }
        "sampling/createMessage" if has("tools") || has("toolChoice") => {
            json!({ "sampling": { "tools": {} } })
        }
        "sampling/createMessage" if has("includeContext") => {
            json!({ "sampling": { "context": {} } })
        }
        "sampling/createMessage" => json!({ "sampling": {} }),
        "roots/list" => json!({ "roots": {} }),
        _ => json!({}),
    }
}

/// Whether a client with these capabilities can be asked anything.
pub(super) fn can_be_asked(capabilities: &Raw) -> bool {
    Object::parse(capabilities).is_ok_and(|all| {
        ["elicitation", "sampling", "roots", "tasks"].iter().any(|name| all.get(name).is_some())
    })
}

/// Whether a client with these capabilities can be asked this (checklist 2.25, 5.7, 5.23).
#[must_use]
pub fn is_covered(ask: &Ask, capabilities: &Raw) -> bool {
    let Ok(all) = Object::parse(capabilities) else { return false };
    let params = ask.params.as_ref().and_then(|params| Object::parse(params).ok());
    let param = |name: &str| params.as_ref().and_then(|params| params.get(name));
    let has = |capability: &Raw, name: &str| {
        Object::parse(capability).is_ok_and(|members| members.get(name).is_some())
    };
    match ask.method.as_ref() {
        "elicitation/create" => all.get("elicitation").is_some_and(|capability| {
            let url = param("mode").is_some_and(|mode| mode.as_str() == r#""url""#);
            // An empty capability means forms only.
            if url {
                has(&capability, "url") && param("url").is_some_and(|url| is_page(&url))
            } else {
                !has(&capability, "url") || has(&capability, "form")
            }
        }),
        "sampling/createMessage" => all.get("sampling").is_some_and(|capability| {
            let tools = param("tools").is_some() || param("toolChoice").is_some();
            !tools || has(&capability, "tools")
        }),
        "roots/list" => all.get("roots").is_some(),
        // Tasks that the client runs for the server (2025-11-25).
        method if method.starts_with("tasks/") => all.get("tasks").is_some(),
        _ => false,
    }
}

/// Whether this client can be asked this. Only the modern revision makes another context than none a capability;
/// before it a client that samples may be asked for any (checklist 5.23).
pub(super) fn is_answerable(ask: &Ask, client: &ClientSide) -> bool {
    let context = || {
        let params = Object::parse(ask.params.as_ref()?).ok()?;
        params.get_str("includeContext").filter(|context| context != "none")
    };
    let declared = || {
        let sampling = Object::parse(&client.capabilities).ok()?.get("sampling")?;
        Object::parse(&sampling).ok()?.get("context")
    };
    is_covered(ask, &client.capabilities)
        && (client.era == Era::Legacy
            || ask.method != "sampling/createMessage"
            || context().is_none()
            || declared().is_some())
}

/// Whether a URL is one that a user may be sent to: no script and no file (checklist 8.12).
fn is_page(url: &Raw) -> bool {
    let url = url.read::<String>().unwrap_or_default().to_ascii_lowercase();
    url.starts_with("https://") || url.starts_with("http://")
}
