//! One pair of records for each admitted call: who, through what, with whose credential, and how it ended; and
//! nothing of what was said.

use sha2::{Digest as _, Sha256};

use crate::support::*;

const ALICES: &str = "the-token-of-alice-0123456789";

async fn served() -> (Provider, Served) {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--tenant-claim", "org"]);
    let users = setup.dir.join("users");
    std::fs::create_dir(&users).unwrap();
    let source = format!("T=file:{}/{{tenant}}/{{sub}}", users.display());
    std::fs::create_dir(users.join("acme")).unwrap();
    write_private(&users.join("acme/alice"), ALICES);
    (provider, setup.flags(["--credential", &source]).start().await)
}

fn alice(provider: &Provider, served: &Served) -> Modern {
    let act = json!({ "sub": "agent", "act": { "sub": "scheduler" } });
    served.caller(&provider.token_with(json!({ "org": "acme", "act": act })))
}

fn ends(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["event"] == "end").collect()
}

#[tokio::test]
async fn a_call_is_a_pair_of_records() {
    let (provider, served) = served().await;
    let caller = alice(&provider, &served);
    let secret = json!({ "password": "hunter2-hunter2" });
    let answer = caller.call("echo", secret.clone()).await;
    assert!(structured(&answer)["params"].is_object());
    let mut records = served.audited(1).await;
    // What happened to his process and his credential has tests of its own.
    records.retain(|record| record.get("method").is_some() || record["event"] == "end");
    // What mcpwrap asks the server for itself is no call, and on record under whoever caused it.
    let [own, begin, end] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&own["event"], &own["method"]), (&json!("own_request"), &json!("tools/list")));
    assert_eq!((&own["decision"], &own["who"]), (&json!("not_asked"), &begin["who"]));
    let who = &begin["who"];
    assert_eq!(begin["event"], "begin");
    assert_eq!(who["issuer"], json!(provider.issuer()));
    assert_eq!((&who["subject"], &who["tenant"]), (&json!("alice"), &json!("acme")));
    assert_eq!(who["client"], "client-1");
    assert_eq!(who["actors"], json!(["agent", "scheduler"]));
    assert_eq!(who["user"].as_str().unwrap().len(), 32);
    assert_eq!((&begin["method"], &begin["target"]), (&json!("tools/call"), &json!("echo")));
    assert!(begin["child"].is_u64());
    let credential = begin["credentials"][0].as_str().unwrap();
    assert!(credential.starts_with("T from file:") && credential.contains("{sub}"), "{credential}");
    assert_eq!(end["event"], "end");
    assert_eq!((&end["call"], &end["outcome"]), (&begin["call"], &json!("result")));
    assert!(end["duration_ms"].as_f64().unwrap() > 0.0);
    // Of the arguments nothing but a hash, whose key nobody else has.
    let text = json!(records).to_string();
    for word in ["hunter2", ALICES, "password", caller.token.as_deref().unwrap()] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let plain = Sha256::digest(secret.to_string());
    let plain: String = plain[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let plain_credential = Sha256::digest(ALICES);
    let plain_credential: String =
        plain_credential[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&plain) && !text.contains(&plain_credential), "{text}");
}

#[tokio::test]
async fn equal_arguments_have_equal_hashes_in_one_run_only() {
    let (provider, first) = served().await;
    let caller = alice(&provider, &first);
    for number in [1, 1, 2] {
        caller.call("echo", json!({ "n": number })).await;
    }
    let hash = |record: &Value| record["arguments"].as_str().unwrap().to_owned();
    let begun = |records: Vec<Value>| -> Vec<String> {
        records.iter().filter(|record| record["event"] == "begin").map(hash).collect()
    };
    let one = begun(first.audited(3).await);
    assert_eq!(one[0], one[1]);
    assert_ne!(one[0], one[2]);
    let (provider, second) = served().await;
    alice(&provider, &second).call("echo", json!({ "n": 1 })).await;
    assert_ne!(one[0], begun(second.audited(1).await)[0]);
}

/// The first record is there before the child hears of the call, and the second one however the call ends.
#[tokio::test]
async fn every_call_that_begins_ends() {
    let (provider, served) = served().await;
    let caller = alice(&provider, &served);
    caller.call("echo", json!({})).await;
    caller.call("no such tool", json!({})).await;
    // Held by the child until its client hangs up.
    let held = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call("hold", json!({ "key": "k" })).await }
    });
    caller.call("held", json!({ "count": 1 })).await;
    let so_far = served.audited(3).await;
    let open = so_far.iter().filter(|record| record["target"] == "hold").count();
    assert_eq!((open, ends(&so_far).len()), (1, 3), "begun and not ended");
    held.abort();
    served.audited(4).await;
    caller.call("exit", json!({ "code": 3 })).await;
    let records = served.audited(5).await;
    let outcome = |target: &str| {
        let begin = records.iter().find(|record| record["target"] == target).unwrap();
        let end = ends(&records).into_iter().find(|end| end["call"] == begin["call"]).unwrap();
        end["outcome"].as_str().unwrap().to_owned()
    };
    let outcomes = ["echo", "no such tool", "hold", "exit"].map(outcome);
    assert_eq!(outcomes, ["result", "error", "cancelled", "lost"]);
}

