//! The floor: a plain axum handler that answers the same bytes with no child behind it.

use std::io::{self, BufRead as _};

use axum::Router;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// Reads the answer from stdin, serves it on a free port and prints the address.
#[allow(clippy::print_stdout, reason = "the address is what this role has to say")]
pub(crate) fn serve() -> io::Result<()> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let answer = Bytes::from(answer.trim_end().to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let handler = move |_: Bytes| {
            let mut response = Response::new(axum::body::Body::from(answer.clone()));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            async move { response }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/mcp", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/mcp", post(handler))).await
    })
}
