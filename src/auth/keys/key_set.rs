//! An issuer's public keys (RFC 7517): which of them may check which signature.
//!
//! Each key is pinned to the algorithms that suit its type, its own `alg` and the allow-list; a secret key is
//! never taken from a set. It knows nothing of where the set comes from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::denied::Reason;
use crate::auth::issuer_identifier::TENANT_PLACEHOLDER;
use crate::auth::settings::Algorithm;

/// Real sets hold two to ten keys.
const MAX_KEYS: usize = 100;
/// So many keys of one id are tried.
const MAX_CANDIDATES: usize = 4;
const RSA_MIN_BYTES: usize = 2048 / 8;
const RSA_MAX_BYTES: usize = 8192 / 8;
/// Exponents below this are weak.
const RSA_MIN_EXPONENT: u64 = 65_537;

/// One key that may check signatures.
#[derive(Debug)]
pub(in crate::auth) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
    /// Entra says in its shared set whose tokens a key signs.
    issuer: Option<String>,
}

/// The keys of one fetch.
#[derive(Debug)]
pub(in crate::auth) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    issuer: Option<String>,
}

// === impl KeySet ===

impl KeySet {
    /// The usable keys of a set; a key that we cannot use is passed over.
    pub(in crate::auth) fn read(
        body: &[u8],
        allowed: &[Algorithm],
    ) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(body)?;
        let keys = document
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|key| serde_json::from_value(key).ok())
            .filter_map(|key| Key::read(key, allowed))
            .collect();
        Ok(Self { keys })
    }

    pub(in crate::auth) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Checks a signature with the key that the token names, or with the only one that fits.
    pub(in crate::auth) fn verify(&self, signed: &Signed<'_>) -> Result<(), Reason> {
        let named = |key: &&Key| match signed.key_id {
            Some(id) => key.id.as_deref() == Some(id),
            None => key.algorithms.contains(&signed.algorithm),
        };
        let candidates: Vec<&Key> = self.keys.iter().filter(named).take(MAX_CANDIDATES).collect();
        if candidates.is_empty() || (signed.key_id.is_none() && candidates.len() > 1) {
            return Err(Reason::UnknownKey);
        }
        let mut refusal = Reason::Algorithm;
        for key in candidates {
            if !key.algorithms.contains(&signed.algorithm) {
                continue;
            }
            if !key.may_sign_for(signed) {
                refusal = Reason::Issuer;
                continue;
            }
            match jsonwebtoken::crypto::verify(
                signed.signature,
                signed.message.as_bytes(),
                &key.decoding,
                signed.algorithm.into(),
            ) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(_) => refusal = Reason::Signature,
            }
        }
        Err(refusal)
    }

    /// Whether every key of the other set is still here: then nothing that was verified has become doubtful.
    pub(in crate::auth) fn covers(&self, other: &Self) -> bool {
        other.keys.iter().all(|key| self.keys.contains(key))
    }
}

/// What a signature is checked against.
pub(in crate::auth) struct Signed<'a> {
    pub(in crate::auth) message: &'a str,
    pub(in crate::auth) signature: &'a str,
    pub(in crate::auth) algorithm: Algorithm,
    pub(in crate::auth) key_id: Option<&'a str>,
    pub(in crate::auth) issuer: &'a str,
    pub(in crate::auth) tenant: Option<&'a str>,
}

// === impl Key ===

impl Key {
    fn read(jwk: Jwk, allowed: &[Algorithm]) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if jwk.key_ops.as_ref().is_some_and(|ops| !verifies(ops)) {
            return None;
        }
        let (suitable, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => rsa(&jwk.n?, &jwk.e?)?,
            ("EC", Some("P-256")) => ec(&jwk.x?, &jwk.y?, 32, Algorithm::ES256)?,
            ("EC", Some("P-384")) => ec(&jwk.x?, &jwk.y?, 48, Algorithm::ES384)?,
            ("OKP", Some("Ed25519")) => ed25519(&jwk.x?)?,
            _ => return None,
        };
        let pinned = |algorithm: &Algorithm| match jwk.alg.as_deref() {
            // RFC 9864 names the curve where RFC 8037 names the family.
            Some("Ed25519") => *algorithm == Algorithm::EdDSA,
            Some(name) => algorithm.name() == name,
            None => true,
        };
        let algorithms: Vec<Algorithm> = suitable
            .iter()
            .copied()
            .filter(|algorithm| allowed.contains(algorithm) && pinned(algorithm))
            .collect();
        (!algorithms.is_empty()).then_some(Self {
            id: jwk.kid,
            algorithms,
            decoding,
            issuer: jwk.issuer,
        })
    }

    fn may_sign_for(&self, signed: &Signed<'_>) -> bool {
        match (&self.issuer, signed.tenant) {
            (None, _) => true,
            (Some(issuer), None) => issuer == signed.issuer,
            (Some(issuer), Some(tenant)) => {
                issuer.replace(TENANT_PLACEHOLDER, tenant) == signed.issuer
            }
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        use jsonwebtoken::DecodingKeyKind as Kind;
        let material = match (self.decoding.kind(), other.decoding.kind()) {
            (Kind::SecretOrDer(a), Kind::SecretOrDer(b)) => a == b,
            (
                Kind::RsaModulusExponent { n, e },
                Kind::RsaModulusExponent { n: other_n, e: other_e },
            ) => n == other_n && e == other_e,
            _ => false,
        };
        material
            && self.id == other.id
            && self.algorithms == other.algorithms
            && self.issuer == other.issuer
    }
}

