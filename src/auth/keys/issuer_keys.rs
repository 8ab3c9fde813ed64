//! One issuer's endpoints and keys: fetched together, refreshed in the background, one fetch at a time.
//!
//! A token with an unknown key causes at most one fetch per cool-down, however many such tokens come, and soon another
//! where the fetch failed. While the provider is down the last keys stay in use up to a limit. It knows nothing of
//! claims.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::discovery::{self, Endpoints};
use super::key_set::KeySet;
use crate::auth::clock::Clock;
use crate::auth::error::Error;
use crate::auth::issuer_identifier::IssuerIdentifier;
use crate::auth::settings::{Algorithm, Limits};
use crate::outbound;
use crate::shutdown::Shutdown;

/// Metadata are read again at this age.
const ENDPOINTS_FRESH: Duration = Duration::from_secs(60 * 60);
/// Without any keys nobody can log in, so that the provider is asked more often.
const EMPTY_COOL_DOWN: Duration = Duration::from_secs(5);
/// After a fetch that failed the next may come so soon; twice as late after each further one, up to
/// [`EMPTY_COOL_DOWN`].
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// A provider's wish for the age of its keys is honoured within these.
const WISH_MIN: Duration = Duration::from_secs(5 * 60);
const WISH_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One issuer's endpoints and keys.
#[derive(Debug)]
pub(in crate::auth) struct IssuerKeys {
    name: Arc<str>,
    issuer: IssuerIdentifier,
    algorithms: Vec<Algorithm>,
    limits: Limits,
    http: outbound::Client,
    clock: Clock,
    shutdown: Shutdown,
    state: Mutex<State>,
    fetches: watch::Sender<u64>,
}

/// The keys in use, with a number that changes whenever a key goes away.
#[derive(Clone, Debug)]
pub(in crate::auth) struct Current {
    pub(in crate::auth) keys: Arc<KeySet>,
    pub(in crate::auth) generation: u64,
}

/// What one more look at the provider brought.
#[derive(Debug)]
pub(in crate::auth) enum Look {
    /// These are its keys, now or within the cool-down.
    Answered(Current),
    /// It could not be asked: whether it has a key that is not among ours is unknown.
    Failed,
}

/// How long a fetch waits for its turn.
#[derive(Clone, Copy)]
struct CoolDown {
    after_success: Duration,
    after_failure: Duration,
}

/// How well an issuer is known, for `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The issuer's short name.
    pub name: Arc<str>,
    /// How many usable keys there are; none means that its tokens are answered with 503.
    pub keys: usize,
    /// How old they are.
    pub age: Option<Duration>,
    /// Fetches that failed since the last good one.
    pub failures: u64,
    /// The scopes that its metadata offer.
    pub scopes: Vec<String>,
}

#[derive(Debug, Default)]
struct State {
    endpoints: Option<(Endpoints, Duration)>,
    keys: Option<Arc<KeySet>>,
    fetched: Duration,
    fresh_for: Duration,
    generation: u64,
    tried: Option<Duration>,
    flying: bool,
    failures: u64,
}

struct Fetched {
    keys: KeySet,
    wish: Option<Duration>,
}

// === impl IssuerKeys ===

