//! Says everything that is wrong with the settings at once, with the remedy.
//!
//! It judges what can be judged without the network.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::ExposeSecret;
use url::Url;

use super::preset::{Preset, Reach};
use super::provider_checks::{caution, check_clients, check_provider, check_reachable};
use super::{FurtherRules, Introspection, Issuer, Settings};
use crate::outbound;
use crate::problem::Problem;

/// More than this hides broken clocks instead of tolerating them.
const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
const MAX_ISSUER_NAME: usize = 64;

// === impl Issuer ===

impl Issuer {
    pub(in crate::auth) fn problem(&self, what: &str) -> Problem {
        Problem::new(
            "oidc",
            format!("issuer {:?} ({}) {what}", self.name, self.url),
            "give the issuer exactly as its own metadata name it",
        )
    }

    /// Reads `[NAME=]URL`; the name defaults to the URL's host.
    ///
    /// # Errors
    /// A [`Problem`] if there is no URL in it.
    pub fn parse(text: &str, idp: Preset) -> Result<Self, Problem> {
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains([':', '/', '?']) => (Some(name), url),
            _ => (None, text),
        };
        let parsed = Url::parse(url).ok();
        let host = parsed.as_ref().and_then(Url::host_str).map(str::to_owned);
        match (name.map(str::to_owned).or(host.clone()), host) {
            (Some(name), Some(_)) => Ok(Self {
                name,
                url: url.to_owned(),
                idp,
                token_type: None,
                clients: Vec::new(),
                api_url: None,
            }),
            _ => Err(Problem::new(
                "oidc",
                format!("{text:?} is not an issuer"),
                "write [NAME=]URL, for example corp=https://idp.example/realms/corp",
            )),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// The introspection that is meant for this issuer.
    #[must_use]
    pub fn introspection_of(&self, issuer: &Issuer) -> Option<&Introspection> {
        let own = self.introspection.as_ref()?;
        let meant = match &own.issuer {
            Some(name) => *name == issuer.name,
            None => self.signing().count() == 1,
        };
        (meant && !issuer.idp.is_weaker()).then_some(own)
    }

    /// Everything that is wrong; empty if nothing is.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.issuers.is_empty() {
            problems.push(Problem::new(
                "oidc",
                "no issuer is given, so that nobody could call",
                "add --oidc https://your-identity-provider, or use `mcpwrap dev` for yourself alone",
            ));
        }
        for issuer in &self.issuers {
            self.check_issuer(issuer, &mut problems);
        }
        self.check_names(&mut problems);
        self.check_tokens(&mut problems);
        self.check_lists(&mut problems);
        self.check_introspection(&mut problems);
        self.check_limits(&mut problems);
        problems
    }

    /// What is allowed but weaker than it could be, or surprises at first; said at start-up.
    #[must_use]
    pub fn cautions(&self) -> Vec<Problem> {
        let told = self.issuers.iter().filter_map(|issuer| {
            let (message, hint) = caution(issuer.idp)?;
            Some(issuer.problem(message).hinting(hint))
        });
        told.collect()
    }

    fn signing(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.iter().filter(|issuer| !issuer.idp.is_weaker())
    }

    fn check_issuer(&self, issuer: &Issuer, problems: &mut Vec<Problem>) {
        let mut wrong = |what: &str, hint: &str| {
            problems.push(issuer.problem(what).hinting(hint));
        };
        let plain_name = !issuer.name.is_empty()
            && issuer.name.len() <= MAX_ISSUER_NAME
            && issuer.name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && issuer
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !plain_name {
            wrong(
                "has a name that cannot stand in paths",
                "use up to 64 letters, digits, dots, dashes and underscores, as in corp=https://…",
            );
        }
        let url = match Url::parse(&issuer.url) {
            Ok(url) if issuer.url.trim() == issuer.url => url,
            _ => return wrong("is not a URL", "write [NAME=]https://…"),
        };
        if outbound::check(&url).is_err() {
            wrong(
                "is neither https nor http on loopback",
                "keys that come over a plain connection can be replaced on the way; use https",
            );
        }
        let bare = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            wrong(
                "has a query, a fragment or a password in it",
                "give the issuer exactly as the `issuer` member of its metadata",
            );
        }
        check_provider(issuer, &url, &mut wrong);
        if issuer.idp.is_weaker() {
            check_clients(issuer, &mut wrong);
        }
        if let Some(api) = &issuer.api_url
            && Url::parse(api).map_or(true, |api| outbound::check(&api).is_err())
        {
            wrong("has an API address that is neither https nor http on loopback", "use https");
        }
        if issuer.api_url.is_some() && !issuer.idp.is_weaker() {
            wrong(
                "has an API address that nobody would ask",
                "remove --api-url, or say whose it is: --api-url NAME=URL, with --idp NAME=github",
            );
        }
        check_reachable(issuer, self, &mut wrong);
        let open = self.allow.is_empty() && self.further == FurtherRules::None;
        if Reach::of(&url, issuer.idp) == Reach::Everybody && open {
            wrong(
                "gives tokens to anybody, so that the whole internet could call",
                "say who may: --allow-group, --allow-domain, --allow-user or --allow-tenant",
            );
        }
    }

    fn check_names(&self, problems: &mut Vec<Problem>) {
        let (mut names, mut urls) = (BTreeSet::new(), BTreeSet::new());
        let (mut weaker, mut api_urls) = (BTreeSet::new(), BTreeSet::new());
        for issuer in &self.issuers {
            // Their tokens do not say whose they are, so that one's would be sent to the other.
            if issuer.idp.is_weaker() && !weaker.insert(issuer.idp.name()) {
                problems.push(
                    issuer
                        .problem("is the second of its kind, and nothing tells their tokens apart")
                        .hinting("serve the users of each with a mcpwrap of its own"),
                );
            }
            if issuer.api_url.as_ref().is_some_and(|url| !api_urls.insert(url)) {
                problems.push(
                    issuer
                        .problem("has the API address of another issuer")
                        .hinting("say whose it is: --api-url NAME=URL"),
                );
            }
            if !names.insert(&issuer.name) {
                problems.push(
                    issuer
                        .problem("has the name of another issuer")
                        .hinting("name them apart: --oidc one=https://… --oidc two=https://…"),
                );
            }
            if !urls.insert(&issuer.url) {
                problems.push(issuer.problem("is given twice").hinting("remove one of them"));
            }
        }
    }

    fn check_tokens(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |option, message: &str, hint: &str| {
            problems.push(Problem::new(option, message, hint));
        };
        let needed = self.signing().next().is_some();
        if needed && (self.audiences.is_empty() || self.audiences.iter().any(String::is_empty)) {
            wrong(
                "audience",
                "no audience is given, so that tokens for other servers would be taken",
                "add --public-url https://…/mcp, or --audience with what the tokens' `aud` says",
            );
        }
        if needed && self.algorithms.is_empty() {
            wrong(
                "algorithm",
                "no algorithm is allowed",
                "remove the flag to allow the usual ones",
            );
        }
        let claims = [
            ("user-claim", &self.user_claim),
            ("tenant-claim", &self.tenant_claim),
            ("groups-claim", &self.groups_claim),
        ];
        for (option, claim) in claims {
            if claim.as_ref().is_some_and(|claim| claim.trim().is_empty()) {
                wrong(option, "the claim has no name", "name a claim, or remove the flag");
            }
        }
        // RFC 6749 §3.3: printable ASCII but for the space, the quote and the backslash.
        let plain = |scope: &String| {
            !scope.is_empty()
                && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if !self.required_scopes.iter().all(plain) {
            wrong(
                "required-scope",
                "a scope is empty or has spaces or quotes in it",
                "repeat the flag for each scope",
            );
        }
    }

    fn check_lists(&self, problems: &mut Vec<Problem>) {
        let allow = &self.allow;
        let lists = [
            ("allow-tenant", &allow.tenants),
            ("allow-group", &allow.groups),
            ("allow-domain", &allow.domains),
            ("allow-user", &allow.users),
        ];
        for (option, list) in lists {
            if list.iter().any(|entry| entry.trim().is_empty()) {
                problems.push(Problem::new(option, "an entry is empty", "remove it"));
            }
        }
        if allow.domains.iter().any(|domain| domain.contains('@')) {
            problems.push(Problem::new(
                "allow-domain",
                "a domain has an @ in it",
                "write corp.example",
            ));
        }
        let prefixed = |user: &String| {
            user.split_once(':')
                .is_some_and(|(name, _)| self.issuers.iter().any(|issuer| issuer.name == name))
        };
        if self.issuers.len() > 1 && !allow.users.iter().all(prefixed) {
            problems.push(Problem::new(
                "allow-user",
                "with several issuers a user's name alone does not say who is meant",
                "write ISSUER_NAME:SUBJECT",
            ));
        }
    }

    fn check_introspection(&self, problems: &mut Vec<Problem>) {
        let Some(own) = &self.introspection else {
            return;
        };
        let mut wrong = |option, message: &str, hint: &str| {
            problems.push(Problem::new(option, message, hint));
        };
        if !self.issuers.iter().any(|issuer| self.introspection_of(issuer).is_some()) {
            wrong(
                "introspection-client-id",
                "it is not clear which issuer answers",
                "write ISSUER_NAME=ID, and name one that signs its tokens or has an endpoint for it",
            );
        }
        let secure =
            |text: &String| Url::parse(text).is_ok_and(|url| outbound::check(&url).is_ok());
        if !own.endpoint.as_ref().is_none_or(secure) {
            wrong(
                "introspection-endpoint",
                "the endpoint is neither https nor http on loopback",
                "use https",
            );
        }
        if own.client_id.is_empty() || own.client_secret.expose_secret().is_empty() {
            wrong(
                "introspection-client-id",
                "the client id or its secret is missing",
                "register mcpwrap as a client that may introspect tokens",
            );
        }
    }

    fn check_limits(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |option, message: &str, hint: &str| {
            problems.push(Problem::new(option, message, hint));
        };
        if self.leeway > MAX_LEEWAY {
            wrong(
                "leeway",
                "more than 5 minutes of leeway are asked for",
                "repair the clocks instead",
            );
        }
        let limits = &self.limits;
        if limits.fetch_deadline.is_zero() {
            wrong("fetch-deadline", "no time is left for any answer", "use a few seconds");
        }
        if limits.keys_refresh.is_zero() || limits.keys_stale < limits.keys_refresh {
            wrong(
                "keys-stale",
                "keys would be too old before they are refreshed",
                "make it longer than keys-refresh",
            );
        }
        if limits.introspection_cache > Duration::from_secs(60) {
            wrong(
                "introspection-cache",
                "a withdrawn token would live for more than a minute",
                "use at most 60s",
            );
        }
    }
}

#[cfg(test)]
mod tests;
