//! The handle of a running child: whoever holds it sends commands to the one loop that owns the child.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::super::catalogue::Catalogue;
use super::super::event::{AskKey, Event, Outcome};
use super::super::mailbox::{Keep, Mailbox};
use super::in_flight::{InFlight, Share};
use crate::limits::Account;
use crate::mcp::{ErrorObject, Object, Raw};
use crate::policy::Permitted;
use crate::server::{Hello, Internal};

/// Numbers below this were used during the handshake.
const FIRST_ID: u64 = 2;
/// A list of tools that has more pages is read no further.
const MOST_PAGES: usize = 50;
const LIST_WITHIN: Duration = Duration::from_secs(10);
const BUSY: &str = "too many calls are in flight; try again later";
pub(super) const GONE: &str = "the server is gone; call again to start a fresh one";

/// A running child; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Child {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    number: u64,
    hello: Hello,
    given: Vec<String>,
    // Each call in flight adds at most its call, its answers and its end to this queue, so the bound on
    // what is under way bounds it.
    commands: mpsc::UnboundedSender<Command>,
    next_id: AtomicU64,
    in_flight: Arc<InFlight>,
    /// Beside the queue, which a child that does not read holds up.
    closing: CancellationToken,
    closed: watch::Receiver<bool>,
    /// The annotated tools, and how many list changes there had been when they were asked for.
    catalogue: tokio::sync::Mutex<Option<(usize, Arc<Catalogue>)>>,
    lists_changed: Arc<AtomicUsize>,
    asking: Arc<AtomicBool>,
}

/// Whether a list was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As fresh as the server's own change notices make it.
    Usual,
    /// Asked for now.
    Now,
}

/// One of the bridge's own requests, which is given up when nobody waits any more; after its answer that does nothing.
struct Asked<'a> {
    child: &'a Child,
    id: u64,
}

/// What the loop can be told.
#[derive(Debug)]
pub(super) enum Command {
    /// Do this.
    Call { id: u64, permitted: Permitted, mailbox: Arc<Mailbox<Event>> },
    /// One of the bridge's own requests.
    Internal { id: u64, request: Internal, reply: oneshot::Sender<Outcome> },
    /// The answer to an ask within a call.
    Answer { call: u64, key: AskKey, outcome: Result<Raw, ErrorObject> },
    /// The answer to an ask outside any call.
    AnswerOutside { key: AskKey, outcome: Result<Raw, ErrorObject> },
    /// The same call, now on behalf of its retry.
    TakeOver { call: u64, permitted: Permitted },
    /// Nobody waits for this call any more.
    Cancel { call: u64, reason: String },
    /// Nobody waits for this request of the bridge any more.
    Abandon { id: u64 },
    /// A client's notification that its server should hear.
    Notify { permitted: Permitted },
}

/// The loop's end of a [`Child`].
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) closing: CancellationToken,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) lists_changed: Arc<AtomicUsize>,
    /// Whether a question outside any call waits for its answer.
    pub(super) asking: Arc<AtomicBool>,
    pub(super) closed: watch::Sender<bool>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.child.send(Command::Abandon { id: self.id });
    }
}

