//! A POST and its answer: one JSON document where the first thing to say is the last, a stream otherwise.
//!
//! The work goes on when the client hangs up: it is not tied to the connection (checklist 1.16, 2.21).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;

use super::request::{Served, serve};
use super::session::Session;
use super::stream::{EventStream, Reader, Step};
use crate::client::context::{Arrival, Context};
use crate::client::headers;
use crate::client::reply::{Frame, Frames, Reply, Status};
use crate::gate::Access;
use crate::mcp::{ProtocolVersion, RequestId};
use crate::policy::Operation;

/// A call that takes longer becomes a stream, so that a client that loses its connection can come back for the
/// answer. Older revisions give no event id before the first message, so there it would gain nothing.
const RESUMABLE_AFTER: Duration = Duration::from_millis(50);
/// How soon a client should come back.
const RETRY: Duration = Duration::from_secs(1);

type Work = Pin<Box<dyn Future<Output = Served> + Send>>;

/// Work that goes on in a task of its own when it is dropped unfinished.
struct Detached(Option<Work>);

/// Serves one request.
pub(super) async fn one(
    context: &Arc<Context>,
    access: &Access,
    arrival: &Arrival,
    session: &Arc<Session>,
    request: (RequestId, Operation),
) -> Reply {
    let stream = session.new_stream();
    let (context, access) = (Arc::clone(context), access.clone());
    let keep_alive = context.settings.keep_alive;
    let work = serve(context, access, Arc::clone(session), request, Arc::clone(&stream));
    let finish = Arc::clone(&stream);
    let work: Work = Box::pin(async move {
        let served = work.await;
        finish.finish();
        served
    });
    respond(keep_alive, arrival, session, stream, work).await
}

/// Serves the requests of a batch on one stream.
pub(super) fn many(
    context: &Arc<Context>,
    access: &Access,
    session: &Arc<Session>,
    requests: Vec<(RequestId, Operation)>,
) -> Reply {
    let stream = session.new_stream();
    let work = |request| {
        let (context, access) = (Arc::clone(context), access.clone());
        serve(context, access, Arc::clone(session), request, Arc::clone(&stream))
    };
    let works: Vec<_> = requests.into_iter().map(work).collect();
    let finish = Arc::clone(&stream);
    context.shutdown.spawn_work(async move {
        futures_util::future::join_all(works).await;
        finish.finish();
    });
    events(session, &stream)
}

/// Waits for the first thing to say, and answers in the form that fits it.
async fn respond(
    keep_alive: Duration,
    arrival: &Arrival,
    session: &Arc<Session>,
    stream: Arc<EventStream>,
    work: Work,
) -> Reply {
    if !headers::accepts_events(&arrival.headers) {
        return document(&stream, work).await;
    }
    let mut work = Detached(Some(work));
    let patience = match session.version >= ProtocolVersion::V2025_11_25 {
        true => keep_alive.min(RESUMABLE_AFTER),
        false => keep_alive,
    };
    let waiting = async {
        // Whether the session goes on is only known when its server has introduced itself.
        if !session.seat.is_occupied() {
            let _ = tokio::time::timeout(keep_alive, session.seat.decided()).await;
        }
        tokio::time::sleep(patience).await;
    };
    let served = tokio::select! {
        biased;
        served = work.run() => Some(served),
        () = stream.arrived() => None,
        () = waiting => None,
    };
    if let Some(served) = served {
        work.0 = None;
        if let Some(content) = stream.only_event() {
            return Reply::Json { status: served.into(), content, session: None };
        }
    }
    drop(work);
    events(session, &stream)
}

/// The answer alone, for a client that takes no stream: what happens on the way is not told (checklist 1.9).
async fn document(stream: &Arc<EventStream>, work: Work) -> Reply {
    let mut work = Detached(Some(work));
    let served = work.run().await;
    work.0 = None;
    match stream.last_event() {
        Some(content) => Reply::Json { status: served.into(), content, session: None },
        None => Reply::Accepted,
    }
}

fn events(session: &Arc<Session>, stream: &Arc<EventStream>) -> Reply {
    session.keep_stream(stream);
    match stream.read(Some(0)).or_else(|_| stream.read(None)) {
        Ok(reader) => Reply::Events { frames: frames(session, reader), session: None },
        // A stream that was never read has lost nothing that was delivered.
        Err(_) => Reply::Accepted,
    }
}

/// The frames of a reader, beginning with an id alone where the revision knows that (checklist 2.27).
pub(super) fn frames(session: &Arc<Session>, reader: Reader) -> Frames {
    let primed = (session.version >= ProtocolVersion::V2025_11_25).then(|| Frame {
        id: Some(reader.position()),
        retry: Some(RETRY),
        ..Frame::default()
    });
    let reading = session.reading();
    let rest = stream::unfold((reader, reading), |(mut reader, reading)| async move {
        loop {
            match reader.step() {
                Step::Frame(frame) => return Some((frame, (reader, reading))),
                Step::End => return None,
                Step::Wait => reader.wait().await,
            }
        }
    });
    use futures_util::StreamExt as _;
    Box::pin(stream::iter(primed).chain(rest))
}

impl Detached {
    async fn run(&mut self) -> Served {
        match &mut self.0 {
            Some(work) => work.await,
            None => Served::Answered,
        }
    }
}

impl From<Served> for Status {
    fn from(served: Served) -> Self {
        match served {
            Served::Answered => Self::Ok,
            Served::SessionOver => Self::NotFound,
        }
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            tokio::spawn(work);
        }
    }
}
