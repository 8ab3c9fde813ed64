//! `requestState`: what a client carries from an `input_required` to its retry, sealed by us.
//!
//! It is attacker input when it comes back. The seal binds it to user, client, call and time; the server's own
//! state inside is handed back byte for byte (checklist 3.52, 5.9, 6.26).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::auth::Principal;
use crate::hex;
use crate::mcp::{Object, Raw};
use crate::policy::Operation;
use crate::seal::Keyring;

/// A server's own state that is larger than this is refused (checklist 10.24).
pub(super) const LARGEST_STATE: usize = 64 * 1024;
const PURPOSE: &[u8] = b"mcpwrap requestState v1";

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestState {
    user: String,
    client: Option<String>,
    authority: String,
    call: String,
    expires: u64,
    pub(super) round: u32,
    pub(super) rest: Rest,
}

/// Where the call goes on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rest {
    /// In this process, which holds the conversation under this name.
    Held(String),
    /// In the server, by its own state.
    Portable(Option<String>),
    /// From the start: the first call ended and asked for something before the next.
    Again,
}

/// A state that is not served; the client learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("params.requestState is invalid or has expired; start the call again")]
pub(super) enum Invalid {
    /// It was not sealed by us, is for another call, or is too old.
    Broken,
    /// It was sealed for somebody else, which is not an accident.
    Foreign,
}

impl RequestState {
    pub(super) fn new(
        principal: &Principal,
        authority: &str,
        operation: &Operation,
        round: u32,
        lifetime: Duration,
        rest: Rest,
    ) -> Self {
        Self {
            user: principal.user().digest(),
            client: principal.client().map(str::to_owned),
            authority: authority.to_owned(),
            call: digest(operation),
            expires: now() + lifetime.as_secs(),
            round,
            rest,
        }
    }

    pub(super) fn seal(&self, keyring: &Keyring) -> Result<String, Invalid> {
        let plain = serde_json::to_vec(self).map_err(|_| Invalid::Broken)?;
        keyring.seal_text(PURPOSE, &plain).map_err(|_| Invalid::Broken)
    }

    /// Opens a state and checks that this caller may use it for this call, now.
    pub(super) fn open(
        sealed: &str,
        keyring: &Keyring,
        principal: &Principal,
        authority: &str,
        operation: &Operation,
    ) -> Result<Self, Invalid> {
        Self::open_at(now(), sealed, keyring, principal, authority, operation)
    }

    fn open_at(
        now: u64,
        sealed: &str,
        keyring: &Keyring,
        principal: &Principal,
        authority: &str,
        operation: &Operation,
    ) -> Result<Self, Invalid> {
        let plain = keyring.open_text(PURPOSE, sealed).map_err(|_| Invalid::Broken)?;
        let state: Self = serde_json::from_slice(&plain).map_err(|_| Invalid::Broken)?;
        let own = state.user == principal.user().digest()
            && state.client.as_deref() == principal.client()
            && state.authority == authority;
        if !own {
            return Err(Invalid::Foreign);
        }
        let fits = state.expires >= now && state.call == digest(operation);
        fits.then_some(state).ok_or(Invalid::Broken)
    }
}

/// A digest of method and parameters, the same however a client re-serialises them (checklist 5.10, 10.25).
fn digest(operation: &Operation) -> String {
    let mut hash = Sha256::new();
    hash.update(operation.method.as_bytes());
    hash.update([0]);
    let changes = [("_meta", None), ("inputResponses", None), ("requestState", None)];
    let salient = operation
        .params
        .raw
        .as_ref()
        .and_then(|raw| Some(Object::parse(raw).ok()?.with(&changes)))
        .unwrap_or_else(Raw::empty_object);
    let mut canonical = String::new();
    if let Ok(value) = salient.read::<serde_json::Value>() {
        write(&mut canonical, &value);
    }
    hash.update(canonical.as_bytes());
    hex::encode(&hash.finalize())
}

fn write(out: &mut String, value: &serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let mut keys: Vec<_> = members.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(out, &members[key]);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(out, item);
                out.push(',');
            }
            out.push(']');
        }
        Value::Number(number) => match number.as_f64() {
            // 1 and 1.0 are the same number, and serialisers disagree on how to write it.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                out.push_str(&format!("{float:.0}"));
            }
            _ => out.push_str(&number.to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mcp::{Era, Params};
    use crate::policy::ClientSide;

    fn operation(params: &str) -> Operation {
        let raw = Raw::parse(params.to_owned()).unwrap();
        let client = ClientSide {
            era: Era::Modern,
            capabilities: Raw::empty_object(),
            info: None,
            log_level: None,
            session: None,
        };
        let params = Params::read(Some(raw)).unwrap();
        Operation { method: "tools/call".into(), params, client, resume: None }
    }

    fn sealed(keyring: &Keyring, lifetime: u64) -> String {
        let rest = Rest::Portable(Some("server's own \u{1F600}".to_owned()));
        let call = operation(r#"{"name":"a","arguments":{"x":1,"y":[true]}}"#);
        let lifetime = Duration::from_secs(lifetime);
        RequestState::new(&Principal::local(), "a", &call, 1, lifetime, rest).seal(keyring).unwrap()
    }

    #[test]
    fn the_same_call_in_other_words_opens_it() {
        let keyring = Keyring::ephemeral().unwrap();
        let again = operation(
            r#"{"_meta":{"progressToken":1},"arguments":{"y":[true],"x":1.0},"name":"a","requestState":"s"}"#,
        );
        let open =
            RequestState::open(&sealed(&keyring, 60), &keyring, &Principal::local(), "a", &again);
        let own = Some("server's own \u{1F600}".to_owned());
        assert_eq!(open.unwrap().rest, Rest::Portable(own));
    }

    #[test]
    fn another_call_or_key_does_not() {
        let (keyring, other) = (Keyring::ephemeral().unwrap(), Keyring::ephemeral().unwrap());
        let state = sealed(&keyring, 60);
        let same = operation(r#"{"name":"a","arguments":{"x":1,"y":[true]}}"#);
        let different = operation(r#"{"name":"a","arguments":{"x":2,"y":[true]}}"#);
        let me = Principal::local();
        assert!(RequestState::open(&state, &keyring, &me, "a", &different).is_err());
        assert!(RequestState::open(&state, &other, &me, "a", &same).is_err());
        assert!(RequestState::open(&state, &keyring, &me, "b", &same).is_err());
        assert!(RequestState::open(&state, &keyring, &me, "a", &same).is_ok());
    }

    #[test]
    fn it_ends_with_its_time() {
        let keyring = Keyring::ephemeral().unwrap();
        let state = sealed(&keyring, 60);
        let same = operation(r#"{"name":"a","arguments":{"x":1,"y":[true]}}"#);
        let at =
            |now| RequestState::open_at(now, &state, &keyring, &Principal::local(), "a", &same);
        let expires = at(0).unwrap().expires;
        assert!(at(expires).is_ok());
        assert_eq!(at(expires + 1).unwrap_err(), Invalid::Broken);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let keyring = Keyring::ephemeral().unwrap();
            let opened = RequestState::open(&text, &keyring, &Principal::local(), "a", &operation("{}"));
            prop_assert!(opened.is_err());
        }
    }
}
