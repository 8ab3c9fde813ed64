//! Whole tokens against a provider on loopback.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::outbound;
use crate::shutdown::Shutdown;
use identity_provider::{AUDIENCE, Hand, Pair, Provider, bearer};

pub(in crate::auth) mod identity_provider;
mod junk;
mod keys;
mod opaque;
mod tokens;

fn settings(providers: &[&Provider]) -> Settings {
    let issuer = |(index, provider): (usize, &&Provider)| {
        Issuer::parse(&format!("idp{index}={}", provider.url), Preset::Generic).unwrap()
    };
    Settings {
        issuers: providers.iter().enumerate().map(issuer).collect(),
        audiences: vec![AUDIENCE.into()],
        ..Settings::default()
    }
}

fn verifier(settings: Settings, hand: &Hand) -> Arc<Verifier> {
    let http = outbound::Client::new(outbound::Authorities::system()).unwrap();
    Verifier::build(settings, &http, hand.clock(), &Shutdown::new()).unwrap()
}

/// One provider with one RSA key, and a verifier that trusts it.
async fn one() -> (Provider, Pair, Arc<Verifier>, Hand) {
    let pair = Pair::rsa("k1", 0);
    let provider = Provider::with_keys("/realms/a", &[&pair]).await;
    let hand = Hand::default();
    let verifier = verifier(settings(&[&provider]), &hand);
    (provider, pair, verifier, hand)
}

/// Where requests come from that do not say otherwise.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0));

async fn check_from(
    network: IpAddr,
    verifier: &Verifier,
    token: &str,
) -> Result<Arc<Principal>, Denied> {
    verifier.authenticate(&bearer(token), None, network).await
}

async fn check(verifier: &Verifier, token: &str) -> Result<Arc<Principal>, Denied> {
    check_from(HERE, verifier, token).await
}

async fn reason(verifier: &Verifier, token: &str) -> Reason {
    match check(verifier, token).await {
        Err(Denied::Invalid { reason }) => reason,
        other => panic!("expected an invalid token, got {other:?}"),
    }
}

const NO_KEYS: Denied = Denied::Unavailable { reason: Reason::NoKeys };
const NO_ANSWER: Denied = Denied::Unavailable { reason: Reason::NoAnswer };

#[tokio::test]
async fn the_local_developer_needs_no_token() {
    let local = Authenticator::Local;
    let caller = local.authenticate(&HeaderMap::new(), None, HERE).await.unwrap();
    assert_eq!(caller.issuer_name(), "local");
    assert!(caller.is_living() && caller.token_fingerprint().is_none());
}

#[tokio::test]
async fn a_verifier_that_runs_stops_with_the_process() {
    let (provider, ..) = one().await;
    let shutdown = Shutdown::new();
    let http = outbound::Client::new(outbound::Authorities::system()).unwrap();
    let verifier =
        Verifier::start(settings(&[&provider]), &http, Clock::system(), &shutdown).unwrap();
    let status = verifier.warm_up().await;
    assert_eq!((status[0].keys, status[0].failures), (1, 0));
    shutdown.finish();
    shutdown.finished().await;
    assert!(!shutdown.failed());
}

#[tokio::test]
async fn settings_with_problems_do_not_start() {
    let http = outbound::Client::new(outbound::Authorities::system()).unwrap();
    let refused = Verifier::start(Settings::default(), &http, Clock::system(), &Shutdown::new());
    assert!(!refused.unwrap_err().is_empty());
}
