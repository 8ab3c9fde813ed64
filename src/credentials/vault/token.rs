//! A vault's token and how long it lives; it talks to nobody.

use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::parse;

/// However short a token's life is, it is not renewed more often.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);
/// However long a vault says that a token lives, it is renewed after this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: SecretString,
    pub(super) since: Instant,
    /// Two thirds of the way to its end; `None` for a token that never ends.
    pub(super) renew_at: Option<Instant>,
    ends_at: Option<Instant>,
    pub(super) renewable: Renewable,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewable {
    Yes,
    No,
}

// === impl Token ===

impl Token {
    pub(super) fn new(value: SecretString, ttl: u64, renewable: Renewable) -> Self {
        let since = Instant::now();
        let ttl = Duration::from_secs(ttl);
        let ends = !ttl.is_zero();
        let renew_at = ends.then(|| since + (ttl * 2 / 3).min(LONGEST));
        let ends_at = ends.then(|| since + ttl.min(100 * LONGEST));
        Self { value, since, renew_at, ends_at, renewable }
    }

    /// Whether the vault still takes it, as far as time goes.
    pub(super) fn lives(&self) -> bool {
        self.ends_at.is_none_or(|end| Instant::now() < end)
    }

    pub(super) fn from_auth(body: &Bytes) -> Option<Self> {
        let mut answer = parse(body)?;
        let auth = &mut answer["auth"];
        let Value::String(value) = auth["client_token"].take() else {
            return None;
        };
        Some(Self::new(
            SecretString::from(value),
            auth["lease_duration"].as_u64().unwrap_or(0),
            Renewable::from(&auth["renewable"]),
        ))
    }
}

impl From<&Value> for Renewable {
    fn from(told: &Value) -> Self {
        if told.as_bool() == Some(true) { Self::Yes } else { Self::No }
    }
}
