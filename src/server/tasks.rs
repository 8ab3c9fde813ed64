//! Tasks, which the two eras have in two designs that share nothing but the name (checklist 9.1): a capability and
//! methods of 2025-11-25, and an extension of the modern revision. Neither crosses to the other era.

use serde_json::{Value, json};

use crate::mcp::{Object, Raw};

/// The extension of the modern revision.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Whether these capabilities, of a client or of a server, name the extension.
#[must_use]
pub fn declares_tasks(capabilities: &Raw) -> bool {
    let extensions = |raw| Object::parse(raw).ok()?.get("extensions");
    extensions(capabilities)
        .is_some_and(|all| Object::parse(&all).is_ok_and(|all| all.get(TASKS).is_some()))
}

/// Capabilities as they cross from one era to the other: without the tasks of either.
#[must_use]
pub fn without_tasks(capabilities: &Raw) -> Value {
    let mut all = capabilities.read::<Value>().ok().filter(Value::is_object);
    let members = all.as_mut().and_then(Value::as_object_mut);
    if let Some(members) = members {
        members.remove("tasks");
        if let Some(extensions) = members.get_mut("extensions").and_then(Value::as_object_mut) {
            extensions.remove(TASKS);
        }
    }
    all.unwrap_or_else(|| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_designs_are_taken_out_and_the_rest_stays() {
        let raw = |text: &str| Raw::parse(text.to_owned()).unwrap();
        let both =
            raw(r#"{"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}},"a":1}"#);
        assert!(declares_tasks(&both));
        assert_eq!(without_tasks(&both), json!({ "extensions": { "x/y": {} }, "a": 1 }));
        for other in ["{}", "[]", r#"{"tasks":{}}"#, r#"{"extensions":[]}"#] {
            assert!(!declares_tasks(&raw(other)), "{other}");
        }
    }
}
