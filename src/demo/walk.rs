//! The walk along the path of a request, step by step, each judged by what was really seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::session::{Caller, Session, call, header};
use super::{ALICE, BOB, Error, News, StepResult, example};
use crate::outbound::Client;
use crate::problem::chain;
use crate::redact::Redactor;

/// How long the records of calls that were answered may take to be written.
const RECORDS: Duration = Duration::from_secs(5);

/// What the walk needs to know of the world that was built for it.
pub(super) struct Walk<T> {
    pub(super) client: Client,
    pub(super) endpoint: Url,
    pub(super) issuer: String,
    pub(super) audit: PathBuf,
    /// What was put into the store, Alice's before Bob's.
    pub(super) secrets: [SecretString; 2],
    pub(super) tell: T,
}

/// What a user's own child said, and where it really runs.
struct Met {
    session: Session,
    /// As this machine numbers processes, not as the child sees itself.
    pids: BTreeSet<u32>,
    credential: String,
}

/// A step that did not go as promised, in words for the terminal.
type Broken = String;

// === impl Walk ===

impl<T: Fn(News)> Walk<T> {
    /// Takes all steps. A step that others build on ends the walk when it fails.
    ///
    /// # Errors
    /// [`Error::Steps`], after each step was told.
    pub(super) async fn go(self) -> Result<(), Error> {
        let mut failed = 0;
        match self.steps(&mut failed).await {
            Some(()) if failed == 0 => Ok(()),
            _ => Err(Error::Steps { failed }),
        }
    }

    async fn steps(&self, failed: &mut usize) -> Option<()> {
        let metadata = self.step("no token", self.no_token().await, failed)?;
        self.step("discovery", self.discovery(&metadata).await, failed)?;
        let alice = self.meet(ALICE, &BTreeSet::new()).await;
        let alice = self.step("alice calls whoami", alice, failed)?;
        let bob = self.meet(BOB, &alice.pids).await;
        let bob = self.step("bob calls whoami", bob, failed)?;
        self.step("each his own", self.apart(&alice, &bob), failed);
        self.step("bob takes alice's session", self.foreign(&alice, &bob).await, failed);
        self.step("bob's process spies on alice's", self.spy(&alice, &bob).await, failed);
        self.step("the audit log", self.audited(&[&alice, &bob]).await, failed);
        Some(())
    }

    /// Tells how a step went; yields what it yields.
    fn step<V>(
        &self,
        title: &'static str,
        taken: Result<(V, String), Broken>,
        failed: &mut usize,
    ) -> Option<V> {
        let (value, result, seen) = match taken {
            Ok((value, seen)) => (Some(value), StepResult::Passed, seen),
            Err(seen) => (None, StepResult::Failed, seen),
        };
        *failed += usize::from(value.is_none());
        (self.tell)(News::Step { title, result, seen });
        value
    }

    fn caller(&self, token: Option<String>) -> Caller {
        Caller { client: self.client.clone(), endpoint: self.endpoint.clone(), token }
    }

    async fn no_token(&self) -> Result<(Url, String), Broken> {
        let reply =
            self.caller(None).post(&call("whoami", &json!({})), None).await.map_err(told)?;
        let challenge = header(&reply.headers, "www-authenticate").unwrap_or_default();
        let metadata = challenge
            .split_once("resource_metadata=\"")
            .and_then(|(_, rest)| Url::parse(rest.split('"').next()?).ok());
        match (reply.status.as_u16(), metadata) {
            (401, Some(url)) => Ok((url, format!("401, {challenge}"))),
            (status, _) => Err(format!("{status}, {challenge:?}")),
        }
    }

    async fn discovery(&self, metadata: &Url) -> Result<((), String), Broken> {
        let resource = self.document(metadata.clone()).await?;
        let issuer = resource["authorization_servers"][0].as_str().unwrap_or_default();
        let place = Url::parse(&format!("{issuer}/.well-known/oauth-authorization-server"));
        let provider = self.document(place.map_err(told)?).await?;
        let named = resource["resource"] == self.endpoint.as_str();
        if named && issuer == self.issuer && provider["issuer"] == issuer {
            Ok(((), format!("{} is guarded by {issuer}", self.endpoint)))
        } else {
            Err(format!("{resource} {provider}"))
        }
    }

    async fn document(&self, url: Url) -> Result<Value, Broken> {
        let reply = self.client.send(self.client.get(url)).await.map_err(told)?;
        serde_json::from_slice(&reply.body).map_err(told)
    }

    /// Signs in as a user and lets his child introduce itself.
    async fn meet(&self, user: &str, known: &BTreeSet<u32>) -> Result<(Met, String), Broken> {
        let url = Url::parse(&format!("{}/token?user={user}", self.issuer)).map_err(told)?;
        let reply = self.client.send(self.client.get(url)).await.map_err(told)?;
        if !reply.status.is_success() {
            return Err(format!("no token: {}", reply.status));
        }
        let token = String::from_utf8_lossy(&reply.body).into_owned();
        let session = self.caller(Some(token)).open().await.map_err(told)?;
        let said = session.call("whoami", &json!({})).await.map_err(told)?;
        // The children before this one are known, so what is new is his.
        let pids: BTreeSet<u32> = example_processes().difference(known).copied().collect();
        let credential = said["credential"].as_str().unwrap_or_default().to_owned();
        let start: String = user.chars().take(3).collect();
        let seen = format!(
            "{} in process {} (to itself {}), credential {credential}",
            said["user"].as_str().unwrap_or_default(),
            listed(&pids),
            said["pid"],
        );
        let right = said["user"] == user && credential.starts_with(&start);
        if right && !pids.is_empty() {
            Ok((Met { session, pids, credential }, seen))
        } else {
            Err(seen)
        }
    }

