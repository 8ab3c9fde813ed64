//! What older revisions do not know, taken out or said in their words (checklist 2.26, 6.10, 6.18).

use serde_json::{Value, json};

use crate::mcp::{Object, ProtocolVersion};

/// The members of a result that have to change for a client of `version`: the new text, or nothing.
pub(super) fn result(
    method: &str,
    members: &Object<'_>,
    version: ProtocolVersion,
) -> Vec<(&'static str, Option<String>)> {
    match method {
        "tools/call" => called(members, version),
        "tools/list" => listed(members, version),
        _ => Vec::new(),
    }
}

fn called(members: &Object<'_>, version: ProtocolVersion) -> Vec<(&'static str, Option<String>)> {
    let mut changes = Vec::new();
    let structured = members.get("structuredContent");
    let is_object = structured.as_ref().is_some_and(|value| value.is_object());
    let old = version < ProtocolVersion::V2025_06_18;
    let content = members.get("content").and_then(|raw| raw.read::<Vec<Value>>().ok());
    let mut content = content.unwrap_or_default();
    let mut changed = false;
    if let Some(structured) = structured.filter(|_| old || !is_object) {
        changes.push(("structuredContent", None));
        if content.is_empty() {
            content.push(json!({ "type": "text", "text": structured.as_str() }));
            changed = true;
        }
    }
    for item in &mut content {
        let replaced = match item["type"].as_str() {
            Some("resource_link") if old => {
                Some(item["uri"].as_str().unwrap_or_default().to_owned())
            }
            Some("audio") if version < ProtocolVersion::V2025_03_26 => {
                Some(format!("(audio, {})", item["mimeType"].as_str().unwrap_or("unknown type")))
            }
            _ => None,
        };
        if let Some(text) = replaced {
            *item = json!({ "type": "text", "text": text });
            changed = true;
        }
    }
    if changed {
        changes.push(("content", Some(json!(content).to_string())));
    }
    changes
}

fn listed(members: &Object<'_>, version: ProtocolVersion) -> Vec<(&'static str, Option<String>)> {
    let tools = members.get("tools").and_then(|raw| raw.read::<Vec<Value>>().ok());
    let mut tools = tools.unwrap_or_default();
    let mut changed = false;
    for tool in tools.iter_mut().filter_map(Value::as_object_mut) {
        let output = tool.get("outputSchema");
        let odd = output.is_some_and(|schema| schema["type"] != "object");
        let old = version < ProtocolVersion::V2025_06_18;
        if output.is_some() && (old || odd) {
            tool.remove("outputSchema");
            changed = true;
        }
        if old && tool.remove("title").is_some() {
            changed = true;
        }
    }
    if changed { vec![("tools", Some(json!(tools).to_string()))] } else { Vec::new() }
}

/// A form for a client of 2025-06-18: choices with titles become `enum` and `enumNames`; a choice of several
/// cannot be asked at all.
pub(super) fn form(schema: &crate::mcp::Raw) -> Option<String> {
    let mut schema: Value = schema.read().ok()?;
    let Some(properties) = schema["properties"].as_object_mut() else {
        return Some(schema.to_string());
    };
    for property in properties.values_mut() {
        if property["type"] == "array" {
            return None;
        }
        if let Some(choices) = property["oneOf"].as_array().cloned() {
            let values: Vec<&Value> = choices.iter().map(|choice| &choice["const"]).collect();
            let names: Vec<&Value> = choices.iter().map(|choice| &choice["title"]).collect();
            property["enum"] = json!(values);
            property["enumNames"] = json!(names);
            property.as_object_mut().and_then(|own| own.remove("oneOf"));
        }
        if property["type"] != "boolean" {
            property.as_object_mut().and_then(|own| own.remove("default"));
        }
    }
    Some(schema.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Raw;

    #[test]
    fn content_is_said_in_the_words_of_its_time() {
        let raw = Raw::parse(
            r#"{"content":[{"type":"resource_link","uri":"file:///a"},{"type":"audio","mimeType":"audio/wav"}],"structuredContent":[1]}"#,
        )
        .unwrap();
        let members = Object::parse(&raw).unwrap();
        let oldest = result("tools/call", &members, ProtocolVersion::V2024_11_05);
        let content = oldest.iter().find(|(key, _)| *key == "content").unwrap().1.clone().unwrap();
        assert!(content.contains("file:///a") && content.contains("(audio, audio/wav)"));
        let newest = result("tools/call", &members, ProtocolVersion::V2025_11_25);
        assert_eq!(newest, [("structuredContent", None)]);
    }

    #[test]
    fn titled_choices_become_named_ones_and_several_cannot_be_asked() {
        let one = r#"{"properties":{"a":{"type":"string","oneOf":[{"const":"x","title":"X"}]}}}"#;
        let form_of = |text: &str| form(&Raw::parse(text).unwrap());
        assert!(form_of(one).unwrap().contains(r#""enumNames":["X"]"#));
        assert_eq!(form_of(r#"{"properties":{"a":{"type":"array"}}}"#), None);
    }
}
