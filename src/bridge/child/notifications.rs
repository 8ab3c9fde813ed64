//! Where a server's notifications belong: progress to its call, a log line to the calls that asked for it, a
//! subscription's message to its subscription.

use std::collections::HashMap;

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

    /// A log message goes to every call under way that asked for its level: all of them are one user's, and the server
    /// does not say which it is about (checklist 5.30). One that is about no call goes to the only session.
    pub(super) fn log(&mut self, level: LogLevel, params: &Raw) {
        self.trace.notified("notifications/message", Some(params));
        // What waits weighs what it says, so that it must pin no more: a line may hold much beside it.
        let params = params.detached();
        let heirs = self.heirs(level);
        for heir in &heirs {
            self.calls[heir].mailbox.push(Event::Log(params.clone()), Keep::IfRoom);
        }
        let legacy = |call: &Call| call.permitted.operation().client.era == Era::Legacy;
        let working = || self.calls.values().filter(|call| !call.awaits_answers());
        if heirs.is_empty() && self.hello.era() == Era::Legacy && working().all(legacy) {
            let notice = Notice::Log { level, params };
            self.subscribers.tell_only_session(notice, Keep::IfRoom);
        }
    }

    /// The calls that hear a message of this level; of one session's, which hears it once, the newest.
    fn heirs(&self, level: LogLevel) -> Vec<u64> {
        let working = || self.calls.iter().filter(|(_, call)| !call.awaits_answers());
        let (mut heirs, mut of_sessions) = (Vec::new(), HashMap::new());
        for (id, call) in working().filter(|(_, call)| call.cancelled.is_none()) {
            let client = &call.permitted.operation().client;
            // Before a session names a level its server decides, but then the call must be the only one.
            let hears = match client.log_level {
                Some(least) => level >= least,
                None => {
                    let both_legacy = client.era == self.hello.era() && client.era == Era::Legacy;
                    both_legacy && working().nth(1).is_none()
                }
            };
            match client.session {
                _ if !hears => {}
                None => heirs.push(*id),
                Some(session) => {
                    let newest = of_sessions.entry(session).or_insert(*id);
                    *newest = (*newest).max(*id);
                }
            }
        }
        heirs.extend(of_sessions.into_values());
        heirs
    }

    pub(super) fn subscription(&mut self, listen: u64, method: ByteString, params: &Raw) {
        self.trace.notified(&method, Some(params));
        let Some(call) = self.calls.get(&listen) else { return };
        call.mailbox.push(Event::Subscription { method, params: params.detached() }, Keep::Always);
    }
}
