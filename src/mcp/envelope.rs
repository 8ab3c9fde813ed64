//! JSON-RPC 2.0 messages: parsed without looking into their payloads, written without re-serialising them.

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ErrorObject, Raw, RequestId};

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is one.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The sender's id.
    pub id: RequestId,
    /// What is asked.
    pub method: ByteString,
    /// An object, where present.
    pub params: Option<Raw>,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification {
    /// What happened.
    pub method: ByteString,
    /// An object, where present.
    pub params: Option<Raw>,
}

/// A response; the id is `None` only in an error about a request that could not be read.
#[derive(Clone, Debug)]
pub struct Response {
    /// The id of the request it answers.
    pub id: Option<RequestId>,
    /// The result or the error.
    pub outcome: Result<Raw, ErrorObject>,
}

/// Why a text is no message.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON at all.
    #[error("read json")]
    Syntax {
        /// Where and what.
        #[source]
        cause: serde_json::Error,
    },
    /// JSON, but not a JSON-RPC message.
    #[error("invalid json-rpc message: {reason}")]
    Shape {
        /// The id, where one could be read.
        id: Option<RequestId>,
        /// What is wrong.
        reason: &'static str,
    },
    /// A JSON array: a batch, which only one revision allows.
    #[error("a json-rpc batch is not allowed here")]
    Batch,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Keeps `"id": null` apart from no id at all.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

// === impl Message ===

impl Message {
    /// The id of a request.
    #[must_use]
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Request(request) => Some(&request.id),
            Self::Notification(_) | Self::Response(_) => None,
        }
    }

    /// The parameters of a request or a notification.
    #[must_use]
    pub fn params(&self) -> Option<Raw> {
        match self {
            Self::Request(request) => request.params.clone(),
            Self::Notification(notification) => notification.params.clone(),
            Self::Response(_) => None,
        }
    }

    /// Reads one message.
    ///
    /// # Errors
    /// See [`EnvelopeError`]; a repeated envelope key is a wrong shape.
    pub fn parse(text: &ByteString) -> Result<Self, EnvelopeError> {
        let start = text.trim_start_matches([' ', '\t', '\r', '\n']);
        if !start.starts_with('{') {
            // Whether it is JSON at all decides the error code.
            serde_json::from_str::<&RawValue>(text)
                .map_err(|cause| EnvelopeError::Syntax { cause })?;
            if start.starts_with('[') {
                return Err(EnvelopeError::Batch);
            }
            return Err(shape(None, "not an object"));
        }
        match serde_json::from_str::<Envelope<'_>>(text) {
            Ok(envelope) => envelope.classify(text),
            Err(cause) if cause.is_data() => Err(shape(None, "a member occurs twice")),
            Err(cause) => Err(EnvelopeError::Syntax { cause }),
        }
    }

    /// Splits a batch into its members' texts.
    ///
    /// # Errors
    /// When the text is not an array or has more than `most` members.
    pub fn split_batch(text: &ByteString, most: usize) -> Result<Vec<ByteString>, EnvelopeError> {
        let members: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|cause| EnvelopeError::Syntax { cause })?;
        if members.is_empty() {
            return Err(shape(None, "the batch is empty"));
        }
        if members.len() > most {
            return Err(shape(None, "the batch has too many members"));
        }
        Ok(members.into_iter().map(|member| text.slice_ref(member.get())).collect())
    }
}

impl Envelope<'_> {
    fn classify(&self, text: &ByteString) -> Result<Message, EnvelopeError> {
        let id = self.id.and_then(RequestId::read);
        let wrong = |reason| Err(shape(id.clone(), reason));
        if self.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
            return wrong("jsonrpc must be \"2.0\"");
        }
        let params = match self.params.map(|params| Raw::within(text, params)) {
            Some(params) if !params.is_object() => return wrong("params must be an object"),
            params => params,
        };
        match (self.method, self.result, self.error) {
            (Some(method), None, None) => {
                let Some(method) = read_method(text, method) else {
                    return wrong("method must be a string");
                };
                match (self.id, id) {
                    (None, _) => Ok(Message::Notification(Notification { method, params })),
                    (Some(_), Some(id)) => Ok(Message::Request(Request { id, method, params })),
                    (Some(_), None) => Err(shape(None, "id must be a string or an integer")),
                }
            }
            (None, Some(result), None) if id.is_some() => {
                Ok(Message::Response(Response { id, outcome: Ok(Raw::within(text, result)) }))
            }
            (None, None, Some(error)) if self.id.is_some() => {
                match ErrorObject::read(&Raw::within(text, error)) {
                    Some(error) => Ok(Message::Response(Response { id, outcome: Err(error) })),
                    None => wrong("error must have a numeric code"),
                }
            }
            (None, None, None) => wrong("neither method nor result nor error"),
            (Some(_), _, _) => wrong("method beside result or error"),
            _ => wrong("a response needs an id and either result or error"),
        }
    }
}

fn shape(id: Option<RequestId>, reason: &'static str) -> EnvelopeError {
    EnvelopeError::Shape { id, reason }
}

fn read_method(text: &ByteString, raw: &RawValue) -> Option<ByteString> {
    let quoted = raw.get();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(quoted).ok().map(Into::into);
    }
    Some(text.slice_ref(inner))
}

// === impl Request, Notification, Response ===

impl Request {
    /// The request as one line of JSON, without the line end.
    pub fn write(out: &mut Vec<u8>, id: &RequestId, method: &str, params: Option<&Raw>) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        write_id(out, id);
        write_method_and_params(out, method, params);
    }
}

impl Notification {
    /// The notification as one line of JSON, without the line end.
    pub fn write(out: &mut Vec<u8>, method: &str, params: Option<&Raw>) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
        write_method_and_params(out, method, params);
    }
}

impl Response {
    /// The response as one line of JSON, without the line end.
    pub fn write(out: &mut Vec<u8>, id: Option<&RequestId>, outcome: &Result<Raw, ErrorObject>) {
        Self::write_head(out, id);
        match outcome {
            Ok(result) => {
                out.extend_from_slice(br#""result":"#);
                out.extend_from_slice(result.one_line().as_bytes());
            }
            Err(error) => {
                out.extend_from_slice(br#""error":"#);
                out.extend_from_slice(error.to_json().as_bytes());
            }
        }
        out.push(b'}');
    }

    /// Everything before the `result` or `error` member; the caller ends with it and `}`.
    pub fn write_head(out: &mut Vec<u8>, id: Option<&RequestId>) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        match id {
            Some(id) => write_id(out, id),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b',');
    }
}

fn write_id(out: &mut Vec<u8>, id: &RequestId) {
    out.extend_from_slice(id.to_json().as_bytes());
}

fn write_method_and_params(out: &mut Vec<u8>, method: &str, params: Option<&Raw>) {
    out.extend_from_slice(br#","method":"#);
    out.extend_from_slice(serde_json::Value::from(method).to_string().as_bytes());
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params.one_line().as_bytes());
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests;
