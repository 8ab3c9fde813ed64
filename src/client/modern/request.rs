//! One request on its way through: who wants what, and in which words he is told of it.

use std::sync::Arc;

use http::HeaderMap;

use super::result;
use crate::client::context::Context;
use crate::client::reply::Status;
use crate::gate::{Access, NotAdmitted, Seat};
use crate::limits::Account;
use crate::mcp::{ErrorObject, Object, Raw, RequestId, meta};
use crate::policy::{LogLevel, Operation};
use crate::server::{Hello, Profile};

/// A client's request under way.
pub(super) struct ClientRequest {
    pub(super) context: Arc<Context>,
    pub(super) access: Access,
    pub(super) id: RequestId,
    pub(super) operation: Operation,
    /// Those that repeat its arguments.
    pub(super) headers: HeaderMap,
    /// How often the client has been asked; a request of a later round goes on with a call of another one.
    pub(super) round: u32,
}

impl ClientRequest {
    /// Who is charged for it.
    pub(super) fn account(&self) -> Arc<Account> {
        self.context.accounts.of(self.access.principal().user())
    }

    /// A seat at the child that fits the client.
    pub(super) async fn seat(&self) -> Result<Seat, NotAdmitted> {
        let client = &self.operation.client;
        let profile = Profile::of_modern(&client.capabilities, client.info.clone());
        self.context.gate.seat(&self.access, &profile, None).await
    }

    /// What the bridge answers by itself when the server is a legacy one (checklist 5a, 5.1).
    pub(super) fn answer_for_legacy(
        &self,
        hello: &Hello,
    ) -> Option<(Status, Result<Raw, ErrorObject>)> {
        let method: &str = self.operation.method.as_ref();
        if method == "server/discover" {
            let discovered = result::discover(hello);
            return Some((Status::Ok, result::result(&discovered, &self.operation, hello)));
        }
        let offered = match method.split_once('/').map_or("", |(family, _)| family) {
            "tools" => hello.offers("tools"),
            "prompts" => hello.offers("prompts"),
            "resources" => hello.offers("resources"),
            "completion" => true,
            "tasks" => false,
            _ => hello.offers("extensions") || hello.offers("experimental"),
        };
        let error = || ErrorObject::method_not_found(method);
        (!offered).then(|| (Status::NotFound, Err(error())))
    }

    /// The progress of the call in this request's words: what was said before its retry came bears the token of
    /// the request before (checklist 5.15).
    pub(super) fn progress(&self, params: Raw) -> Option<Raw> {
        if self.round == 0 {
            return Some(params);
        }
        let token = self.operation.params.meta.progress_token.as_ref()?;
        let members = Object::parse(&params).ok()?;
        Some(members.with(&[(meta::PROGRESS_TOKEN, Some(token.as_str()))]))
    }

    /// A log message of the call, if this request wants it (checklist 3.44, 5.15).
    pub(super) fn log(&self, params: Raw) -> Option<Raw> {
        let wanted = || {
            let level = Object::parse(&params).ok()?.get("level")?.read::<LogLevel>().ok()?;
            Some(level >= self.operation.client.log_level?)
        };
        (self.round == 0 || wanted() == Some(true)).then_some(params)
    }
}
