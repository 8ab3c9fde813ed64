//! The one HTTP client for everything mcpwrap fetches: bounded in size and time, and it follows no redirects.
//!
//! URLs come from configuration alone, never from a token or a client. Plain `http` is accepted for
//! loopback only. Certificate authorities are loaded when the first `https` is needed, so that a machine without any
//! can do what needs none. It knows nothing of what the bodies mean.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::Certificate;
use url::{Host, Url};

/// No document that we fetch is larger: key sets, metadata, secrets.
pub const MAX_BODY: usize = 1024 * 1024;
/// From the first byte sent to the last byte received.
pub const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// A bounded client; a clone shares the connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// For plain http; it trusts nobody, and so does not need to know the authorities.
    plain: reqwest::Client,
    /// Made when first needed.
    secure: OnceLock<reqwest::Client>,
    authorities: Authorities,
    deadline: Duration,
    max_body: usize,
}

/// Whose word counts on who answers over https.
#[derive(Clone, Debug)]
pub struct Authorities {
    given: Vec<Certificate>,
    beside: Beside,
}

/// Whose word counts beside that of the authorities that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// That of the system's authorities.
    System,
    /// Nobody's.
    Nobody,
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
    /// The client or a request could not be set up.
    #[error("set up the outbound http client")]
    Setup {
        /// What the library said.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// There are no certificate authorities to check an https server by.
    #[error("load certificate authorities for https")]
    Authorities {
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

// === impl Authorities ===

impl Authorities {
    /// The system's.
    #[must_use]
    pub fn system() -> Self {
        Self { given: Vec::new(), beside: Beside::System }
    }

    /// Those of a PEM file.
    ///
    /// # Errors
    /// [`Error::Authorities`] when there is none in it, or one that cannot be read.
    pub fn of(pem: &[u8], beside: Beside) -> Result<Self, Error> {
        let given = Certificate::from_pem_bundle(pem)
            .map_err(|cause| Error::Authorities { cause: cause.into() })?;
        if given.is_empty() {
            return Err(Error::Authorities { cause: "the file holds no certificate".into() });
        }
        Ok(Self { given, beside })
    }
}

// === impl Client ===

impl Client {
    /// Sets the client up with [`DEADLINE`] and [`MAX_BODY`].
    ///
    /// # Errors
    /// [`Error::Setup`] when the TLS backend cannot be initialised.
    pub fn new(authorities: Authorities) -> Result<Self, Error> {
        Self::with_limits(authorities, DEADLINE, MAX_BODY)
    }

    /// Sets the client up with other bounds.
    ///
    /// # Errors
    /// [`Error::Setup`] when the TLS backend cannot be initialised.
    pub fn with_limits(
        authorities: Authorities,
        deadline: Duration,
        max_body: usize,
    ) -> Result<Self, Error> {
        let nobody = Authorities { given: Vec::new(), beside: Beside::Nobody };
        let plain =
            build(&nobody, deadline).map_err(|cause| Error::Setup { cause: cause.into() })?;
        let secure = OnceLock::new();
        Ok(Self(Arc::new(Inner { plain, secure, authorities, deadline, max_body })))
    }

    /// Loads what a URL needs, so that its lack is known before anybody waits.
    ///
    /// # Errors
    /// [`Error::Authorities`].
    pub fn prepare(&self, url: &Url) -> Result<(), Error> {
        self.of(url).map(drop)
    }

    /// A GET request to be completed and given to [`send`](Self::send).
    pub fn get(&self, url: Url) -> reqwest::RequestBuilder {
        self.0.plain.get(url)
    }

    /// A POST request to be completed and given to [`send`](Self::send).
    pub fn post(&self, url: Url) -> reqwest::RequestBuilder {
        self.0.plain.post(url)
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Errors
    /// Every [`Error`] but `Setup`. A status of 4xx or 5xx is a [`Reply`], not an error.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Error> {
        let request = request.build().map_err(|cause| Error::Setup { cause: cause.into() })?;
        let url = shown(request.url());
        check(request.url())?;
        let client = self.of(request.url())?;
        let limit = self.0.max_body;
        let unreachable = |cause: reqwest::Error| Error::Unreachable {
            url: url.clone(),
            cause: cause.without_url().into(),
        };
        let mut answer = client.execute(request).await.map_err(unreachable)?;
        let too_large = || Error::TooLarge { url: url.clone(), limit };
        if answer.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > limit {
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

    /// The client for URLs like this. A lack of authorities is not remembered: they can be installed meanwhile.
    fn of(&self, url: &Url) -> Result<&reqwest::Client, Error> {
        let Inner { plain, secure, authorities, deadline, .. } = &*self.0;
        if url.scheme() != "https" {
            return Ok(plain);
        }
        if let Some(secure) = secure.get() {
            return Ok(secure);
        }
        let made = build(authorities, *deadline)
            .map_err(|cause| Error::Authorities { cause: cause.into() })?;
        Ok(secure.get_or_init(|| made))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("max_body", &self.0.max_body).finish_non_exhaustive()
    }
}

fn build(authorities: &Authorities, deadline: Duration) -> reqwest::Result<reqwest::Client> {
    let given = authorities.given.iter().cloned();
    let builder = match authorities.beside {
        Beside::System => reqwest::Client::builder().tls_certs_merge(given),
        Beside::Nobody => reqwest::Client::builder().tls_certs_only(given),
    };
    builder
        .redirect(reqwest::redirect::Policy::none())
        .timeout(deadline)
        .connect_timeout(CONNECT_DEADLINE)
        .no_proxy()
        .user_agent(concat!("mcpwrap/", env!("CARGO_PKG_VERSION")))
        .build()
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
mod tests;
