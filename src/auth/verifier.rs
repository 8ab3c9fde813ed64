//! The one place where a bearer token becomes a principal (auth-checklist 14); `upkeep` is what it does meanwhile.
//!
//! A token that was verified before costs a hash and a look-up. Everything that decides is in the modules it
//! calls; it knows their order and what may be remembered for how long.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};

use super::admission::Admission;
use super::bearer;
use super::claims::times::Ending;
use super::claims::{Claims, audience, purpose, times};
use super::clock::Clock;
use super::denied::{Denied, Reason};
use super::error::Error;
use super::jwt::{self, Jwt};
use super::opaque::network_shares::Asker;
use super::opaque::opaque_token::OpaqueTokens;
use super::opaque::refused_tokens::RefusedTokens;
use super::opaque::revocation_watch::{Digest, RevocationWatch};
use super::opaque::verdict::Verdict;
use super::principal::Principal;
use super::principal::token_life::{Fingerprint, Life};
use super::settings::{AskWhen, Settings};
use super::trusted_issuer::TrustedIssuer;
use crate::audit::Refusals;
use crate::outbound;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

mod upkeep;

/// The verified tokens together take no more than this.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// A token that nobody used for so long is verified again.
const CACHE_IDLE: Duration = Duration::from_secs(10 * 60);
/// So many tokens are remembered as vouched for, a hash each.
const MOST_VOUCHED: u64 = 16 * 1024;
/// A token that nobody used for so long is a stranger's again: longer than most failures of an issuer.
const VOUCHED_IDLE: Duration = Duration::from_secs(60 * 60);

/// Verifies bearer tokens of the configured issuers.
#[derive(Debug)]
pub struct Verifier {
    settings: Settings,
    issuers: Vec<TrustedIssuer>,
    admission: Admission,
    clock: Clock,
    shutdown: Shutdown,
    verified: Cache<Digest, Arc<Verified>>,
    /// Tokens that their issuer has called active, until it calls one anything else: an issuer that fails meanwhile makes
    /// nobody a stranger.
    vouched: Cache<Digest, ()>,
    refused: RefusedTokens,
    revocations: RevocationWatch,
    /// Where it is counted who is known and not let in.
    refusals: OnceLock<Weak<Refusals>>,
}

#[derive(Debug)]
struct Verified {
    principal: Arc<Principal>,
    issuer: usize,
    /// The keys that the signature was checked with; `None` where the issuer was asked alone.
    generation: Option<u64>,
    until: Option<SystemTime>,
    asked_until: Option<Duration>,
    weight: u32,
}

// === impl Verifier ===

