//! What a subscription asks for (checklist 3.46, 3.47).

use serde::Deserialize;

use crate::gate::MOST_URIS;
use crate::mcp::{Object, Raw};
use crate::server::ListKind;

/// The filter of one subscription.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    #[serde(default)]
    pub(super) tools_list_changed: bool,
    #[serde(default)]
    pub(super) prompts_list_changed: bool,
    #[serde(default)]
    pub(super) resources_list_changed: bool,
    #[serde(default)]
    pub(super) resource_subscriptions: Vec<String>,
    #[serde(default)]
    pub(super) task_ids: Vec<String>,
}

impl Filter {
    fn is_bounded(&self) -> bool {
        self.resource_subscriptions.len() <= MOST_URIS && self.task_ids.len() <= MOST_URIS
    }

    /// The filter of a request, if it is one.
    pub(super) fn asked(params: &Raw) -> Option<Self> {
        // A list would be read as a filter by position.
        let filter = Object::parse(params).ok()?.get("notifications").filter(Raw::is_object)?;
        filter.read::<Self>().ok().filter(Self::is_bounded)
    }

    /// The lists whose changes it asks for.
    pub(super) fn lists(&self) -> impl Iterator<Item = ListKind> + use<> {
        let flags = [
            (self.tools_list_changed, ListKind::Tools),
            (self.prompts_list_changed, ListKind::Prompts),
            (self.resources_list_changed, ListKind::Resources),
        ];
        flags.into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind)
    }

    /// What a modern server's acknowledgement honours of it.
    pub(super) fn honoured(params: &Raw) -> Self {
        let read = || Object::parse(params).ok()?.get("notifications")?.read().ok();
        read().unwrap_or_default()
    }

    /// Whether a subscription to this may carry such a message: what was not asked for it may not, and what belongs
    /// to a request never (checklist 3.46, 3.47, 9.7).
    pub(super) fn allows(&self, method: &str) -> bool {
        match (method, ListKind::read(method)) {
            (_, Some(ListKind::Tools)) => self.tools_list_changed,
            (_, Some(ListKind::Prompts)) => self.prompts_list_changed,
            (_, Some(ListKind::Resources)) => self.resources_list_changed,
            ("notifications/resources/updated", _) => !self.resource_subscriptions.is_empty(),
            ("notifications/tasks", _) => !self.task_ids.is_empty(),
            ("notifications/progress" | "notifications/message", _) => false,
            _ => true,
        }
    }
}
