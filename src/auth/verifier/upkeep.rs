//! What a verifier does while nobody calls: it keeps keys fresh, and asks again about tokens in use.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret;

use super::Verifier;
use crate::auth::clock::Clock;
use crate::auth::keys::issuer_keys::IssuerStatus;
use crate::auth::opaque::network_shares::Asker;
use crate::auth::opaque::revocation_watch::Due;
use crate::auth::opaque::verdict::Verdict;
use crate::auth::settings::Settings;
use crate::outbound;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

/// How often keys and watched tokens are looked at.
const TICK: Duration = Duration::from_secs(5);
/// Watched tokens are asked about no more often than this, whatever the cache.
const MIN_WATCH: Duration = Duration::from_secs(10);

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

    /// Fetches the keys of every issuer now.
    pub async fn warm_up(&self) -> Vec<IssuerStatus> {
        for issuer in &self.issuers {
            if let Some(keys) = &issuer.keys {
                keys.ready().await;
            }
        }
        self.status()
    }

    /// The metadata of the only issuer, as it wrote them; `None` while it cannot be asked, and where there are several or
    /// it has none.
    pub async fn server_metadata(&self) -> Option<Bytes> {
        match &*self.issuers {
            [issuer] => issuer.keys.as_ref()?.metadata().await,
            _ => None,
        }
    }

    /// How well each issuer with keys is known; one without any answers 503 to its users.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        let keys = self.issuers.iter().filter_map(|issuer| issuer.keys.as_ref());
        keys.map(|keys| keys.status()).collect()
    }

    /// Whether a token that nobody here can judge makes an issuer be asked.
    #[must_use]
    pub fn asks_about_opaque(&self) -> bool {
        self.issuers.iter().any(|issuer| issuer.opaque.is_some())
    }

    /// Refreshes what has reached its age, in the background.
    pub(in crate::auth) fn tick(self: &Arc<Self>) {
        for issuer in &self.issuers {
            if let Some(keys) = &issuer.keys {
                keys.tick();
            }
        }
        let interval = self.settings.limits.introspection_cache.max(MIN_WATCH);
        for due in self.revocations.due(self.clock.steady(), interval) {
            let verifier = self.clone();
            self.shutdown.spawn_work(async move { verifier.ask_again(due).await });
        }
    }

    async fn ask_again(&self, due: Due) {
        let issuer = &self.issuers[due.issuer];
        let Some(opaque) = &issuer.opaque else { return };
        let token = due.token.expose_secret();
        match opaque.ask(token, Asker::Known).await {
            Ok(Verdict::Active(_)) => {
                let now = self.clock.steady();
                self.revocations.confirm(due.digest, token, due.issuer, now);
            }
            Ok(Verdict::Refused(reason)) => {
                tracing::info!(issuer = %issuer.mapping.issuer_name, %reason, "a token was withdrawn");
                self.verified.invalidate(&due.digest).await;
                self.vouched.invalidate(&due.digest).await;
                self.revocations.revoke(&due.digest);
            }
            Err(error) => issuer.complain(&error),
        }
    }
}
