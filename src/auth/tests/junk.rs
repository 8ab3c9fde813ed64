//! Tokens that somebody made up: what they cost the issuer, and whom they keep out.

use serde_json::json;

use super::identity_provider::Answer;
use super::opaque::{active, inactive, introspecting};
use super::*;

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0));
const SLOWED: Denied = Denied::Slowed;
/// What one network may have in flight, and how many refusals it takes to slow it down.
const SHARE: usize = 8;
const REFUSALS: usize = 128;

#[tokio::test]
async fn junk_of_one_network_leaves_room_for_the_others() {
    let (provider, _, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    provider.answer("/introspect", inactive());
    check(&verifier, "first").await.unwrap_err();
    provider.answer("/introspect", Answer::Silence);
    let junk: Vec<_> = (0..4 * SHARE)
        .map(|n| {
            let verifier = verifier.clone();
            tokio::spawn(async move { check(&verifier, &format!("junk-{n}")).await.map(drop) })
        })
        .collect();
    provider.asked("/introspect", 1 + SHARE).await;
    provider.answer("/introspect", active(&provider, json!({})));
    assert!(check_from(ELSEWHERE, &verifier, "good").await.is_ok());
    let hits = provider.hits("/introspect");
    assert_eq!(hits, 1 + SHARE + 1, "the others wait for their own share");
    junk.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_network_whose_tokens_are_refused_is_slowed_down_and_its_known_users_are_not() {
    let (provider, _, _, hand) = one().await;
    let mut settings = introspecting(&provider, AskWhen::Opaque);
    // Every call is asked about, those of known tokens as well.
    settings.limits.introspection_cache = std::time::Duration::ZERO;
    let verifier = verifier(settings, &hand);
    provider.answer("/introspect", active(&provider, json!({})));
    check(&verifier, "known").await.unwrap();
    provider.answer("/introspect", inactive());
    for n in 0..REFUSALS {
        assert_eq!(reason(&verifier, &format!("junk-{n}")).await, Reason::Inactive, "{n}");
    }
    let before = provider.hits("/introspect");
    assert_eq!(check(&verifier, "one-more").await.unwrap_err(), SLOWED);
    assert_eq!(reason(&verifier, "junk-0").await, Reason::Inactive, "remembered");
    assert_eq!(provider.hits("/introspect"), before, "nobody is asked");
    provider.answer("/introspect", active(&provider, json!({})));
    assert!(check(&verifier, "known").await.is_ok(), "was good before");
    assert!(check_from(ELSEWHERE, &verifier, "good").await.is_ok(), "another network");
    assert_eq!(check(&verifier, "good-too").await.unwrap_err(), SLOWED);
    provider.answer("/introspect", inactive());
    hand.forward(1);
    for n in 0..8 {
        assert_eq!(reason(&verifier, &format!("later-{n}")).await, Reason::Inactive, "{n}");
    }
    assert_eq!(check(&verifier, "later-8").await.unwrap_err(), SLOWED);
    hand.forward(60);
    assert_eq!(reason(&verifier, "much-later").await, Reason::Inactive, "all is forgiven");
}

/// While the issuer fails, those whom it knew are still asked about apart from the strangers.
#[tokio::test]
async fn a_failure_of_the_issuer_makes_nobody_a_stranger() {
    let (provider, _, _, hand) = one().await;
    let mut settings = introspecting(&provider, AskWhen::Opaque);
    settings.limits.introspection_cache = std::time::Duration::ZERO;
    let verifier = verifier(settings, &hand);
    for token in ["known", "withdrawn"] {
        provider.answer("/introspect", active(&provider, json!({})));
        check(&verifier, token).await.unwrap();
    }
    provider.answer("/introspect", inactive());
    assert_eq!(reason(&verifier, "withdrawn").await, Reason::Inactive);
    provider.answer("/introspect", Answer::Json(500, json!({})));
    for _ in 0..2 {
        let failed = check(&verifier, "known").await.unwrap_err();
        assert!(matches!(failed, Denied::Unavailable { .. }), "{failed:?}");
    }
    provider.answer("/introspect", inactive());
    for n in 0..REFUSALS {
        assert_eq!(reason(&verifier, &format!("junk-{n}")).await, Reason::Inactive, "{n}");
    }
    provider.answer("/introspect", active(&provider, json!({})));
    assert!(check(&verifier, "known").await.is_ok());
    hand.forward(11);
    for n in 0..REFUSALS {
        provider.answer("/introspect", inactive());
        let _ = check(&verifier, &format!("more-{n}")).await;
    }
    provider.answer("/introspect", active(&provider, json!({})));
    assert_eq!(check(&verifier, "withdrawn").await.unwrap_err(), SLOWED, "was refused since");
}

/// Somebody's good token for another server costs a question, too.
#[tokio::test]
async fn every_refusal_after_a_question_is_remembered_for_a_moment() {
    let (provider, _, _, hand) = one().await;
    let verifier = verifier(introspecting(&provider, AskWhen::Opaque), &hand);
    provider.answer("/introspect", active(&provider, json!({"aud": "https://other.example"})));
    for _ in 0..2 {
        assert_eq!(reason(&verifier, "theirs").await, Reason::Audience);
    }
    assert_eq!(provider.hits("/introspect"), 1);
    provider.answer("/introspect", active(&provider, json!({})));
    hand.forward(10);
    assert!(check(&verifier, "theirs").await.is_ok(), "it may become good");
}
