//! What a vault answers for a secret: its fields, and how long they live; it talks to nobody.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;
use zeroize::Zeroize as _;

use super::super::fetched::Fetched;

/// A lease that is said to be longer is as good as none, and some clocks overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Which version of the key-value engine answers; the others answer like the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    V1,
    V2,
}

// === impl Engine ===

impl Engine {
    /// Takes one field out of an answer; the others are none of our business, and are wiped.
    pub(super) fn field(self, answer: &mut Value, field: &str) -> Option<Fetched> {
        let expires_at = lease(answer);
        let fields = match self {
            Self::V1 => &mut answer["data"],
            Self::V2 => &mut answer["data"]["data"],
        };
        let found = fields.get_mut(field).map(Value::take);
        wipe(answer);
        match found {
            Some(Value::String(text)) if !text.is_empty() => {
                Some(Fetched { value: SecretString::from(text), expires_at })
            }
            _ => None,
        }
    }
}

/// When the secret ends. A duration without a lease is a key-value engine's advice when to look again, not an end.
fn lease(answer: &Value) -> Option<SystemTime> {
    let is_leased = answer["lease_id"].as_str().is_some_and(|id| !id.is_empty());
    let lasts = Duration::from_secs(answer["lease_duration"].as_u64()?);
    let is_known = is_leased && !lasts.is_zero() && lasts <= LONGEST;
    is_known.then(|| SystemTime::now() + lasts)
}

pub(super) fn parse(body: &Bytes) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(|answer: &Value| answer.is_object())
}

/// The other fields of a secret are none of our business; they should not linger.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(all) => all.iter_mut().for_each(wipe),
        Value::Object(all) => all.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ends(mut answer: Value) -> Option<SystemTime> {
        Engine::V1.field(&mut answer, "token").unwrap().expires_at
    }

    #[test]
    fn only_a_lease_is_an_end() {
        let data = json!({ "token": "s" });
        let hour = Duration::from_secs(3600);
        let leased = json!({ "lease_id": "github/1", "lease_duration": 3600, "data": data });
        let before = SystemTime::now();
        let at = ends(leased).unwrap();
        assert!(at >= before + hour && at <= SystemTime::now() + hour);
        for answer in [
            json!({ "data": data }),
            json!({ "lease_id": "", "lease_duration": 3600, "data": data }),
            json!({ "lease_id": "x", "lease_duration": 0, "data": data }),
            json!({ "lease_id": "x", "lease_duration": u64::MAX, "data": data }),
        ] {
            assert_eq!(ends(answer), None);
        }
    }
}
