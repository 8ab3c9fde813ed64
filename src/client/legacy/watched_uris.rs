//! The resources that a session's client wants to hear of from a modern server: asked for on one side, subscribed on
//! the other.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::limits::Short;

/// Changes of one session's URIs that may wait.
const MOST_WAITING: usize = 64;
/// How long a change may take.
const CHANGED_WITHIN: Duration = Duration::from_secs(20);

/// A change of the URIs that a session wants to hear of.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) uri: String,
    pub(super) wanted: Wanted,
    pub(super) done: oneshot::Sender<Honoured>,
}

/// Whether a URI is to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Yes,
    No,
}

/// Whether the server took a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Honoured {
    Yes,
    No,
    /// There is no room for what it would keep.
    NoRoom(Short),
}

/// The session's end.
#[derive(Debug)]
pub(super) struct WatchedUris(mpsc::Sender<Change>);

/// The subscription's end.
pub(super) type Changes = mpsc::Receiver<Change>;

impl WatchedUris {
    pub(super) fn new() -> (Self, Changes) {
        let (sender, changes) = mpsc::channel(MOST_WAITING);
        (Self(sender), changes)
    }

    /// Asks for a URI to be followed, or no longer; nothing where that was not done in time.
    pub(super) async fn change(&self, uri: &str, wanted: Wanted) -> Option<Honoured> {
        let (done, answer) = oneshot::channel();
        let change = Change { uri: uri.to_owned(), wanted, done };
        let honoured = async {
            self.0.send(change).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(CHANGED_WITHIN, honoured).await.ok()?
    }
}
