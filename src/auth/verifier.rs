//! The one place where a bearer token becomes a principal (auth-checklist 14).
//!
//! A token that was verified before costs a hash and a look-up. Everything that decides is in the modules it
//! calls; it knows their order and what may be remembered for how long.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use moka::future::Cache;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use crate::outbound;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

use super::bearer;
use super::claims::{self, Claims, Ending};
use super::clock::Clock;
use super::denied::{Denied, Reason};
use super::identity::Door;
use super::issuer_keys::IssuerStatus;
use super::jwt::{self, Jwt};
use super::oracle::{Bounded, Verdict};
use super::principal::{Fingerprint, Life, Principal};
use super::roll::{Digest, Due, Roll};
use super::settings::{AskWhen, Settings};
use super::source::Source;

/// The verified tokens together take no more than this.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// A token that nobody used for so long is verified again.
const CACHE_IDLE: Duration = Duration::from_secs(10 * 60);
/// How long an issuer's "not active" is believed.
const REFUSAL_CACHE: Duration = Duration::from_secs(10);
const MAX_REFUSALS: u64 = 10_000;
/// How often keys and watched tokens are looked at.
const TICK: Duration = Duration::from_secs(5);
/// Watched tokens are asked about no more often than this, whatever the cache.
const MIN_WATCH: Duration = Duration::from_secs(10);

/// Verifies bearer tokens of the configured issuers.
#[derive(Debug)]
pub struct Verifier {
    settings: Settings,
    sources: Vec<Source>,
    door: Door,
    clock: Clock,
    shutdown: Shutdown,
    verified: Cache<Digest, Arc<Verified>>,
    refused: Cache<Digest, (Denied, Duration)>,
    roll: Roll,
}

#[derive(Debug)]
struct Verified {
    principal: Arc<Principal>,
    source: usize,
    /// The keys that the signature was checked with; `None` where the issuer was asked alone.
    generation: Option<u64>,
    until: Option<SystemTime>,
    asked_until: Option<Duration>,
    weight: u32,
}

// === impl Verifier ===

