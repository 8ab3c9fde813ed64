//! Where a server's notifications belong: progress to its call, a log line to the only call that it can belong
//! to, a subscription's message to its subscription.

use bytestring::ByteString;

use super::super::event::{Event, Notice};
use super::super::mailbox::Keep;
use super::state::{Call, ChildState};
use crate::mcp::{Era, Object, Raw, meta};
use crate::policy::LogLevel;

impl ChildState {
    pub(super) fn progress(&mut self, token: u64, params: &Raw) {
        self.trace.notified("notifications/progress", Some(params));
        let Some(call) = self.calls.get_mut(&token) else { return };
        let Some(own) = &call.permitted.operation().params.meta.progress_token else { return };
        let Ok(members) = Object::parse(params) else { return };
        let value = members.get("progress").and_then(|value| value.read::<f64>().ok());
        // Values must rise (basic/utilities/progress); one that does not tells the client nothing.
        let Some(value) = value.filter(|value| *value > call.progress) else { return };
        call.progress = value;
        let restored = members.with(&[(meta::PROGRESS_TOKEN, Some(own.as_str()))]);
        call.mailbox.push(Event::Progress(restored), Keep::IfRoom);
    }

    /// A log message belongs to the only call that it can belong to (checklist 5.30).
    pub(super) fn log(&mut self, level: LogLevel, params: Raw) {
        self.trace.notified("notifications/message", Some(&params));
        let modern = self.hello.era() == Era::Modern;
        let wants = |call: &Call| {
            if call.awaits_answers() {
                return false;
            }
            let client = &call.permitted.operation().client;
            match (modern, client.era) {
                // Only requests that named a level get messages from a modern server.
                (true, _) => client.log_level.is_some_and(|least| level >= least),
                // A legacy server does not know who asked, so every call is a candidate.
                (false, _) => true,
            }
        };
        let mut candidates = self.calls.values().filter(|call| wants(call));
        match (candidates.next(), candidates.next()) {
            (Some(call), None) => {
                let client = &call.permitted.operation().client;
                let asked = client.log_level.is_some_and(|least| level >= least);
                if call.cancelled.is_none() && (asked || client.era == Era::Legacy) {
                    call.mailbox.push(Event::Log(params), Keep::IfRoom);
                }
            }
            (None, _) if !modern => {
                let notice = Notice::Log { level, params };
                self.subscribers.tell_only_session(notice, Keep::IfRoom);
            }
            _ => {
                let legacy = |call: &Call| call.permitted.operation().client.era == Era::Legacy;
                if !modern && self.calls.values().all(legacy) {
                    let notice = Notice::Log { level, params };
                    self.subscribers.tell_only_session(notice, Keep::IfRoom);
                }
            }
        }
    }

    pub(super) fn subscription(&mut self, listen: u64, method: ByteString, params: &Raw) {
        self.trace.notified(&method, Some(params));
        let Some(call) = self.calls.get(&listen) else { return };
        call.mailbox.push(Event::Subscription { method, params: params.clone() }, Keep::Always);
    }
}
