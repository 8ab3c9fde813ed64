//! Who listens to a child beside its calls: the sessions and subscriptions that share it.
//!
//! It belongs to the slot, not to the process, so that a successor keeps it. List changes and resource updates
//! go to all who asked for them; a log line or an ask that no call explains goes to the only session there is,
//! or to nobody (checklist 5.41–5.45).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::event::Notice;
use super::super::mailbox::{Keep, Mailbox, Pushed};
use super::habits::Habits;
use crate::limits::{Account, Share, Short};
use crate::mcp::{Era, Notification, Raw};
use crate::policy::{LogLevel, Permitted};
use crate::server::{Hello, ListKind};

/// Resources that one client may subscribe to.
pub const MOST_URIS: usize = 1000;
/// The longest URI of a subscription, in bytes.
const LONGEST_URI: usize = 8 * 1024;

/// What a subscription takes beside its URI.
const SUBSCRIPTION: usize = 512;
/// How often its URI is kept: to find it, to send it again as text, and to be compared.
const COPIES: usize = 3;

/// The members of one slot.
#[derive(Debug, Default)]
pub struct Subscribers {
    pub(super) habits: Habits,
    /// The most verbose level that a request of its own asked for.
    requested: Mutex<Option<LogLevel>>,
    members: Mutex<HashMap<u64, Membership>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Membership {
    mailbox: Arc<Mailbox<Notice>>,
    role: Role,
    level: Option<LogLevel>,
    /// Streams on which it hears of what happens.
    open: usize,
    /// Resources that it follows in a subscription of its own.
    followed: usize,
    /// The subscription call of each URI, kept to be sent again to a successor.
    uris: HashMap<String, Subscribed>,
}

/// What is kept of a subscription.
#[derive(Debug)]
struct Subscribed {
    permitted: Permitted,
    _share: Share,
}

/// What a member is.
#[derive(Debug)]
pub enum Role {
    /// A legacy session: hears of every list, may be asked what its capabilities allow.
    Session {
        /// `ClientCapabilities`.
        capabilities: Raw,
    },
    /// A modern subscription: hears of the lists it named, is never asked.
    Listen {
        /// The lists.
        lists: Vec<ListKind>,
    },
}

/// A member's own end; dropping it leaves.
#[derive(Debug)]
pub struct Member {
    subscribers: Arc<Subscribers>,
    key: u64,
    account: Arc<Account>,
    mailbox: Arc<Mailbox<Notice>>,
}

// === impl Subscribers ===

impl Subscribers {
    /// Joins, at the cost of this account.
    #[must_use]
    pub fn join(self: &Arc<Self>, role: Role, account: &Arc<Account>) -> Member {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::charged_to(account));
        let membership = Membership {
            mailbox: Arc::clone(&mailbox),
            role,
            level: None,
            open: 0,
            followed: 0,
            uris: HashMap::new(),
        };
        self.lock().insert(key, membership);
        let account = Arc::clone(account);
        Member { subscribers: Arc::clone(self), key, account, mailbox }
    }

    /// The most verbose level that any member wants.
    #[must_use]
    pub fn level(&self) -> Option<LogLevel> {
        let requested = *self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().values().filter_map(|member| member.level).chain(requested).min()
    }

    /// Whether the server has to be told of this level of a single request.
    #[must_use]
    pub fn is_news(&self, level: LogLevel) -> bool {
        self.level().is_none_or(|known| level < known)
    }

    /// Notes the level of a single request; returns the level to be set where that is news.
    #[must_use]
    pub fn request_level(&self, level: LogLevel) -> Option<LogLevel> {
        let before = self.level();
        let mut requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        *requested = Some(requested.map_or(level, |own| own.min(level)));
        drop(requested);
        before.is_none_or(|before| level < before).then_some(level)
    }