/// Whoever does not get in leaves no record of a call, and neither does one for whom there is no child.
#[tokio::test]
async fn a_call_that_is_not_admitted_is_not_recorded_as_one() {
    let (provider, served) = served().await;
    for token in ["nonsense".to_owned(), provider.token_with(json!({ "aud": "x", "org": "acme" }))]
    {
        assert_eq!(served.caller(&token).status().await, 401);
    }
    let carol = provider.token_with(json!({ "sub": "carol", "org": "acme" }));
    assert!(
        error(&served.caller(&carol).call("echo", json!({})).await).1.contains("is stored for you")
    );
    alice(&provider, &served).call("echo", json!({})).await;
    let records = served.audited(1).await;
    let calls: Vec<&Value> = records
        .iter()
        .filter(|record| record["event"] == "begin" && record["method"] == "tools/call")
        .collect();
    assert_eq!(calls.len(), 1, "{records:?}");
    assert_eq!(calls[0]["who"]["subject"], "alice");
    // Who never got in is counted, by reason and network.
    let written = served.stop().await;
    for (reason, count) in [("shape", 1), ("audience", 1)] {
        let counted = written.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let counted = counted.filter(|line| line["event"] == "refused" && line["reason"] == reason);
        let counted: Vec<Value> = counted.collect();
        assert_eq!(counted.len(), 1, "{reason}: {written}");
        assert_eq!(
            (&counted[0]["count"], &counted[0]["from"]),
            (&json!(count), &json!("127.0.0.0/8"))
        );
    }
}

fn of_event<'r>(records: &'r [Value], event: &str) -> Vec<&'r Value> {
    records.iter().filter(|record| record["event"] == event).collect()
}

