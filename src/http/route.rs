//! What the MCP listener serves at which path.

use bytes::Bytes;
use http::Method;

/// The paths of the MCP listener.
#[derive(Debug)]
pub struct Routes {
    /// Where MCP is served, e.g. `/mcp`.
    pub mcp: String,
    /// Where clients of HTTP+SSE look for it by custom, where they are served.
    pub sse: Option<String>,
    /// The RFC 9728 document, where there is authentication.
    pub metadata: Option<Metadata>,
    /// Where the metadata of the authorization server are looked for by clients of 2025-03-26.
    pub server_metadata: Vec<String>,
}

/// The document that tells clients where to get a token (RFC 9728).
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where it is served.
    pub paths: Vec<String>,
    /// It.
    pub document: Bytes,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route<'a> {
    /// MCP, with whatever method.
    Mcp,
    /// The document that tells clients where to get a token.
    ProtectedResourceMetadata(&'a Metadata),
    /// The authorization server's own document (RFC 8414).
    AuthorizationServerMetadata,
}

// === impl Routes ===

impl Routes {
    /// What is served at this path with this method, if anything is.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Route<'_>> {
        if path == self.mcp || self.sse.as_deref() == Some(path) {
            return Some(Route::Mcp);
        }
        if method == Method::GET && self.server_metadata.iter().any(|own| own == path) {
            return Some(Route::AuthorizationServerMetadata);
        }
        let metadata = self.metadata.as_ref()?;
        let asked = method == Method::GET && metadata.paths.iter().any(|own| own == path);
        asked.then_some(Route::ProtectedResourceMetadata(metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_served_as_it_is_written() {
        let metadata =
            Metadata { paths: vec!["/.well-known/x".to_owned()], document: Bytes::new() };
        let (mcp, sse) = ("/mcp".to_owned(), Some("/sse".to_owned()));
        let guarded = Routes {
            mcp: mcp.clone(),
            sse: None,
            metadata: Some(metadata),
            server_metadata: vec!["/.well-known/y".to_owned()],
        };
        let open = Routes { mcp, sse, metadata: None, server_metadata: Vec::new() };
        let shown = |routes: &Routes, method, path| match routes.find(&method, path) {
            None => "nothing",
            Some(Route::Mcp) => "mcp",
            Some(Route::ProtectedResourceMetadata(_)) => "metadata",
            Some(Route::AuthorizationServerMetadata) => "server",
        };
        for (method, path, with, without) in [
            (Method::POST, "/mcp", "mcp", "mcp"),
            (Method::PUT, "/mcp", "mcp", "mcp"),
            (Method::POST, "/mcp/", "nothing", "nothing"),
            (Method::POST, "/", "nothing", "nothing"),
            (Method::GET, "/sse", "nothing", "mcp"),
            (Method::GET, "/sse/", "nothing", "nothing"),
            (Method::GET, "/.well-known/x", "metadata", "nothing"),
            (Method::POST, "/.well-known/x", "nothing", "nothing"),
            (Method::GET, "/.well-known/y", "server", "nothing"),
            (Method::GET, "/.well-known/y/", "nothing", "nothing"),
            (Method::POST, "/.well-known/y", "nothing", "nothing"),
        ] {
            assert_eq!(shown(&guarded, method.clone(), path), with, "{method} {path}");
            assert_eq!(shown(&open, method.clone(), path), without, "{method} {path}");
        }
    }
}