    fn apart(&self, alice: &Met, bob: &Met) -> Result<((), String), Broken> {
        let seen = format!(
            "processes {} and {}, credentials {} and {}",
            listed(&alice.pids),
            listed(&bob.pids),
            alice.credential,
            bob.credential
        );
        let living = example_processes();
        let live = alice.pids.is_subset(&living) && bob.pids.is_subset(&living);
        if live && alice.pids.is_disjoint(&bob.pids) && alice.credential != bob.credential {
            Ok(((), seen))
        } else {
            Err(seen)
        }
    }

    async fn foreign(&self, alice: &Met, bob: &Met) -> Result<((), String), Broken> {
        let request = call("whoami", &json!({}));
        let reply = bob.session.caller.post(&request, Some(&alice.session.id)).await;
        let status = reply.map_err(told)?.status;
        // The session itself must be alive, or its absence would prove nothing.
        let alive = alice.session.call("whoami", &json!({})).await.map_err(told)?;
        if status == 404 && alive["user"] == ALICE {
            Ok(((), "404, as if it did not exist; alice goes on using it".to_owned()))
        } else {
            Err(format!("{status}, then alice got {alive}"))
        }
    }

    /// Lets Bob's child read the environment of Alice's process, by its number and by trying all.
    async fn spy(&self, alice: &Met, bob: &Met) -> Result<((), String), Broken> {
        let mut seen = Vec::new();
        let mut held = true;
        for pid in &alice.pids {
            let found = bob.session.call("peek", &json!({ "pid": pid })).await.map_err(told)?;
            held &= found["outcome"] == "denied";
            seen.push(found["text"].as_str().unwrap_or_default().to_owned());
        }
        let all = bob.session.call("list_processes", &json!({})).await.map_err(told)?;
        held &= all["others"] == 0;
        seen.push(format!(
            "of {} processes it sees it can read {} of its own user and {} of others",
            all["seen"], all["own"], all["others"]
        ));
        let seen = seen.join("; ");
        if held { Ok(((), seen)) } else { Err(seen) }
    }

    /// Looks for both users, and for any secret, in what `serve` writes. A record is written a moment after its answer,
    /// so both users are waited for.
    async fn audited(&self, met: &[&Met]) -> Result<((), String), Broken> {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let deadline = Instant::now() + RECORDS;
        let (log, alice, bob) = loop {
            tick.tick().await;
            let log = fs::read_to_string(&self.audit).map_err(told)?;
            let (alice, bob) = (named(&log, ALICE), named(&log, BOB));
            if (alice > 0 && bob > 0) || Instant::now() >= deadline {
                break (log, alice, bob);
            }
        };
        // What masks secrets in logs finds them in all their spellings.
        let redactor = Redactor::new();
        let inbound = met.iter().filter_map(|met| met.session.caller.token.clone());
        let secrets: Vec<SecretString> =
            self.secrets.iter().cloned().chain(inbound.map(SecretString::from)).collect();
        let learned: Vec<_> = secrets.iter().map(|secret| redactor.learn(secret)).collect();
        let leaked = redactor.mask(&log) != log;
        drop(learned);
        if leaked {
            return Err("it holds a credential or a token".to_owned());
        }
        let seen = format!("{alice} calls of alice, {bob} of bob, no credential or token in it");
        if alice == 0 || bob == 0 { Err(seen) } else { Ok(((), seen)) }
    }
}

/// How many records are of calls of this user.
fn named(log: &str, user: &str) -> usize {
    let of = |line: &&str| {
        serde_json::from_str::<Value>(line)
            .is_ok_and(|entry| entry["event"] == "begin" && entry["who"]["subject"] == user)
    };
    log.lines().filter(of).count()
}

fn told<E: std::error::Error>(error: E) -> Broken {
    chain(&error)
}

fn listed(pids: &BTreeSet<u32>) -> String {
    let numbers: Vec<String> = pids.iter().map(ToString::to_string).collect();
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") }
}

/// The example servers below this process, by the numbers that this process sees.
fn example_processes() -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_example = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(example::ARGUMENT.as_bytes())
    };
    pids.filter(|pid| is_example(pid) && is_below_us(*pid)).collect()
}

fn is_below_us(pid: u32) -> bool {
    let own = std::process::id();
    let parent = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok())
    };
    let mut above = parent(pid);
    while let Some(pid) = above.filter(|pid| *pid > 1) {
        if pid == own {
            return true;
        }
        above = parent(pid);
    }
    above == Some(own)
}