impl IssuerKeys {
    pub(in crate::auth) fn new(
        name: Arc<str>,
        issuer: IssuerIdentifier,
        algorithms: Vec<Algorithm>,
        limits: Limits,
        http: outbound::Client,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            name,
            issuer,
            algorithms,
            limits,
            http,
            clock,
            shutdown,
            state: Mutex::default(),
            fetches: watch::Sender::new(0),
        }
    }

    /// The keys in use, unless there are none or they are too old to be trusted.
    pub(in crate::auth) fn current(&self) -> Option<Current> {
        let state = self.state();
        let keys = state.keys.clone()?;
        let age = self.clock.steady().saturating_sub(state.fetched);
        (age <= self.limits.keys_stale).then_some(Current { keys, generation: state.generation })
    }

    /// The number of the keys in use; `None` where [`current`](Self::current) has none.
    pub(in crate::auth) fn generation(&self) -> Option<u64> {
        let state = self.state();
        let age = self.clock.steady().saturating_sub(state.fetched);
        (state.keys.is_some() && age <= self.limits.keys_stale).then_some(state.generation)
    }

    /// The keys in use, fetched first if there are none.
    pub(in crate::auth) async fn ready(self: &Arc<Self>) -> Option<Current> {
        if let Some(current) = self.current() {
            return Some(current);
        }
        self.refresh().await;
        self.current()
    }

    /// One more look at the provider, if the cool-down allows it; a fetch that failed does not use it up.
    pub(in crate::auth) async fn again(self: &Arc<Self>) -> Look {
        self.refresh().await;
        match self.current() {
            Some(current) if self.state().failures == 0 => Look::Answered(current),
            _ => Look::Failed,
        }
    }

    /// Where opaque tokens are checked, as far as the provider says.
    pub(in crate::auth) async fn introspection(self: &Arc<Self>) -> Option<url::Url> {
        self.learnt(|endpoints| endpoints.introspection.clone()).await
    }

    /// The provider's own metadata as it wrote them, at most an hour old while it answers.
    pub(in crate::auth) async fn metadata(self: &Arc<Self>) -> Option<Bytes> {
        self.learnt(|endpoints| Some(endpoints.document.clone())).await
    }

    /// Something that the metadata say, which are fetched first if they do not say it yet.
    async fn learnt<T>(self: &Arc<Self>, what: impl Fn(&Endpoints) -> Option<T>) -> Option<T> {
        let known = || {
            let state = self.state();
            let (endpoints, _) = state.endpoints.as_ref()?;
            what(endpoints)
        };
        if let Some(known) = known() {
            return Some(known);
        }
        self.refresh().await;
        known()
    }

    /// Fetches in the background what has reached its age.
    pub(in crate::auth) fn tick(self: &Arc<Self>) {
        let due = {
            let state = self.state();
            let age = self.clock.steady().saturating_sub(state.fetched);
            state.keys.is_none() || age >= state.fresh_for
        };
        if due {
            // Nobody waits for it, so that an outage may be told slowly.
            let pause = EMPTY_COOL_DOWN.max(self.limits.keys_cool_down);
            drop(self.start(CoolDown { after_success: pause, after_failure: pause }));
        }
    }

    pub(in crate::auth) fn status(&self) -> IssuerStatus {
        let current = self.current();
        let state = self.state();
        IssuerStatus {
            name: self.name.clone(),
            keys: current.as_ref().map_or(0, |current| current.keys.len()),
            age: current.map(|_| self.clock.steady().saturating_sub(state.fetched)),
            failures: state.failures,
            scopes: state
                .endpoints
                .as_ref()
                .map_or_else(Vec::new, |(known, _)| known.scopes.clone()),
        }
    }

    /// Waits for the fetch under way, or for a new one unless the last was a moment ago.
    async fn refresh(self: &Arc<Self>) {
        let after_success = self.limits.keys_cool_down;
        let doublings = u32::try_from(self.state().failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = FAILED_PAUSE.saturating_mul(2u32.saturating_pow(doublings));
        let after_failure = pause.min(EMPTY_COOL_DOWN).min(after_success);
        let cool_down = CoolDown { after_success, after_failure };
        if let Some(mut fetches) = self.start(cool_down) {
            // The fetch has its own deadline and always ends with a change.
            let _ = fetches.changed().await;
        }
    }

    /// The fetch outlives the request that caused it: whoever hangs up must not take it from the others.
    fn start(self: &Arc<Self>, cool_down: CoolDown) -> Option<watch::Receiver<u64>> {
        let mut state = self.state();
        let fetches = self.fetches.subscribe();
        if state.flying {
            return Some(fetches);
        }
        let now = self.clock.steady();
        let cool_down = match state.failures {
            0 => cool_down.after_success,
            _ => cool_down.after_failure,
        };
        if state.tried.is_some_and(|tried| now.saturating_sub(tried) < cool_down) {
            return None;
        }
        state.flying = true;
        state.tried = Some(now);
        drop(state);
        let landing = Landing(self.clone());
        self.shutdown.spawn_work(async move {
            let keys = &landing.0;
            let deadline = keys.limits.fetch_deadline;
            let outcome = tokio::time::timeout(deadline, keys.fetch())
                .await
                .unwrap_or(Err(Error::Deadline { deadline }));
            keys.keep(outcome);
        });
        Some(fetches)
    }

    async fn fetch(&self) -> Result<Fetched, Error> {
        let known = {
            let state = self.state();
            let now = self.clock.steady();
            let fresh =
                |at: Duration| now.saturating_sub(at) < ENDPOINTS_FRESH && state.failures == 0;
            state
                .endpoints
                .as_ref()
                .filter(|(_, at)| fresh(*at))
                .map(|(endpoints, _)| endpoints.clone())
        };
        let endpoints = match known {
            Some(endpoints) => endpoints,
            None => self.learn(discovery::discover(&self.http, &self.issuer).await?),
        };
        let place = endpoints.keys.clone().ok_or_else(|| Error::Incomplete {
            url: self.issuer.url().to_owned(),
            member: "jwks_uri",
        })?;
        let url = outbound::shown(&place);
        let reply = self.http.send(self.http.get(place)).await?;
        if reply.status != http::StatusCode::OK {
            let status = reply.status.as_u16();
            return Err(Error::Status { url, status });
        }
        let keys = KeySet::read(&reply.body, &self.algorithms).map_err(|cause| {
            let url = url.clone();
            Error::Unreadable { url, cause }
        })?;
        if keys.len() == 0 {
            return Err(Error::NoKeys { url });
        }
        Ok(Fetched { keys, wish: max_age(&reply.headers) })
    }

    fn keep(&self, outcome: Result<Fetched, Error>) {
        let now = self.clock.steady();
        let mut state = self.state();
        match outcome {
            Ok(fetched) => {
                let gone = state.keys.as_ref().is_some_and(|old| !fetched.keys.covers(old));
                state.generation += u64::from(gone);
                state.keys = Some(Arc::new(fetched.keys));
                state.fetched = now;
                state.fresh_for = fetched.wish.unwrap_or(self.limits.keys_refresh);
                state.failures = 0;
            }
            Err(error) => {
                state.failures += 1;
                tracing::warn!(
                    issuer = %self.name,
                    failures = state.failures,
                    error = &error as &dyn std::error::Error,
                    "the identity provider's keys could not be fetched"
                );
            }
        }
    }

    fn learn(&self, endpoints: Endpoints) -> Endpoints {
        let host = |endpoints: &Endpoints| {
            let keys = endpoints.keys.as_ref()?;
            keys.host_str().map(str::to_owned)
        };
        let mut state = self.state();
        if let Some((old, _)) = &state.endpoints
            && host(old) != host(&endpoints)
        {
            tracing::warn!(issuer = %self.name, "the identity provider's keys have moved to another host");
        }
        state.endpoints = Some((endpoints.clone(), self.clock.steady()));
        endpoints
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a fetch whatever becomes of it, so that nobody waits for one that is gone.
struct Landing(Arc<IssuerKeys>);

impl Drop for Landing {
    fn drop(&mut self) {
        self.0.state().flying = false;
        self.0.fetches.send_modify(|count| *count += 1);
    }
}

/// How long the provider wants its keys to be kept, within our bounds.
fn max_age(headers: &http::HeaderMap) -> Option<Duration> {
    let control = headers.get(http::header::CACHE_CONTROL)?.to_str().ok()?;
    let seconds =
        control.split(',').find_map(|part| part.trim().strip_prefix("max-age="))?.parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(WISH_MIN, WISH_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_s_wish_is_honoured_within_bounds() {
        for (control, expected) in [
            ("max-age=3600", Some(3600)),
            ("public, max-age=60, must-revalidate", Some(300)),
            ("max-age=99999999", Some(86_400)),
            ("no-store", None),
            ("max-age=soon", None),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::CACHE_CONTROL, control.parse().unwrap());
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{control}");
        }
    }
}
