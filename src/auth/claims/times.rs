//! Whether a token is in its time: `exp`, `nbf` and `iat`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Claims;
use crate::auth::denied::Reason;

/// The year 9999; later times are a mistake and overflow clocks.
const LAST_TIME: f64 = 253_402_300_799.0;

/// Whether a token without an end may pass: only while its issuer vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Ending {
    Required,
    IssuerVouches,
}

/// Checks `exp`, `nbf` and `iat`; answers when the token ends.
pub(in crate::auth) fn check(
    claims: &Claims,
    now: f64,
    leeway: Duration,
    ending: Ending,
) -> Result<Option<SystemTime>, Reason> {
    let leeway = leeway.as_secs_f64();
    let expiry = time(claims, "exp")?;
    match expiry {
        None if ending == Ending::Required => return Err(Reason::Time),
        Some(expiry) if now >= expiry + leeway => return Err(Reason::Expired),
        _ => {}
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|start| start > now + leeway) {
            return Err(Reason::TooEarly);
        }
    }
    Ok(expiry.map(|expiry| UNIX_EPOCH + Duration::from_secs_f64(expiry)))
}

fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LAST_TIME).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(Reason::Time),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::claims::claims_of;

    const NOW: f64 = 1_800_000_000.0;
    const LEEWAY: Duration = Duration::from_secs(60);

    #[test]
    fn times_are_judged_with_a_minute_of_leeway() {
        for (value, expected) in [
            (json!({"exp": NOW + 1.0}), Ok(())),
            (json!({"exp": NOW - 59.0}), Ok(())),
            (json!({"exp": NOW - 61.0}), Err(Reason::Expired)),
            (json!({"exp": NOW - 60.0}), Err(Reason::Expired)),
            (json!({}), Err(Reason::Time)),
            (json!({"exp": null}), Err(Reason::Time)),
            (json!({"exp": "1900000000"}), Err(Reason::Time)),
            (json!({"exp": -1}), Err(Reason::Time)),
            (json!({"exp": 1e300}), Err(Reason::Time)),
            (json!({"exp": NOW + 1.5}), Ok(())),
            (json!({"exp": NOW + 9.0, "nbf": NOW + 59.0}), Ok(())),
            (json!({"exp": NOW + 9.0, "nbf": NOW + 61.0}), Err(Reason::TooEarly)),
            (json!({"exp": NOW + 9.0, "iat": NOW + 61.0}), Err(Reason::TooEarly)),
            (json!({"exp": NOW + 9.0, "nbf": "x"}), Err(Reason::Time)),
        ] {
            let checked = check(&claims_of(&value), NOW, LEEWAY, Ending::Required);
            assert_eq!(checked.map(|_| ()), expected, "{value}");
        }
        let vouched = check(&Claims::new(), NOW, LEEWAY, Ending::IssuerVouches);
        assert_eq!(vouched, Ok(None));
    }
}