impl Verifier {
    /// Builds the verifier and starts to keep its keys fresh.
    ///
    /// # Errors
    /// Every problem of the settings, as [`Settings::validate`] lists them.
    pub fn start(
        settings: Settings,
        http: &outbound::Client,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        let verifier = Self::build(settings, http, clock, shutdown)?;
        let (ticking, stop) = (verifier.clone(), shutdown.clone());
        shutdown.spawn("identity-providers", async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.finishing() => return,
                    _ = ticks.tick() => ticking.tick(),
                }
            }
        });
        Ok(verifier)
    }

    pub(super) fn build(
        settings: Settings,
        http: &outbound::Client,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(problems);
        }
        let sources = settings
            .issuers
            .iter()
            .map(|issuer| Source::new(issuer, &settings, http, &clock, shutdown))
            .collect::<Result<_, _>>()
            .map_err(|problem| vec![problem])?;
        Ok(Arc::new(Self {
            sources,
            door: Door::new(&settings),
            clock,
            shutdown: shutdown.clone(),
            verified: Cache::builder()
                .weigher(|_, verified: &Arc<Verified>| verified.weight)
                .max_capacity(CACHE_BYTES)
                .time_to_idle(CACHE_IDLE)
                .build(),
            refused: Cache::builder()
                .max_capacity(MAX_REFUSALS)
                .time_to_live(REFUSAL_CACHE)
                .build(),
            roll: Roll::default(),
            settings,
        }))
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who sends this request.
    ///
    /// # Errors
    /// [`Denied`], already logged; it is for the caller to count.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Arc<Principal>, Denied> {
        let outcome = self.identify(headers, query).await;
        if let Err(denied) = &outcome {
            tracing::debug!(reason = denied.reason().label(), "a request was refused");
        }
        outcome
    }

    /// Fetches the keys of every issuer now.
    pub async fn warm_up(&self) -> Vec<IssuerStatus> {
        for source in &self.sources {
            if let Some(keys) = &source.keys {
                keys.ready().await;
            }
        }
        self.status()
    }

    /// How well each issuer with keys is known; one without any answers 503 to its users.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        let keys = self.sources.iter().filter_map(|source| source.keys.as_ref());
        keys.map(|keys| keys.status()).collect()
    }

    /// Refreshes what has reached its age, in the background.
    pub(super) fn tick(self: &Arc<Self>) {
        for source in &self.sources {
            if let Some(keys) = &source.keys {
                keys.tick();
            }
        }
        let interval = self.settings.limits.introspection_cache.max(MIN_WATCH);
        for due in self.roll.due(self.clock.steady(), interval) {
            let verifier = self.clone();
            self.shutdown.spawn_work(async move { verifier.ask_again(due).await });
        }
    }

    async fn ask_again(&self, due: Due) {
        let source = &self.sources[due.issuer];
        let Some(oracle) = &source.oracle else { return };
        let token = due.token.expose_secret();
        match oracle.ask(token).await {
            Ok(Verdict::Active(_)) => {
                let now = self.clock.steady();
                self.roll.confirm(due.digest, token, due.issuer, now);
            }
            Ok(Verdict::Refused(reason)) => {
                tracing::info!(issuer = %source.reading.issuer_name, %reason, "a token was withdrawn");
                self.verified.invalidate(&due.digest).await;
                self.roll.revoke(&due.digest);
            }
            Err(error) => source.complain(&error),
        }
    }

    async fn identify(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Arc<Principal>, Denied> {
        let token = bearer::token(headers, query)?;
        let digest: Digest = Sha256::digest(token).into();
        if let Some(known) = self.verified.get(&digest).await {
            if self.still_holds(&known) {
                return Ok(known.principal.clone());
            }
            self.verified.invalidate(&digest).await;
        }
        // The rare path is boxed so that the common one carries no space for it.
        let verifying = Box::pin(self.verify(token, digest));
        match self.verified.try_get_with(digest, verifying).await {
            Ok(verified) => Ok(verified.principal.clone()),
            Err(denied) => Err((*denied).clone()),
        }
    }

    fn still_holds(&self, known: &Verified) -> bool {
        let in_time = known.until.is_none_or(|until| self.clock.now() < until);
        let asked = known.asked_until.is_none_or(|until| self.clock.steady() < until);
        let keys = &self.sources[known.source].keys;
        let same_keys = match (known.generation, keys) {
            (Some(generation), Some(keys)) => keys.generation() == Some(generation),
            _ => true,
        };
        in_time && asked && same_keys && known.principal.is_living()
    }

    async fn verify(&self, token: &str, digest: Digest) -> Result<Arc<Verified>, Denied> {
        match jwt::read(token).map_err(Denied::invalid)? {
            Some(jwt) => self.verify_signed(token, digest, jwt).await,
            None => {
                let knows = |source: &Source| {
                    source.oracle.as_ref().is_some_and(|oracle| oracle.knows(token))
                };
                // A token with a provider's own prefix never goes to anybody else.
                let own = self
                    .sources
                    .iter()
                    .position(|source| knows(source) && source.reading.idp.is_weaker());
                let source = own
                    .or_else(|| self.sources.iter().position(knows))
                    .ok_or(Denied::invalid(Reason::Shape))?;
                let claims = self.ask(token, digest, source).await?;
                self.accept(token, digest, source, claims, None)
            }
        }
    }

    async fn verify_signed(
        &self,
        token: &str,
        digest: Digest,
        jwt: Jwt<'_>,
    ) -> Result<Arc<Verified>, Denied> {
        let invalid = Denied::invalid;
        let iss = jwt.claims.get("iss").and_then(serde_json::Value::as_str);
        let iss = iss.ok_or(invalid(Reason::Issuer))?;
        let index = self
            .sources
            .iter()
            .position(|source| source.keys.is_some() && source.identifier.is_of(iss, &jwt.claims))
            .ok_or(invalid(Reason::Issuer))?;
        let source = &self.sources[index];
        if !self.settings.algorithms.contains(&jwt.algorithm) {
            return Err(invalid(Reason::Algorithm));
        }
        let generation = source.check_signature(&jwt, iss).await?;
        let rules = &source.reading.rules;
        claims::check_purpose(
            jwt.token_type.as_deref(),
            &jwt.claims,
            rules.token_type,
            source.reading.idp,
        )
        .map_err(invalid)?;
        if source.oracle.is_some() && source.when == AskWhen::Always {
            // The signed claims are judged before the issuer is troubled.
            self.judge(source, &jwt.claims, Ending::Required)?;
            self.ask(token, digest, index).await?;
        }
        self.accept(token, digest, index, jwt.claims, Some(generation))
    }

    /// What the issuer says about a token, unless it said "no" a moment ago.
    async fn ask(&self, token: &str, digest: Digest, source: usize) -> Result<Claims, Denied> {
        let now = self.clock.steady();
        if let Some((denied, until)) = self.refused.get(&digest).await
            && now < until
        {
            return Err(denied);
        }
        let asked = &self.sources[source];
        let unavailable = Denied::Unavailable { reason: Reason::NoAnswer };
        let oracle = asked.oracle.as_ref().ok_or(unavailable.clone())?;
        match oracle.ask(token).await {
            Ok(Verdict::Active(claims)) => Ok(claims),
            Ok(Verdict::Refused(reason)) => {
                self.roll.revoke(&digest);
                let denied = Denied::invalid(reason);
                let until = now + REFUSAL_CACHE;
                self.refused.insert(digest, (denied.clone(), until)).await;
                Err(denied)
            }
            Err(error) => {
                asked.complain(&error);
                Err(unavailable)
            }
        }
    }

    fn judge(
        &self,
        source: &Source,
        claims: &Claims,
        ending: Ending,
    ) -> Result<Option<SystemTime>, Denied> {
        let leeway = self.settings.leeway;
        let by_client = source.oracle.as_ref().is_some_and(Bounded::binds_to_client);
        if !by_client {
            claims::check_audience(claims, &self.settings.audiences).map_err(Denied::invalid)?;
        }
        claims::check_times(claims, self.clock.unix(), leeway, ending).map_err(Denied::invalid)
    }

    /// Judges verified claims and makes the principal.
    fn accept(
        &self,
        token: &str,
        digest: Digest,
        index: usize,
        claims: Claims,
        generation: Option<u64>,
    ) -> Result<Arc<Verified>, Denied> {
        let source = &self.sources[index];
        let ending = match generation {
            Some(_) => Ending::Required,
            None => Ending::IssuerVouches,
        };
        let expires_at = self.judge(source, &claims, ending)?;
        // Parsed claims take about twice the room of their text.
        let text = serde_json::to_string(&claims).map_or(0, |text| text.len());
        let weight = u32::try_from(1024 + 2 * text).unwrap_or(u32::MAX);
        // Both a signature and an introspection were checked to be of this issuer, if they name one.
        let iss = claims.get("iss").and_then(serde_json::Value::as_str);
        let issuer = iss.unwrap_or(source.identifier.url()).to_owned();
        let mut principal =
            source.reading.principal(&issuer, claims, expires_at).map_err(Denied::invalid)?;
        self.door.admit(source.reading.idp, &principal)?;

        let now = self.clock.steady();
        let asked = generation.is_none() || source.when == AskWhen::Always;
        let believed = self.settings.limits.introspection_cache;
        let standing = if asked && source.oracle.is_some() {
            self.roll.confirm(digest, token, index, now)
        } else {
            None
        };
        let end = expires_at.map(|at| at + self.settings.leeway);
        let unwatched = asked && standing.is_none();
        principal.life = Life {
            clock: self.clock.clone(),
            until: if unwatched {
                let believed_until = self.clock.now() + believed;
                Some(end.map_or(believed_until, |end| end.min(believed_until)))
            } else {
                end
            },
            standing,
        };
        principal.fingerprint = Some(Fingerprint::of(&digest));
        Ok(Arc::new(Verified {
            principal: Arc::new(principal),
            source: index,
            generation,
            until: end,
            asked_until: asked.then_some(now + believed),
            weight,
        }))
    }
}