impl Child {
    pub(super) fn new(
        number: u64,
        hello: Hello,
        given: Vec<String>,
        in_flight: InFlight,
    ) -> (Self, Inbox) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let closing = CancellationToken::new();
        let (closed_sender, closed) = watch::channel(false);
        let in_flight = Arc::new(in_flight);
        let lists_changed = Arc::new(AtomicUsize::new(0));
        let asking = Arc::new(AtomicBool::new(false));
        let inbox = Inbox {
            commands: receiver,
            closing: closing.clone(),
            in_flight: Arc::clone(&in_flight),
            lists_changed: Arc::clone(&lists_changed),
            asking: Arc::clone(&asking),
            closed: closed_sender,
        };
        let next_id = AtomicU64::new(FIRST_ID);
        let inner = Inner {
            number,
            hello,
            given,
            commands,
            next_id,
            in_flight,
            closing,
            closed,
            catalogue: tokio::sync::Mutex::default(),
            lists_changed,
            asking,
        };
        (Self { inner: Arc::new(inner) }, inbox)
    }

    /// Which of this process's children it is.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.inner.number
    }

    /// What the server said about itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.inner.hello
    }

    /// Names, sources and keyed fingerprints of its credentials.
    #[must_use]
    pub fn given(&self) -> &[String] {
        &self.inner.given
    }

    /// Sends one of the bridge's own requests and waits for the answer. What a caller can cause at will needs a
    /// [`share`](Self::share) first.
    pub async fn ask(&self, request: Internal, limit: Duration) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let id = self.number_call();
        self.inner.in_flight.add_own();
        self.send(Command::Internal { id, request, reply });
        // However the wait ends: a client that hangs up may drop it.
        let _asked = Asked { child: self, id };
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::Unsent(ErrorObject::internal(GONE)),
            Err(_) => Outcome::Lost(ErrorObject::internal("the server did not answer in time")),
        }
    }

    /// The annotated tools of the server, asked for on first need and after its list has changed. `may` is asked first
    /// whether the server can be; whoever comes meanwhile waits for the answer.
    ///
    /// # Errors
    /// What `may` says.
    pub async fn catalogue<E>(
        &self,
        freshness: Freshness,
        may: impl FnOnce() -> Result<(), E>,
    ) -> Result<Arc<Catalogue>, E> {
        let mut known = self.inner.catalogue.lock().await;
        let changes = self.inner.lists_changed.load(Ordering::Relaxed);
        if let (Freshness::Usual, Some((at, catalogue))) = (freshness, &*known)
            && *at == changes
        {
            return Ok(Arc::clone(catalogue));
        }
        may()?;
        let (catalogue, whole) = self.read_pages().await;
        let catalogue = Arc::new(catalogue);
        if whole == Whole::Yes {
            *known = Some((changes, Arc::clone(&catalogue)));
        }
        Ok(catalogue)
    }

    /// What tools there are, the first page of them.
    pub async fn list_tools(&self, limit: Duration) -> Outcome {
        self.ask(Internal::ListTools { cursor: None }, limit).await
    }

    async fn read_pages(&self) -> (Catalogue, Whole) {
        let mut catalogue = Catalogue::default();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let request = Internal::ListTools { cursor: cursor.take() };
            // Without a list nothing is annotated, and the server itself answers the call.
            let Outcome::Result(page) = self.ask(request, LIST_WITHIN).await else { break };
            let Ok(members) = Object::parse(&page) else { break };
            if let Some(Ok(tools)) = members.get("tools").map(|tools| tools.read::<Vec<_>>()) {
                catalogue.add(&tools);
            }
            cursor = members.get_str("nextCursor");
            if cursor.is_none() {
                return (catalogue, Whole::Yes);
            }
        }
        (catalogue, Whole::No)
    }

    /// Sends one of the bridge's own requests whose answer does not matter.
    pub fn tell(&self, request: Internal) {
        let (reply, _) = oneshot::channel();
        let id = self.number_call();
        self.inner.in_flight.add_own();
        self.send(Command::Internal { id, request, reply });
    }

    /// Passes a client's notification on where there is room for it; `may` is asked last.
    ///
    /// # Errors
    /// What `may` says.
    pub fn notify<E>(
        &self,
        permitted: Permitted,
        may: impl FnOnce(&Permitted) -> Result<(), E>,
    ) -> Result<(), E> {
        // The protocol lets notifications get lost, and a client that floods loses its own.
        if self.inner.in_flight.add(permitted.weight()).is_err() {
            return Ok(());
        }
        let may = may(&permitted);
        match may {
            Ok(()) => self.send(Command::Notify { permitted }),
            Err(_) => self.inner.in_flight.remove(permitted.weight()),
        }
        may
    }

    /// A share of what may be in flight, for what is done in another form than a call's.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        InFlight::share(&self.inner.in_flight)
    }

    /// Answers an ask that came outside any call.
    pub fn answer_outside(&self, key: &AskKey, outcome: Result<Raw, ErrorObject>) {
        self.send(Command::AnswerOutside { key: Arc::clone(key), outcome });
    }

    /// Asks the loop to finish what is under way and close the child's stdin.
    pub fn close(&self) {
        self.inner.closing.cancel();
    }

    /// Whether it was told to close.
    #[cfg(test)]
    pub(in super::super) fn is_closing(&self) -> bool {
        self.inner.closing.is_cancelled()
    }

    /// Whether the loop takes nothing any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.commands.is_closed()
    }

    /// Resolves when the loop has ended.
    pub async fn closed(&self) {
        let mut closed = self.inner.closed.clone();
        // An error means that the sender is gone, which is the end too.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Sends a call of a predecessor's again, at once; what comes back resolves when it is answered.
    pub(in super::super) fn replay(
        &self,
        permitted: Permitted,
    ) -> impl Future<Output = Outcome> + use<> {
        let mailbox: Arc<Mailbox<Event>> = Arc::default();
        self.call(permitted, Arc::clone(&mailbox));
        async move {
            loop {
                if let Event::Done(outcome) = mailbox.next().await {
                    return outcome;
                }
            }
        }
    }

    /// Whether it waits for the answer to a question that belongs to no call.
    pub(in super::super) fn is_asking(&self) -> bool {
        self.inner.asking.load(Ordering::Relaxed)
    }

    /// Whose child it is, as far as bytes are concerned.
    pub(super) fn account(&self) -> &Arc<Account> {
        self.inner.in_flight.account()
    }

    /// Sends a call and returns our number for it; when it cannot be sent, the mailbox says why.
    pub(super) fn call(&self, permitted: Permitted, mailbox: Arc<Mailbox<Event>>) -> u64 {
        let id = self.number_call();
        let unsent = |text: &str| Event::Done(Outcome::Unsent(ErrorObject::internal(text)));
        if self.inner.in_flight.add(permitted.weight()).is_err() {
            mailbox.push(unsent(BUSY), Keep::End);
            return id;
        }
        let command = Command::Call { id, permitted, mailbox };
        if let Err(mpsc::error::SendError(Command::Call { mailbox, .. })) =
            self.inner.commands.send(command)
        {
            mailbox.push(unsent(GONE), Keep::End);
        }
        id
    }

    pub(super) fn send(&self, command: Command) {
        // A loop that has ended has told everybody who waits.
        let _ = self.inner.commands.send(command);
    }

    fn number_call(&self) -> u64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::hello;
    use super::*;
    use crate::mcp::Era;

    #[tokio::test]
    async fn a_request_of_ours_that_nobody_waits_for_is_given_up() {
        let in_flight = InFlight::new(1, Account::unlimited());
        let (child, mut inbox) = Child::new(1, hello(Era::Legacy), Vec::new(), in_flight);
        let asking = tokio::spawn(async move {
            child.ask(Internal::ListTools { cursor: None }, LIST_WITHIN).await
        });
        let Some(Command::Internal { id, .. }) = inbox.commands.recv().await else { panic!() };
        asking.abort();
        let Some(Command::Abandon { id: given_up }) = inbox.commands.recv().await else { panic!() };
        assert_eq!(given_up, id);
    }
}
