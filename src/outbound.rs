//! The one HTTP client for everything mcpwrap fetches: bounded in size and time, and it follows no redirects.
//!
//! URLs come from configuration alone, never from a token or a client. Plain `http` is accepted for
//! loopback only. It knows nothing of what the bodies mean.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use url::{Host, Url};

/// No document that we fetch is larger: key sets, metadata, secrets.
pub const MAX_BODY: usize = 1024 * 1024;
/// From the first byte sent to the last byte received.
pub const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// A bounded client; a clone shares the connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    max_body: usize,
}

/// A whole answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// The status, of any class; a redirect is not followed.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// At most [`MAX_BODY`] bytes.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TLS roots or the client could not be set up.
    #[error("set up the outbound http client")]
    Setup {
        /// What the library said.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// Neither https nor http on loopback.
    #[error("url {url} must be https, or http on loopback")]
    Insecure {
        /// The URL without credentials or query.
        url: String,
    },
    /// The body is larger than allowed.
    #[error("{url} answered more than {limit} bytes")]
    TooLarge {
        /// The URL without credentials or query.
        url: String,
        /// The bound, in bytes.
        limit: usize,
    },
    /// No answer: DNS, TCP, TLS or a deadline.
    #[error("no answer from {url}")]
    Unreachable {
        /// The URL without credentials or query.
        url: String,
        /// What the library said.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
}

// === impl Client ===

impl Client {
    /// Sets the client up with [`DEADLINE`] and [`MAX_BODY`].
    ///
    /// # Errors
    /// [`Error::Setup`] when the TLS backend cannot be initialised.
    pub fn new() -> Result<Self, Error> {
        Self::with_limits(DEADLINE, MAX_BODY)
    }

    /// Sets the client up with other bounds.
    ///
    /// # Errors
    /// [`Error::Setup`] when the TLS backend cannot be initialised.
    pub fn with_limits(deadline: Duration, max_body: usize) -> Result<Self, Error> {
        Self::build(reqwest::Client::builder(), deadline, max_body)
    }

    /// Sets the client up to trust these PEM certificates and no others.
    ///
    /// # Errors
    /// [`Error::Setup`] when they cannot be read or the TLS backend cannot be initialised.
    pub fn trusting(pem: &[u8]) -> Result<Self, Error> {
        let roots = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|cause| Error::Setup { cause: cause.into() })?;
        if roots.is_empty() {
            return Err(Error::Setup { cause: "the file holds no certificate".into() });
        }
        let builder = reqwest::Client::builder().tls_certs_only(roots);
        Self::build(builder, DEADLINE, MAX_BODY)
    }

    fn build(
        builder: reqwest::ClientBuilder,
        deadline: Duration,
        max_body: usize,
    ) -> Result<Self, Error> {
        let inner = builder
            .redirect(reqwest::redirect::Policy::none())
            .timeout(deadline)
            .connect_timeout(CONNECT_DEADLINE)
            .no_proxy()
            .user_agent(concat!("mcpwrap/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| Error::Setup { cause: cause.into() })?;
        Ok(Self { inner, max_body })
    }

    /// A GET request to be completed and given to [`send`](Self::send).
    pub fn get(&self, url: Url) -> reqwest::RequestBuilder {
        self.inner.get(url)
    }

    /// A POST request to be completed and given to [`send`](Self::send).
    pub fn post(&self, url: Url) -> reqwest::RequestBuilder {
        self.inner.post(url)
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    /// Every [`Error`] but `Setup`. A status of 4xx or 5xx is a [`Reply`], not an error.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Error> {
        let request = request.build().map_err(|cause| Error::Setup { cause: cause.into() })?;
        let url = shown(request.url());
        check(request.url())?;
        let unreachable = |cause: reqwest::Error| Error::Unreachable {
            url: url.clone(),
            cause: cause.without_url().into(),
        };
        let mut answer = self.inner.execute(request).await.map_err(unreachable)?;
        let too_large = || Error::TooLarge { url: url.clone(), limit: self.max_body };
        if answer.content_length().is_some_and(|length| length > self.max_body as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > self.max_body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
            body: body.freeze(),
        })
    }
}

/// Accepts https anywhere and plain http on loopback.
///
/// # Errors
/// [`Error::Insecure`] for anything else.
pub fn check(url: &Url) -> Result<(), Error> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(Error::Insecure { url: shown(url) }),
    }
}

/// The URL as it may stand in a message: no user, no password, no query, no fragment.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (url, allowed) in [
            ("https://idp.example/realms/a", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("http://localhost:9/", true),
            ("http://idp.example/", false),
            ("http://10.0.0.1/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("file:///etc/passwd", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(check(&url).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn a_shown_url_hides_what_may_be_secret() {
        let url = Url::parse("https://u:p@idp.example/a?token=s#f").unwrap();
        assert_eq!(shown(&url), "https://idp.example/a");
    }
}
