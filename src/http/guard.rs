//! Which `Host` and `Origin` may speak to us: the defence against DNS rebinding (checklist 1.2–1.4).

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// The names under which we are reached, and the web pages that may reach us.
#[derive(Clone, Debug)]
pub struct Allowed {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// A text that is no origin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an origin such as https://app.example")]
pub struct NotAnOrigin {
    /// The text.
    pub text: String,
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Allowed {
    /// Loopback names, plus these hosts and origins.
    ///
    /// # Errors
    /// When an origin is none.
    pub fn new(hosts: &[String], origins: &[String]) -> Result<Self, NotAnOrigin> {
        let mut own: Vec<String> = LOOPBACK.map(str::to_owned).to_vec();
        own.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        for origin in origins {
            if host_of_origin(origin).is_none() {
                return Err(NotAnOrigin { text: origin.clone() });
            }
        }
        let origins =
            origins.iter().map(|o| o.trim_end_matches('/').to_ascii_lowercase()).collect();
        Ok(Self { hosts: own, origins })
    }

    /// Whether a request with these headers may be served.
    #[must_use]
    pub fn admits(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        self.admits_host(uri, headers) && self.admits_origin(headers)
    }

    fn admits_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(HOST).iter();
        let host = match (uri.authority(), named.next(), named.next()) {
            (Some(authority), _, _) => authority.as_str(),
            (None, Some(host), None) => host.to_str().unwrap_or(""),
            _ => return false,
        };
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|own| *own == host || *own == without_port(&host))
    }

    fn admits_origin(&self, headers: &HeaderMap) -> bool {
        headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin.to_str().unwrap_or("null").to_ascii_lowercase();
            let local = host_of_origin(&origin).is_some_and(|host| LOOPBACK.contains(&host));
            local || self.origins.contains(&origin)
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The host of `scheme://host[:port]`; `None` for anything else, `null` included.
fn host_of_origin(origin: &str) -> Option<&str> {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
    let host = without_port(rest.trim_end_matches('/'));
    (!host.is_empty() && !host.contains(['/', '@', '?', '#'])).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(host: &str, origin: Option<&str>) -> bool {
        let allowed =
            Allowed::new(&["mcp.acme.dev".into()], &["https://app.acme.dev".into()]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        allowed.admits(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn foreign_hosts_are_refused() {
        for host in ["localhost", "LOCALHOST:8808", "127.0.0.1:1", "[::1]:8808", "mcp.acme.dev"] {
            assert!(admits(host, None), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "", "[::1]x:1"]
        {
            assert!(!admits(host, None), "{host}");
        }
    }

    #[test]
    fn foreign_origins_are_refused() {
        for origin in ["http://localhost:5173", "http://127.0.0.1", "https://app.acme.dev"] {
            assert!(admits("localhost", Some(origin)), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil",
            "http://a@localhost",
            "file://",
        ] {
            assert!(!admits("localhost", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn what_is_configured_must_be_an_origin() {
        assert!(Allowed::new(&[], &["app.acme.dev".into()]).is_err());
    }
}