    /// One subscription call for each URI that anybody wants.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(String, Permitted)> {
        let mut all = HashMap::new();
        for member in self.lock().values() {
            for (uri, subscribed) in &member.uris {
                all.entry(uri.clone()).or_insert_with(|| subscribed.permitted.clone());
            }
        }
        all.into_iter().collect()
    }

    pub(super) fn list_changed(&self, kind: ListKind) {
        self.tell(&Notice::ListChanged(kind), |member| match &member.role {
            Role::Session { .. } => true,
            Role::Listen { lists } => lists.contains(&kind),
        });
    }

    pub(super) fn updated(&self, uri: &str, params: &Raw) {
        let notice = Notice::Updated { uri: uri.to_owned(), params: params.detached() };
        // Legacy servers may name a part of what was subscribed (checklist 5.27).
        let wants =
            |member: &Membership| member.uris.keys().any(|own| uri == own || uri.starts_with(own));
        self.tell(&notice, wants);
    }

    /// Whether a session waits, on an open stream, for news of resources that it named.
    pub(in super::super) fn are_awaited(&self) -> bool {
        let awaits = |member: &Membership| {
            member.open > 0 && (member.followed > 0 || !member.uris.is_empty())
        };
        self.lock().values().any(awaits)
    }

    /// Another child has taken the place of the one that those who are here knew. The sessions of a modern server follow
    /// it on their own.
    pub(in super::super) fn restarted(&self, hello: &Hello) {
        if hello.era() == Era::Modern {
            return;
        }
        let is_session = |member: &Membership| matches!(member.role, Role::Session { .. });
        self.tell(&Notice::Restarted, is_session);
        for kind in ListKind::ALL.into_iter().filter(|kind| hello.offers(kind.capability())) {
            let wants = |member: &Membership| matches!(&member.role, Role::Listen { lists } if lists.contains(&kind));
            self.tell(&Notice::ListChanged(kind), wants);
        }
    }

    /// The child is no more, and what it knew of subscriptions.
    pub(in super::super) fn lost(&self) {
        self.tell(&Notice::Gone, |member| matches!(member.role, Role::Listen { .. }));
    }

    /// The child does not report this resource, as those think who asked for it.
    pub(in super::super) fn subscription_is_lost(&self, uri: &str) {
        self.tell(&Notice::Gone, |member| member.uris.contains_key(uri));
    }

    /// The child was not told the level that it should log from.
    pub(in super::super) fn level_is_lost(&self) {
        self.tell(&Notice::Gone, |member| member.level.is_some());
    }

    /// There will be no child for those who are here.
    pub(in super::super) fn gone(&self) {
        self.tell(&Notice::Gone, |_| true);
    }

    pub(super) fn other(&self, notification: &Notification) {
        let is_session = |member: &Membership| matches!(member.role, Role::Session { .. });
        let params = notification.params.as_ref().map(Raw::detached);
        let notice = Notice::Other(Notification { params, ..notification.clone() });
        self.tell(&notice, is_session);
    }

    /// Tells the only session; nothing is kept when there is none or more than one.
    pub(super) fn tell_only_session(&self, notice: Notice, keep: Keep) -> Pushed {
        let members = self.lock();
        only_session(&members).map_or(Pushed::Dropped, |member| member.mailbox.push(notice, keep))
    }

    /// The capabilities of the only session.
    pub(super) fn only_session_capabilities(&self) -> Option<Raw> {
        match &only_session(&self.lock())?.role {
            Role::Session { capabilities } => Some(capabilities.clone()),
            Role::Listen { .. } => None,
        }
    }

    fn tell(&self, notice: &Notice, wants: impl Fn(&Membership) -> bool) {
        for member in self.lock().values().filter(|member| wants(member)) {
            let keep = if matches!(notice, Notice::Gone) { Keep::End } else { Keep::Always };
            member.mailbox.push(notice.clone(), keep);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Membership>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn only_session(members: &HashMap<u64, Membership>) -> Option<&Membership> {
    let mut sessions =
        members.values().filter(|member| matches!(member.role, Role::Session { .. }));
    let first = sessions.next()?;
    sessions.next().is_none().then_some(first)
}

// === impl Member ===

impl Member {
    /// The member's number within its subscribers.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// What this member hears.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox<Notice>> {
        &self.mailbox
    }

    /// Sets the member's log level and returns the most verbose level of all.
    pub fn set_level(&self, level: LogLevel) -> LogLevel {
        self.update(|own| own.level = Some(level));
        self.subscribers.level().unwrap_or(level)
    }

    /// Whether the member may subscribe to one more resource, and to this one.
    #[must_use]
    pub fn has_room_for(&self, uri: &str) -> bool {
        if uri.len() > LONGEST_URI {
            return false;
        }
        let members = self.subscribers.lock();
        members
            .get(&self.key)
            .is_some_and(|own| own.uris.contains_key(uri) || own.uris.len() < MOST_URIS)
    }

    /// What a subscription to this resource takes, for as long as it is kept.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn price(&self, uri: &str) -> Result<Share, Short> {
        let mut share = Share::of(&self.account);
        share.try_set(SUBSCRIPTION + COPIES * uri.len())?;
        Ok(share)
    }

    /// Notes that the member wants to hear of a resource; what comes back forgets it again unless it is kept.
    #[must_use]
    pub fn subscribe(&self, uri: &str, permitted: &Permitted, price: Share) -> Subscribing {
        let permitted = permitted.of_its_resource_alone();
        let subscribed = Subscribed { permitted, _share: price };
        self.update(|own| drop(own.uris.insert(uri.to_owned(), subscribed)));
        let (subscribers, uri) = (Arc::clone(&self.subscribers), uri.to_owned());
        Subscribing { subscribers, member: self.key, uri: Some(uri) }
    }

    /// Forgets a subscription.
    pub fn unsubscribe(&self, uri: &str) -> Remaining {
        let mut members = self.subscribers.lock();
        if let Some(member) = members.get_mut(&self.key) {
            member.uris.remove(uri);
        }
        match members.values().any(|member| member.uris.contains_key(uri)) {
            true => Remaining::Others,
            false => Remaining::Nobody,
        }
    }

    /// Notes how many resources the member follows in a subscription of its own.
    pub fn follows(&self, count: usize) {
        self.update(|own| own.followed = count);
    }

    /// Notes that the member's client hears of what happens, as long as what comes back is kept.
    #[must_use]
    pub fn open(&self) -> Opened {
        self.update(|own| own.open += 1);
        Opened { subscribers: Arc::clone(&self.subscribers), member: self.key }
    }

    fn update(&self, change: impl FnOnce(&mut Membership)) {
        if let Some(own) = self.subscribers.lock().get_mut(&self.key) {
            change(own);
        }
    }

    /// The URIs this member subscribed.
    #[must_use]
    pub fn uris(&self) -> Vec<String> {
        let members = self.subscribers.lock();
        members
            .get(&self.key)
            .map(|member| member.uris.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// A stream on which a member hears of what happens.
#[derive(Debug)]
pub struct Opened {
    subscribers: Arc<Subscribers>,
    member: u64,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(own) = self.subscribers.lock().get_mut(&self.member) {
            own.open -= 1;
        }
    }
}

/// A subscription that its server has not taken yet; dropping it forgets it.
#[derive(Debug)]
pub struct Subscribing {
    subscribers: Arc<Subscribers>,
    member: u64,
    uri: Option<String>,
}

impl Subscribing {
    /// The server took it.
    pub fn keep(mut self) {
        self.uri = None;
    }
}

impl Drop for Subscribing {
    fn drop(&mut self) {
        let Some(uri) = &self.uri else { return };
        if let Some(member) = self.subscribers.lock().get_mut(&self.member) {
            member.uris.remove(uri);
        }
    }
}

/// Who still wants a resource after one member has lost interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// Somebody else.
    Others,
    /// Nobody.
    Nobody,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.subscribers.lock().remove(&self.key);
    }
}
