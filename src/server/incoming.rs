//! What a server's line means. Anything that is not MCP is noise: logged, never forwarded.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mcp::{EnvelopeError, ErrorObject, Message, Notification, Raw, RequestId, meta};
use crate::policy::LogLevel;

/// One line of a server.
#[derive(Debug)]
pub enum Incoming {
    /// The answer to the request that we numbered `id`.
    Response {
        /// Our number.
        id: u64,
        /// What it answered.
        outcome: Result<Raw, ErrorObject>,
    },
    /// Progress of the request that we numbered `token`.
    Progress {
        /// Our number.
        token: u64,
        /// The notification's parameters.
        params: Raw,
    },
    /// A log message.
    Log {
        /// How severe.
        level: LogLevel,
        /// The notification's parameters.
        params: Raw,
    },
    /// The server asks something (legacy servers only).
    Request {
        /// The server's id.
        id: RequestId,
        /// What it asks.
        method: ByteString,
        /// With which parameters.
        params: Option<Raw>,
    },
    /// The server takes a request of its own back.
    Cancelled {
        /// The server's id.
        id: RequestId,
    },
    /// A message of the subscription that we numbered `listen` (modern servers only).
    Subscription {
        /// Our number.
        listen: u64,
        /// Which notification.
        method: ByteString,
        /// Its parameters.
        params: Raw,
    },
    /// A list of the server changed (legacy servers only).
    ListChanged(ListKind),
    /// A subscribed resource changed (legacy servers only).
    Updated {
        /// Which.
        uri: String,
        /// The notification's parameters.
        params: Raw,
    },
    /// Any other notification.
    Notification(Notification),
    /// Not MCP.
    Noise {
        /// Why not.
        reason: &'static str,
    },
}

/// A list that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ListKind {
    Tools,
    Prompts,
    Resources,
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId")]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    level: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SubscriptionMeta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/subscriptionId")]
    id: Option<&'a RawValue>,
}

impl ListKind {
    /// Every list.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The notification's method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    /// The server capability that announces the list.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    /// The flag of a modern subscription filter.
    #[must_use]
    pub fn filter(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }

    /// The list that a notification is about.
    #[must_use]
    pub fn read(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }
}

// === impl Incoming ===

impl Incoming {
    /// Reads a line; a batch, which a 2025-03-26 server may send, gives several.
    #[must_use]
    pub fn read(line: Bytes) -> Vec<Self> {
        const MOST_IN_A_BATCH: usize = 1000;
        let Ok(text) = ByteString::try_from(line) else {
            return vec![Self::Noise { reason: "not utf-8" }];
        };
        match Message::parse(&text) {
            Ok(message) => vec![Self::of(message)],
            Err(EnvelopeError::Batch) => match Message::split_batch(&text, MOST_IN_A_BATCH) {
                Ok(members) => members
                    .iter()
                    .map(|member| match Message::parse(member) {
                        Ok(message) => Self::of(message),
                        Err(_) => Self::Noise { reason: "not json-rpc" },
                    })
                    .collect(),
                Err(_) => vec![Self::Noise { reason: "not json-rpc" }],
            },
            Err(EnvelopeError::Syntax { .. }) => vec![Self::Noise { reason: "not json" }],
            Err(EnvelopeError::Shape { reason, .. }) => vec![Self::Noise { reason }],
        }
    }

    fn of(message: Message) -> Self {
        match message {
            Message::Request(request) => {
                Self::Request { id: request.id, method: request.method, params: request.params }
            }
            Message::Response(response) => match response.id.as_ref().and_then(number) {
                Some(id) => Self::Response { id, outcome: response.outcome },
                None => Self::Noise { reason: "an answer to nothing that was asked" },
            },
            Message::Notification(notification) => Self::notified(notification),
        }
    }

    fn notified(notification: Notification) -> Self {
        let params = notification.params.clone().unwrap_or_else(Raw::empty_object);
        let Ok(known) = params.read::<Known<'_>>() else {
            return Self::Noise { reason: "a notification whose parameters repeat a member" };
        };
        let ours = |raw: Option<&RawValue>| raw.and_then(RequestId::read).as_ref().and_then(number);
        if let Some(listen) = known.meta.and_then(|meta| ours(subscription_id(meta)?)) {
            let method = notification.method;
            return Self::Subscription { listen, method, params };
        }
        match notification.method.as_ref() {
            "notifications/progress" => match ours(known.progress_token) {
                Some(token) => Self::Progress { token, params },
                None => Self::Noise { reason: "progress of nothing that was asked" },
            },
            "notifications/message" => {
                match known.level.and_then(|level| serde_json::from_str(level.get()).ok()) {
                    Some(level) => Self::Log { level, params },
                    None => Self::Noise { reason: "a log message without a level" },
                }
            }
            "notifications/cancelled" => match known.request_id.and_then(RequestId::read) {
                Some(id) => Self::Cancelled { id },
                None => Self::Noise { reason: "a cancellation of nothing" },
            },
            "notifications/resources/updated" => {
                match known.uri.and_then(|uri| serde_json::from_str(uri.get()).ok()) {
                    Some(uri) => Self::Updated { uri, params },
                    None => Self::Noise { reason: "an update of nothing" },
                }
            }
            method => match ListKind::read(method) {
                Some(kind) => Self::ListChanged(kind),
                None => Self::Notification(notification),
            },
        }
    }
}

fn subscription_id(meta: &RawValue) -> Option<Option<&RawValue>> {
    debug_assert_eq!(meta::SUBSCRIPTION_ID, "io.modelcontextprotocol/subscriptionId");
    serde_json::from_str::<SubscriptionMeta<'_>>(meta.get()).ok().map(|meta| meta.id)
}

/// Our numbers, also where a server hands them back as a string (checklist 10.36).
fn number(id: &RequestId) -> Option<u64> {
    match id {
        RequestId::Integer(number) => u64::try_from(*number).ok(),
        RequestId::Text(text) => text.parse().ok(),
    }
}
