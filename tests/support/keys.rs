//! Key pairs, and tokens that may be as odd as a test likes.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key pair with its id; a clone is the same one.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    secret: Arc<Secret>,
}

enum Secret {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Made once, as making one takes long.
static RSA: LazyLock<Arc<Secret>> =
    LazyLock::new(|| Arc::new(Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())));

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these parts, signed by whatever signs.
pub(crate) fn signed(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    let signature = b64(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

// === impl Key ===

impl Key {
    pub(crate) fn ec(id: &str) -> Self {
        let secret = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id: id.to_owned(), secret: Arc::new(Secret::Ec(secret)) }
    }

    /// The same pair for every test, under an id of the test's own.
    pub(crate) fn rsa(id: &str) -> Self {
        Self { id: id.to_owned(), secret: Arc::clone(&RSA) }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match &*self.secret {
            Secret::Ec(_) => "ES256",
            Secret::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn public(&self) -> Value {
        let mut key = match &*self.secret {
            Secret::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]) })
            }
            Secret::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": b64(public.modulus().big_endian_without_leading_zero()),
                    "e": b64(public.exponent().big_endian_without_leading_zero()),
                })
            }
        };
        key["kid"] = json!(self.id);
        key["use"] = json!("sig");
        key
    }

    /// What an attacker may take for a shared secret: the public key as it is usually written.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = match &*self.secret {
            Secret::Ec(pair) => pair.public_key().as_der().unwrap(),
            Secret::Rsa(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.secret {
            Secret::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token with this header and these claims, as text.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        signed(header, claims, |message| self.sign(message))
    }

    /// The usual header.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.id, "typ": "at+jwt" })
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }
}
