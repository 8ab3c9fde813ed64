//! Which arguments of a server's tools travel in headers as well (2026-07-28 Streamable HTTP, Custom Headers
//! from Tool Parameters; checklist 3.9–3.14).

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The key of a property's schema that names its header.
pub const ANNOTATION: &str = "x-mcp-header";
const DEEPEST: usize = 32;

/// The annotated tools of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(HashMap<String, Vec<Annotated>>);

/// An argument that also travels in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotated {
    /// The header's name after `Mcp-Param-`.
    pub header: String,
    /// The property names that lead to the argument.
    pub path: Vec<String>,
}

impl Catalogue {
    /// Takes in the tools of one page.
    pub fn add(&mut self, tools: &[Value]) {
        for tool in tools {
            let Some(name) = tool["name"].as_str() else { continue };
            if let Some(annotated) = read(&tool["inputSchema"]).filter(|all| !all.is_empty()) {
                self.0.insert(name.to_owned(), annotated);
            }
        }
    }

    /// The annotated arguments of a tool.
    #[must_use]
    pub fn of(&self, tool: &str) -> &[Annotated] {
        self.0.get(tool).map_or(&[], Vec::as_slice)
    }
}

/// Takes broken annotations out of a list of tools, so that clients need not drop the tools (checklist 3.13).
#[must_use]
pub fn without_broken_annotations(tools: &mut [Value]) -> Changed {
    let mut changed = Changed::No;
    for tool in tools {
        if read(&tool["inputSchema"]).is_none() {
            tracing::warn!(tool = %tool["name"], "a broken {ANNOTATION} annotation is taken out");
            remove(&mut tool["inputSchema"], 0);
            changed = Changed::Yes;
        }
    }
    changed
}

/// Whether something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was.
    Yes,
    /// It was not.
    No,
}

/// The annotated arguments of a schema; `None` when any annotation breaks a rule.
fn read(schema: &Value) -> Option<Vec<Annotated>> {
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found);
    let mut names = HashSet::new();
    let unique = found.iter().all(|one| names.insert(one.header.to_ascii_lowercase()));
    (unique && found.len() == count(schema, 0)).then_some(found)
}

/// Finds the annotations that stand where they may: reachable by `properties` alone, on a string, an integer or
/// a boolean, with a header token for a name.
fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Annotated>) {
    let Some(properties) = schema["properties"].as_object().filter(|_| path.len() < DEEPEST) else {
        return;
    };
    for (name, property) in properties {
        path.push(name.clone());
        let plain = matches!(property["type"].as_str(), Some("string" | "integer" | "boolean"));
        if let Some(header) =
            property[ANNOTATION].as_str().filter(|header| plain && is_token(header))
        {
            found.push(Annotated { header: header.to_owned(), path: path.clone() });
        }
        collect(property, path, found);
        path.pop();
    }
}

/// Counts every annotation, wherever it stands. A property may itself be called like the annotation; its schema
/// is an object then, and no annotation is.
fn count(schema: &Value, depth: usize) -> usize {
    if depth > DEEPEST * 4 {
        return 0;
    }
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                (ANNOTATION, value) if !value.is_object() => 1,
                (_, value) => count(value, depth + 1),
            })
            .sum(),
        Value::Array(items) => items.iter().map(|item| count(item, depth + 1)).sum(),
        _ => 0,
    }
}

fn remove(schema: &mut Value, depth: usize) {
    if depth > DEEPEST * 4 {
        return;
    }
    match schema {
        Value::Object(members) => {
            members.retain(|key, value| key != ANNOTATION || value.is_object());
            members.values_mut().for_each(|value| remove(value, depth + 1));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, depth + 1)),
        _ => {}
    }
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(property: &Value) -> Value {
        json!({ "type": "object", "properties": { "a": property } })
    }

    #[test]
    fn annotations_are_found_along_properties_alone() {
        let inner = schema(&json!({ "type": "string", ANNOTATION: "Region" }));
        let nested = json!({ "type": "object", "properties": { "b.c": inner } });
        let found = read(&nested).unwrap();
        assert_eq!(found[0].path, ["b.c", "a"]);
        assert_eq!(found[0].header, "Region");
    }

    #[test]
    fn broken_annotations_are_told() {
        for broken in [
            json!({ "type": "number", ANNOTATION: "A" }),
            json!({ "type": "string", ANNOTATION: "" }),
            json!({ "type": "string", ANNOTATION: "A B" }),
            json!({ "type": "string", ANNOTATION: 7 }),
            json!({ "type": "array", "items": { "type": "string", ANNOTATION: "A" } }),
            json!({ "anyOf": [{ "type": "string", ANNOTATION: "A" }] }),
        ] {
            assert_eq!(read(&schema(&broken)), None, "{broken}");
            let mut tools = [json!({ "name": "t", "inputSchema": schema(&broken) })];
            assert_eq!(without_broken_annotations(&mut tools), Changed::Yes);
            assert_eq!(read(&tools[0]["inputSchema"]), Some(Vec::new()));
        }
        let twice = json!({ "properties": {
            "a": { "type": "string", ANNOTATION: "X" }, "b": { "type": "string", ANNOTATION: "x" } } });
        assert_eq!(read(&twice), None);
    }
}