/// What happened around the calls: his session, his process, his credential.
#[tokio::test]
async fn sessions_processes_and_credentials_are_on_record_from_beginning_to_end() {
    let (provider, served) = served().await;
    let caller = alice(&provider, &served);
    let session = caller.session().await;
    session.call("echo", json!({})).await;
    assert_eq!(session.delete().await.status, 204);
    caller.call("exit", json!({ "code": 3 })).await;
    let carol = provider.token_with(json!({ "sub": "carol", "org": "acme" }));
    served.caller(&carol).call("echo", json!({})).await;
    let id = session.id.clone();
    let text = served.stop().await;
    let records = lines_of(&text);
    let [opened] = of_event(&records, "session_opened")[..] else { panic!("{records:?}") };
    let [ended] = of_event(&records, "session_ended")[..] else { panic!("{records:?}") };
    assert_eq!((&opened["session"], &opened["who"]), (&ended["session"], &ended["who"]));
    assert_eq!(
        (&ended["why"], &ended["who"]["subject"]),
        (&json!("its client ended it"), &json!("alice"))
    );
    let started = of_event(&records, "child_started");
    let over = of_event(&records, "child_ended");
    assert!(!started.is_empty(), "{records:?}");
    let numbers = |all: &[&Value]| -> std::collections::BTreeSet<u64> {
        all.iter().map(|record| record["child"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&started), numbers(&over), "each that started ended");
    let crashed = over.iter().find(|record| record["why"].as_str().unwrap().contains("code 3"));
    assert!(crashed.is_some(), "{over:?}");
    let credentials = of_event(&records, "credential");
    let fate = |subject: &str| {
        let his = credentials.iter().find(|one| one["who"]["subject"] == subject).unwrap();
        assert_eq!(his["name"], "T");
        assert!(his["source"].as_str().unwrap().starts_with("file:"), "{his}");
        his["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!((fate("alice"), fate("carol")), ("fetched".to_owned(), "failed".to_owned()));
    assert_eq!(of_event(&records, "child_failed").len(), 1);
    // A session's name lets its owner in, and a credential is nobody's business.
    assert!(!text.contains(&id) && !text.contains(ALICES), "{text}");
}

/// A server that does not start for nobody is greeted in the modern era first, and for a legacy client once more.
#[tokio::test]
async fn a_child_that_was_only_asked_how_it_speaks_is_on_record_to_its_end() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).child(["--dual", "--needs", "TOKEN"]);
    write_private(&setup.dir.join("alice"), "one");
    let credential = format!("TOKEN=file:{}/{{sub}}", setup.dir.display());
    let served = setup.flags(["--child-era", "auto", "--credential", &credential]).start().await;
    served.caller(&provider.token("alice")).session().await.call("echo", json!({})).await;
    let records = lines_of(&served.stop().await);
    assert_eq!(of_event(&records, "child_started").len(), 2, "{records:?}");
    let over = of_event(&records, "child_ended");
    let why: Vec<&Value> = over.iter().map(|record| &record["why"]).collect();
    assert_eq!(why, ["its clients speak another era", "it was closed"]);
}

fn lines_of(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Somebody with a good token who is not let in is named, once for many requests.
#[tokio::test]
async fn whoever_is_not_let_in_is_named() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).flags(["--allow-user", "alice"]).start().await;
    let mallory = served.caller(&provider.token("mallory"));
    for _ in 0..2 {
        assert_eq!(mallory.status().await, 403);
    }
    let records = lines_of(&served.stop().await);
    let forbidden = of_event(&records, "forbidden");
    let count: u64 = forbidden.iter().map(|record| record["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 2, "{records:?}");
    assert!(forbidden.iter().all(|record| record["who"]["subject"] == "mallory"));
    assert!(forbidden.iter().all(|record| record["reason"] == "not_allowed"));
}

/// A child that fills the disk of its home would stop everybody's calls.
#[tokio::test]
async fn an_audit_log_on_the_disk_of_the_homes_is_said_at_the_start() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    served.stderr.wait("is on the same filesystem as the homes of children").await;
}

/// Many at once: each pair is whole, and names its own user.
#[tokio::test]
async fn records_of_many_users_do_not_mix() {
    let provider = Provider::start().await;
    let served = Mcpwrap::serve().oidc(&provider).start().await;
    let callers: Vec<Modern> = (0..40)
        .map(|number| served.caller(&provider.token(&format!("user-{}", number % 4))))
        .collect();
    let calls = callers.iter().enumerate().map(|(number, caller)| async move {
        let answer = caller.call("echo", json!({ "text": format!("{number}") })).await;
        assert!(structured(&answer).is_object());
    });
    futures_util::future::join_all(calls).await;
    let records = served.audited(40).await;
    let mut seen = std::collections::BTreeMap::new();
    for record in records.iter().filter(|record| record["event"] == "begin") {
        let pair = ends(&records).into_iter().filter(|end| end["call"] == record["call"]).count();
        assert_eq!(pair, 1, "{record}");
        let subject = record["who"]["subject"].as_str().unwrap();
        *seen.entry((subject.to_owned(), record["child"].as_u64())).or_insert(0) += 1;
    }
    // Four users with ten calls each, all of one user in one child.
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [10; 4]);
}

/// Nobody knows whose they were, so they are added up: by reason, and by the network that the proxy names.
#[tokio::test]
async fn refusals_are_counted_by_reason_and_network() {
    let provider = Provider::start().await;
    let setup = Mcpwrap::serve().oidc(&provider).flags(["--trusted-proxy", "127.0.0.0/8"]);
    let served = setup.start().await;
    let expired = provider.token_with(json!({ "exp": now() - 1000 }));
    for address in ["203.0.113.5", "203.0.113.77", "198.51.100.1"] {
        for token in [&expired, "nonsense"] {
            let request = Modern::new(&served).calling("whoami", json!({}));
            let request = request
                .header("x-forwarded-for", format!("192.0.2.66, {address}"))
                .header("authorization", format!("Bearer {token}"));
            assert_eq!(request.send(served.at).await.status, 401);
        }
    }
    let written = served.stop().await;
    let lines = written.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut counts: Vec<_> = lines
        .filter(|line| line["event"] == "refused")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("from"), text("reason"), line["count"].as_u64().unwrap())
        })
        .collect();
    counts.sort();
    let expected = [
        ("198.51.100.0/24", "expired", 1),
        ("198.51.100.0/24", "shape", 1),
        ("203.0.113.0/24", "expired", 2),
        ("203.0.113.0/24", "shape", 2),
    ];
    let expected =
        expected.map(|(from, reason, count)| (from.to_owned(), reason.to_owned(), count));
    assert_eq!(counts, expected);
}

/// The trace that a client names, in the header or in the message, is the record's.
#[tokio::test]
async fn a_trace_is_on_record() {
    let (provider, served) = served().await;
    let caller = alice(&provider, &served);
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = caller
        .calling("whoami", json!({}))
        .header("traceparent", format!("00-{id}-00f067aa0ba902b7-01"));
    assert_eq!(traced.send(served.at).await.status, 200);
    let records = served.audited(1).await;
    let begin = records.iter().find(|record| record["event"] == "begin").unwrap();
    assert_eq!(begin["trace"], id);
    assert_eq!(begin["decision"], "whole_server");
}
