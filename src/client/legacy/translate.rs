//! What a modern server says, in the words of a legacy client (checklist 6.1, 6.10, 6.11, 6.17).

use serde_json::json;

use super::downgrade;

use crate::mcp::{ErrorObject, Object, ProtocolVersion, Raw, codes, meta};
use crate::server::{Hello, without_tasks};

/// Members of a modern result that no legacy revision knows.
const MODERN_ONLY: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// An `InitializeResult` made from a `DiscoverResult`.
pub(super) fn initialize_result(hello: &Hello, version: ProtocolVersion) -> Raw {
    let read = |raw: &Raw| raw.read::<serde_json::Value>().unwrap_or_default();
    let mut capabilities = without_tasks(&hello.capabilities);
    if version < ProtocolVersion::V2025_03_26
        && let Some(members) = capabilities.as_object_mut()
    {
        members.remove("completions");
    }
    let info =
        hello.info.as_ref().map_or_else(|| json!({ "name": "server", "version": "0" }), read);
    let mut result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": capabilities,
        "serverInfo": info,
    });
    let instructions =
        Object::parse(&hello.result).ok().and_then(|members| members.get("instructions"));
    if let Some(instructions) = instructions {
        result["instructions"] = read(&instructions);
    }
    Raw::of(&result)
}

/// A result without what only modern clients know, in words that the client's revision has.
pub(super) fn result(
    method: &str,
    result: &Raw,
    version: ProtocolVersion,
) -> Result<Raw, ErrorObject> {
    let members = Object::parse(result)
        .map_err(|_| ErrorObject::internal("the server's result repeats a member"))?;
    let kind = members.get_str("resultType");
    if kind.is_some_and(|kind| kind != "complete") {
        let text = "the server answered with a result type that was not asked for";
        return Err(ErrorObject::internal(text));
    }
    let mut changes: Vec<(&str, Option<&str>)> = MODERN_ONLY.map(|key| (key, None)).to_vec();
    let kept = members.get("_meta").and_then(|own| {
        let left = Object::parse(&own).ok()?.with(&[(meta::SERVER_INFO, None)]);
        (left.as_str() != "{}").then_some(left)
    });
    if members.get("_meta").is_some() {
        changes.push(("_meta", kept.as_ref().map(Raw::as_str)));
    }
    let older = downgrade::result(method, &members, version);
    changes.extend(older.iter().map(|(key, value)| (*key, value.as_deref())));
    Ok(members.with(&changes))
}

/// An error in codes that a legacy client may see.
pub(super) fn error(error: ErrorObject) -> ErrorObject {
    if codes::is_modern(error.code) {
        return ErrorObject { code: codes::INTERNAL_ERROR, ..error };
    }
    error
}

/// The parameters of an ask as the client's revision knows them; `None` when it cannot be asked this
/// (checklist 6.10).
pub(super) fn ask(
    method: &str,
    params: Option<&Raw>,
    version: ProtocolVersion,
) -> Option<Option<Raw>> {
    let Some(params) = params.filter(|_| method == "elicitation/create") else {
        return Some(params.cloned());
    };
    let members = Object::parse(params).ok()?;
    let url = members.get_str("mode").is_some_and(|mode| mode == "url");
    if version < ProtocolVersion::V2025_11_25 {
        let schema = members.get("requestedSchema").map(|schema| downgrade::form(&schema));
        return match (url, schema) {
            (true, _) | (false, Some(None)) => None,
            (false, Some(Some(schema))) => {
                let changes = [("mode", None), ("requestedSchema", Some(schema.as_str()))];
                Some(Some(members.with(&changes)))
            }
            (false, None) => Some(Some(members.with(&[("mode", None)]))),
        };
    }
    if url && members.get("elicitationId").is_none() {
        let id = json!(format!("elicitation-{:016x}", fingerprint(params))).to_string();
        return Some(Some(members.with(&[("elicitationId", Some(&id))])));
    }
    let mode = if url { r#""url""# } else { r#""form""# };
    Some(Some(members.with(&[("mode", Some(mode))])))
}

/// A name for a URL elicitation, which the modern revision no longer gives one.
fn fingerprint(params: &Raw) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = std::hash::DefaultHasher::new();
    params.as_str().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modern_members_are_taken_out_and_the_rest_stays() {
        let raw = Raw::parse(
            r#"{"resultType":"complete","ttlMs":5,"tools":[{"name":"a"}],"_meta":{"io.modelcontextprotocol/serverInfo":{},"x":1}}"#,
        )
        .unwrap();
        let newest = ProtocolVersion::V2025_11_25;
        let left = result("tools/list", &raw, newest).unwrap();
        assert_eq!(left.as_str(), r#"{"tools":[{"name":"a"}],"_meta":{"x":1}}"#);
        let task = Raw::parse(r#"{"resultType":"task"}"#).unwrap();
        assert!(result("tools/call", &task, newest).is_err());
    }
}