type Suitable = (&'static [Algorithm], DecodingKey);

fn rsa(n: &str, e: &str) -> Option<Suitable> {
    const ALGORITHMS: &[Algorithm] = &[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    let (n, e) = (unsigned(n)?, unsigned(e)?);
    let strong = (RSA_MIN_BYTES..=RSA_MAX_BYTES).contains(&n.len()) && n[0] & 0x80 != 0
        || (RSA_MIN_BYTES + 1..=RSA_MAX_BYTES).contains(&n.len());
    if !strong || e.len() > 8 {
        return None;
    }
    let exponent = e.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    if exponent < RSA_MIN_EXPONENT || exponent % 2 == 0 {
        return None;
    }
    Some((ALGORITHMS, DecodingKey::from_rsa_raw_components(&n, &e)))
}

/// A number's bytes without the leading zeros that some providers write.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

fn ec(x: &str, y: &str, length: usize, algorithm: Algorithm) -> Option<Suitable> {
    let fits = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == length);
    if !fits(x) || !fits(y) {
        return None;
    }
    let algorithms = match algorithm {
        Algorithm::ES384 => &[Algorithm::ES384],
        _ => &[Algorithm::ES256],
    };
    Some((algorithms, DecodingKey::from_ec_components(x, y).ok()?))
}

fn ed25519(x: &str) -> Option<Suitable> {
    let bytes = URL_SAFE_NO_PAD.decode(x).ok()?;
    (bytes.len() == 32).then(|| (&[Algorithm::EdDSA][..], DecodingKey::from_ed_der(&bytes)))
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::RS256 => Self::RS256,
            Algorithm::RS384 => Self::RS384,
            Algorithm::RS512 => Self::RS512,
            Algorithm::PS256 => Self::PS256,
            Algorithm::PS384 => Self::PS384,
            Algorithm::PS512 => Self::PS512,
            Algorithm::ES256 => Self::ES256,
            Algorithm::ES384 => Self::ES384,
            Algorithm::EdDSA => Self::EdDSA,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(key: &Value) -> usize {
        let body = json!({ "keys": [key] }).to_string();
        KeySet::read(body.as_bytes(), Algorithm::DEFAULT).unwrap().len()
    }

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn only_strong_public_signing_keys_are_kept() {
        let n = b64(&[0xff; 256]);
        let short = b64(&[0xff; 128]);
        let x = b64(&[7; 32]);
        for (key, kept) in [
            (json!({"kty":"RSA","n":n,"e":"AQAB"}), 1),
            (json!({"kty":"RSA","n":n,"e":"AQAB","use":"sig","alg":"RS256"}), 1),
            (json!({"kty":"RSA","n":n,"e":"AQAB","use":"enc"}), 0),
            (json!({"kty":"RSA","n":n,"e":"AQAB","key_ops":["encrypt"]}), 0),
            (json!({"kty":"RSA","n":n,"e":"AQAB","alg":"RSA-OAEP"}), 0),
            (json!({"kty":"RSA","n":n,"e":"AQAB","alg":"HS256"}), 0),
            (json!({"kty":"RSA","n":n,"e":"AQAB","alg":"RS512"}), 0),
            (json!({"kty":"RSA","n":n,"e":"Aw"}), 0),
            (json!({"kty":"RSA","n":short,"e":"AQAB"}), 0),
            (json!({"kty":"oct","k":x}), 0),
            (json!({"kty":"OKP","crv":"Ed25519","x":x}), 1),
            (json!({"kty":"OKP","crv":"X25519","x":x}), 0),
            (json!({"kty":"EC","crv":"P-256","x":x,"y":x}), 1),
            (json!({"kty":"EC","crv":"P-384","x":x,"y":x}), 0),
            (json!({"kty":"EC","crv":"secp256k1","x":x,"y":x}), 0),
            (json!({"kty":"AKP"}), 0),
            (json!("nonsense"), 0),
        ] {
            assert_eq!(read(&key), kept, "{key}");
        }
    }

    #[test]
    fn a_set_is_read_up_to_its_bound() {
        let x = b64(&[7; 32]);
        let key = json!({"kty":"OKP","crv":"Ed25519","x":x});
        let body = json!({ "keys": vec![key; 500] }).to_string();
        let set = KeySet::read(body.as_bytes(), Algorithm::DEFAULT).unwrap();
        assert_eq!(set.len(), MAX_KEYS);
    }

    /// Entra's shared set holds keys of one tenant beside those of all (auth-checklist 13).
    #[test]
    fn a_key_that_names_its_issuer_signs_for_no_other() {
        let pair = crate::auth::tests::identity_provider::Pair::ed("k");
        let signature = b64(&pair.sign("EdDSA", b"message"));
        let verify = |key_issuer: &str, issuer: &str, tenant: Option<&str>| {
            let mut key = pair.jwk();
            key["issuer"] = key_issuer.into();
            let body = json!({ "keys": [key] }).to_string();
            let set = KeySet::read(body.as_bytes(), Algorithm::DEFAULT).unwrap();
            set.verify(&Signed {
                message: "message",
                signature: &signature,
                algorithm: Algorithm::EdDSA,
                key_id: Some("k"),
                issuer,
                tenant,
            })
        };
        assert_eq!(verify("https://e/{tenantid}/", "https://e/t1/", Some("t1")), Ok(()));
        assert_eq!(verify("https://e/t1/", "https://e/t1/", Some("t1")), Ok(()));
        for (key_issuer, issuer, tenant) in [
            ("https://e/t1/", "https://e/t2/", Some("t2")),
            ("https://e/{tenantid}/", "https://e/t1/", Some("t2")),
            ("https://e/{tenantid}/", "https://e/t1/", None),
        ] {
            assert_eq!(verify(key_issuer, issuer, tenant), Err(Reason::Issuer));
        }
    }
}
