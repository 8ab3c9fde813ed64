//! The few members of `params` that a bridge must read, found in one pass over the text.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::meta::Meta;
use super::{Object, ObjectError, Raw};

/// What the bridge knows of a request's parameters; the rest stays text.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// All of it, as it came.
    pub raw: Option<Raw>,
    /// `name`: a tool or a prompt.
    pub name: Option<String>,
    /// `uri`: a resource.
    pub uri: Option<String>,
    /// `taskId`: a task.
    pub task_id: Option<String>,
    /// `_meta`'s reserved members.
    pub meta: Meta,
    /// `inputResponses`: the answers that a retry brings (2026-07-28 basic/patterns/mrtr).
    pub input_responses: Option<Raw>,
    /// `requestState`: what the retry gives back.
    pub request_state: Option<String>,
    has_meta: bool,
}

/// Why parameters cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A member that the bridge compares occurs twice, so that two parsers could read two values.
    #[error("params are ambiguous: a member occurs twice")]
    Ambiguous,
    /// A member has another type than the protocol says.
    #[error("params.{member} must be {expected}")]
    Type {
        /// Which.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "taskId")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, rename = "inputResponses")]
    input_responses: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestState")]
    request_state: Option<&'a RawValue>,
}

impl Params {
    /// Reads the members.
    ///
    /// # Errors
    /// See [`ParamsError`].
    pub fn read(raw: Option<Raw>) -> Result<Self, ParamsError> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        // The envelope was parsed, so the only thing left to be wrong is a member that occurs twice.
        let members: Members<'_> = raw.read().map_err(|_| ParamsError::Ambiguous)?;
        let meta = match members.meta {
            None => Meta::default(),
            Some(meta) => {
                Meta::read(&Raw::within(raw.text(), meta)).map_err(|error| match error {
                    ObjectError::Duplicate { .. } => ParamsError::Ambiguous,
                    ObjectError::NotAnObject => {
                        ParamsError::Type { member: "_meta", expected: "an object" }
                    }
                })?
            }
        };
        Ok(Self {
            name: text("name", members.name)?,
            uri: text("uri", members.uri)?,
            task_id: text("taskId", members.task_id)?,
            has_meta: members.meta.is_some(),
            meta,
            input_responses: members.input_responses.map(|value| Raw::within(raw.text(), value)),
            request_state: text("requestState", members.request_state)?,
            raw: Some(raw),
        })
    }

    /// The parameters as they go to the other side: `_meta` members and top members replaced or left out.
    /// An `_meta` that ends up empty is left out; parameters without changes keep their bytes.
    #[must_use]
    pub fn rewritten(
        &self,
        top: &[(&str, Option<&str>)],
        meta: &[(&str, Option<&str>)],
    ) -> Option<Raw> {
        let adds = |changes: &[(&str, Option<&str>)]| changes.iter().any(|(_, v)| v.is_some());
        if top.is_empty() && (meta.is_empty() || !(self.has_meta || adds(meta))) {
            return self.raw.clone();
        }
        if self.raw.is_none() && !adds(top) && !adds(meta) {
            return None;
        }
        let empty = Raw::empty_object();
        let raw = self.raw.as_ref().unwrap_or(&empty);
        let object = Object::parse(raw).ok()?;
        let old = object.get("_meta");
        let new = edited(old.as_ref().unwrap_or(&empty), meta);
        let mut changes = top.to_vec();
        changes.push(("_meta", new.as_ref().map(Raw::as_str)));
        Some(object.with(&changes))
    }
}

/// `_meta` after its changes; `None` when nothing is left of it.
fn edited(old: &Raw, changes: &[(&str, Option<&str>)]) -> Option<Raw> {
    let new = Object::parse(old).ok()?.with(changes);
    (new.as_str() != "{}").then_some(new)
}

fn text(member: &'static str, value: Option<&RawValue>) -> Result<Option<String>, ParamsError> {
    value
        .map(|value| serde_json::from_str(value.get()))
        .transpose()
        .map_err(|_| ParamsError::Type { member, expected: "a string" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Params, ParamsError> {
        Params::read(Some(Raw::parse(text).unwrap()))
    }

    #[test]
    fn members_that_are_compared_must_not_repeat() {
        assert_eq!(read(r#"{"name":"a","name":"b"}"#).unwrap_err(), ParamsError::Ambiguous);
        assert_eq!(
            read(r#"{"_meta":{"progressToken":1,"progressToken":2}}"#).unwrap_err(),
            ParamsError::Ambiguous
        );
        assert!(read(r#"{"arguments":{"a":1,"a":2}}"#).is_ok());
    }

    #[test]
    fn types_are_checked() {
        assert!(read(r#"{"name":7}"#).is_err());
        assert!(read(r#"{"_meta":[]}"#).is_err());
        assert!(read(r#"{"uri":null}"#).unwrap().uri.is_none());
    }

    #[test]
    fn omitted_arguments_are_never_written_as_null() {
        let params = read(r#"{"name":"a","_meta":{"progressToken":"t"}}"#).unwrap();
        let sent = params.rewritten(&[], &[("progressToken", Some("7"))]).unwrap();
        assert_eq!(sent.as_str(), r#"{"name":"a","_meta":{"progressToken":7}}"#);
        let sent = params.rewritten(&[], &[("progressToken", None)]).unwrap();
        assert_eq!(sent.as_str(), r#"{"name":"a"}"#);
        assert!(Params::default().rewritten(&[], &[("progressToken", None)]).is_none());
    }
}
