//! Everybody's secrets, and who may see which.

use std::sync::Mutex;

use aho_corasick::AhoCorasick;

use crate::support::Vault;

/// The secrets of a run.
pub(crate) struct Secrets {
    credentials: Vec<String>,
    known: AhoCorasick,
    /// What comes and goes: tokens and names of sessions.
    passing: Mutex<Vec<String>>,
}

// === impl Secrets ===

impl Secrets {
    pub(crate) fn new(users: usize, seed: u64) -> Self {
        let credential = |user| format!("credential-{user}-of-{seed:016x}-end");
        let credentials: Vec<String> = (0..users).map(credential).collect();
        let mut known: Vec<&str> = credentials.iter().map(String::as_str).collect();
        // Every token begins so, as its header does; none is for a child, not even its own user's.
        known.extend([Vault::TOKEN, "eyJhbGciOi"]);
        let known = AhoCorasick::new(known).unwrap();
        Self { credentials, known, passing: Mutex::default() }
    }

    pub(crate) fn credential(&self, user: usize) -> &str {
        &self.credentials[user]
    }

    /// What no log may hold.
    pub(crate) fn remember(&self, secret: &str) {
        self.passing.lock().unwrap().push(secret.to_owned());
    }

    /// What an answer to this user holds that is not his.
    pub(crate) fn foreign(&self, user: usize, answer: &[u8]) -> Option<String> {
        let found = self.known.find_iter(answer).map(|found| found.pattern().as_usize());
        let mut foreign = found.filter(|at| *at != user);
        foreign.next().map(|at| self.name(at))
    }

    /// What a log holds of anybody's.
    pub(crate) fn in_log(&self, text: &[u8]) -> Vec<String> {
        let mut found: Vec<String> =
            self.known.find_iter(text).map(|found| self.name(found.pattern().as_usize())).collect();
        let passing = self.passing.lock().unwrap();
        if AhoCorasick::new(passing.iter()).unwrap().is_match(text) {
            found.push("a token, or the name of a session".to_owned());
        }
        found.sort();
        found.dedup();
        found
    }

    fn name(&self, at: usize) -> String {
        match at.checked_sub(self.credentials.len()) {
            None => format!("the credential of user-{at}"),
            Some(0) => "the token for the vault".to_owned(),
            Some(_) => "an access token".to_owned(),
        }
    }
}