impl Verifier {
    pub(in crate::auth) fn build(
        settings: Settings,
        http: &outbound::Client,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(problems);
        }
        let issuers = settings
            .issuers
            .iter()
            .map(|issuer| TrustedIssuer::new(issuer, &settings, http, &clock, shutdown))
            .collect::<Result<_, _>>()
            .map_err(|problem| vec![problem])?;
        let refused = RefusedTokens::new().map_err(|cause| {
            let hint = "the system's random numbers are needed";
            vec![Problem::new("oidc", format!("cannot remember refused tokens: {cause}"), hint)]
        })?;
        Ok(Arc::new(Self {
            issuers,
            admission: Admission::new(&settings),
            clock,
            shutdown: shutdown.clone(),
            verified: Cache::builder()
                .weigher(|_, verified: &Arc<Verified>| verified.weight)
                .max_capacity(CACHE_BYTES)
                .time_to_idle(CACHE_IDLE)
                .build(),
            vouched: Cache::builder().max_capacity(MOST_VOUCHED).time_to_idle(VOUCHED_IDLE).build(),
            refused,
            revocations: RevocationWatch::default(),
            refusals: OnceLock::new(),
            settings,
        }))
    }

    /// From now on whoever is known and not let in is counted there.
    pub fn count_at(&self, refusals: &Arc<Refusals>) {
        // It is told once, by whoever put the parts together.
        let _ = self.refusals.set(Arc::downgrade(refusals));
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who sends this request, from the network whose first address is `from`.
    ///
    /// # Errors
    /// [`Denied`], already logged; it is for the caller to count.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        from: IpAddr,
    ) -> Result<Arc<Principal>, Denied> {
        let outcome = self.identify(headers, query, from).await;
        if let Err(denied) = &outcome {
            tracing::debug!(reason = denied.reason().label(), "a request was refused");
        }
        outcome
    }

    async fn identify(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        from: IpAddr,
    ) -> Result<Arc<Principal>, Denied> {
        let token = bearer::token(headers, query)?;
        let digest: Digest = Sha256::digest(token).into();
        if let Some(known) = self.verified.get(&digest).await {
            if self.still_holds(&known) {
                return Ok(known.principal.clone());
            }
            self.verified.invalidate(&digest).await;
        }
        let asker = match self.vouched.get(&digest).await {
            Some(()) => Asker::Known,
            None => Asker::Network(from),
        };
        // The rare path is boxed so that the common one carries no space for it.
        let verifying = Box::pin(self.verify(token, digest, asker));
        match self.verified.try_get_with(digest, verifying).await {
            Ok(verified) => {
                if verified.asked_until.is_some() {
                    self.vouched.insert(digest, ()).await;
                }
                Ok(verified.principal.clone())
            }
            Err(denied) => Err((*denied).clone()),
        }
    }

    fn still_holds(&self, known: &Verified) -> bool {
        let in_time = known.until.is_none_or(|until| self.clock.now() < until);
        let asked = known.asked_until.is_none_or(|until| self.clock.steady() < until);
        let keys = &self.issuers[known.issuer].keys;
        let same_keys = match (known.generation, keys) {
            (Some(generation), Some(keys)) => keys.generation() == Some(generation),
            _ => true,
        };
        in_time && asked && same_keys && known.principal.is_living()
    }

    async fn verify(
        &self,
        token: &str,
        digest: Digest,
        asker: Asker,
    ) -> Result<Arc<Verified>, Denied> {
        match jwt::read(token).map_err(Denied::invalid)? {
            Some(jwt) => self.verify_signed(token, digest, jwt, asker).await,
            None => {
                let knows = |issuer: &TrustedIssuer| {
                    issuer.opaque.as_ref().is_some_and(|opaque| opaque.knows(token))
                };
                // A token with a provider's own prefix never goes to anybody else.
                let own = self
                    .issuers
                    .iter()
                    .position(|issuer| knows(issuer) && issuer.mapping.idp.is_weaker());
                let issuer = own
                    .or_else(|| self.issuers.iter().position(knows))
                    .ok_or(Denied::invalid(Reason::Shape))?;
                let claims = self.ask(token, &digest, issuer, asker).await?;
                let outcome = self.accept(token, digest, issuer, claims, None);
                self.settle(&digest, issuer, asker, outcome).await
            }
        }
    }

    async fn verify_signed(
        &self,
        token: &str,
        digest: Digest,
        jwt: Jwt<'_>,
        asker: Asker,
    ) -> Result<Arc<Verified>, Denied> {
        let invalid = Denied::invalid;
        let iss = jwt.claims.get("iss").and_then(serde_json::Value::as_str);
        let iss = iss.ok_or(invalid(Reason::Issuer))?;
        let index = self
            .issuers
            .iter()
            .position(|issuer| issuer.keys.is_some() && issuer.identifier.is_of(iss, &jwt.claims))
            .ok_or(invalid(Reason::Issuer))?;
        let issuer = &self.issuers[index];
        if !self.settings.algorithms.contains(&jwt.algorithm) {
            return Err(invalid(Reason::Algorithm));
        }
        let generation = issuer.check_signature(&jwt, iss).await?;
        let rules = &issuer.mapping.rules;
        purpose::check(
            jwt.token_type.as_deref(),
            &jwt.claims,
            rules.token_type,
            issuer.mapping.idp,
        )
        .map_err(invalid)?;
        if issuer.opaque.is_some() && issuer.when == AskWhen::Always {
            // The signed claims are judged before the issuer is troubled.
            self.judge(issuer, &jwt.claims, Ending::Required)?;
            self.ask(token, &digest, index, asker).await?;
            let outcome = self.accept(token, digest, index, jwt.claims, Some(generation));
            return self.settle(&digest, index, asker, outcome).await;
        }
        self.accept(token, digest, index, jwt.claims, Some(generation))
    }

    /// What the issuer says about a token, unless it said "no" a moment ago.
    async fn ask(
        &self,
        token: &str,
        digest: &Digest,
        issuer: usize,
        asker: Asker,
    ) -> Result<Claims, Denied> {
        if let Some(denied) = self.refused.get(digest, self.clock.steady()).await {
            return Err(denied);
        }
        let asked = &self.issuers[issuer];
        let unavailable = Denied::Unavailable { reason: Reason::NoAnswer };
        let opaque = asked.opaque.as_ref().ok_or(unavailable.clone())?;
        match opaque.ask(token, asker).await {
            Ok(Verdict::Active(claims)) => Ok(claims),
            Ok(Verdict::Refused(reason)) => {
                self.revocations.revoke(digest);
                self.settle(digest, issuer, asker, Err(Denied::invalid(reason))).await
            }
            Err(Error::Slowed) => Err(Denied::Slowed),
            Err(error) => {
                asked.complain(&error);
                Err(unavailable)
            }
        }
    }

    /// A refusal that cost the issuer a question is remembered, and counts against whoever sent the token.
    async fn settle<T>(
        &self,
        digest: &Digest,
        issuer: usize,
        asker: Asker,
        outcome: Result<T, Denied>,
    ) -> Result<T, Denied> {
        if let Err(denied) = &outcome {
            self.vouched.invalidate(digest).await;
            self.refused.insert(digest, denied.clone(), self.clock.steady()).await;
            if let Some(opaque) = &self.issuers[issuer].opaque {
                opaque.refused(asker).await;
            }
        }
        outcome
    }

    fn judge(
        &self,
        issuer: &TrustedIssuer,
        claims: &Claims,
        ending: Ending,
    ) -> Result<Option<SystemTime>, Denied> {
        let leeway = self.settings.leeway;
        let by_client = issuer.opaque.as_ref().is_some_and(OpaqueTokens::binds_to_client);
        if !by_client {
            audience::check(claims, &self.settings.audiences).map_err(Denied::invalid)?;
        }
        times::check(claims, self.clock.unix(), leeway, ending).map_err(Denied::invalid)
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
        let issuer = &self.issuers[index];
        let ending = match generation {
            Some(_) => Ending::Required,
            None => Ending::IssuerVouches,
        };
        let expires_at = self.judge(issuer, &claims, ending)?;
        // Parsed claims take about twice the room of their text.
        let text = serde_json::to_string(&claims).map_or(0, |text| text.len());
        let weight = u32::try_from(1024 + 2 * text).unwrap_or(u32::MAX);
        // Both a signature and an introspection were checked to be of this issuer, if they name one.
        let iss = claims.get("iss").and_then(serde_json::Value::as_str);
        let iss = iss.unwrap_or(issuer.identifier.url()).to_owned();
        let mut principal =
            issuer.mapping.principal(&iss, claims, expires_at).map_err(Denied::invalid)?;
        self.admission.admit(issuer.mapping.idp, &principal).inspect_err(|denied| {
            if let Some(refusals) = self.refusals.get().and_then(Weak::upgrade) {
                refusals.count_known((&principal).into(), denied.reason().label());
            }
        })?;

        let now = self.clock.steady();
        let asked = generation.is_none() || issuer.when == AskWhen::Always;
        let believed = self.settings.limits.introspection_cache;
        let standing = if asked && issuer.opaque.is_some() {
            self.revocations.confirm(digest, token, index, now)
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
            issuer: index,
            generation,
            until: end,
            asked_until: asked.then_some(now + believed),
            weight,
        }))
    }
}
