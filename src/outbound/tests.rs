//! What the client takes and what it gives up, against stand-ins on loopback.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// What a stand-in says after the head of its answer.
#[derive(Clone, Copy)]
enum Body {
    /// This, and that was it.
    Whole(&'static str),
    /// Chunks of what could become JSON, as fast as they are taken and without an end. After a few megabytes it is silent:
    /// a bound that does not hold must not cost the machine its memory.
    Endless,
    /// One chunk, and then silence on an open connection.
    Stalled,
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, body: Body) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    if let Body::Whole(text) = body {
        let length = text.len();
        let whole = format!(
            "HTTP/1.1 200 X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
        );
        let _ = stream.write_all(whole.as_bytes()).await;
        let _ = stream.shutdown().await;
        return;
    }
    let chunk = format!("400\r\n{}\r\n", "[".repeat(0x400));
    let head = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    let mut written = stream.write_all(head.as_bytes()).await;
    let mut more = match body {
        Body::Endless => 4096,
        _ => 0,
    };
    while written.is_ok() && more > 0 {
        more -= 1;
        written = stream.write_all(chunk.as_bytes()).await;
    }
    // Until the other side goes.
    let _ = stream.read_u8().await;
}

async fn listening(body: Body) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, body));
        }
    });
    Url::parse(&url).unwrap()
}

/// A server of `localhost` that a private authority vouches for, and that authority's certificate.
async fn listening_with_tls(body: Body) -> (Url, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &issuer).unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![own.der().clone()], secret).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream, body));
            }
        }
    });
    (Url::parse(&url).unwrap(), pem)
}

async fn fetch(client: &Client, url: &Url) -> Result<Reply, Error> {
    client.send(client.get(url.clone())).await
}

fn bounded(deadline: Duration, max_body: usize) -> Client {
    Client::with_limits(Authorities::system(), deadline, max_body).unwrap()
}

/// No length is announced and no byte is wrong: only the bound ends it.
#[tokio::test]
async fn an_answer_without_end_is_given_up_at_the_bound() {
    let url = listening(Body::Endless).await;
    let client = bounded(Duration::from_secs(10), 64 * 1024);
    let limit = 64 * 1024;
    let asked = fetch(&client, &url).await;
    assert!(matches!(asked, Err(Error::TooLarge { limit: l, .. }) if l == limit), "{asked:?}");
}

#[tokio::test]
async fn an_answer_that_stops_halfway_is_given_up_in_time() {
    let url = listening(Body::Stalled).await;
    let client = bounded(Duration::from_millis(200), 64 * 1024);
    let asked = fetch(&client, &url).await;
    assert!(matches!(asked, Err(Error::Unreachable { .. })), "{asked:?}");
}

#[tokio::test]
async fn an_answer_that_just_fits_is_read_whole() {
    let url = listening(Body::Whole("{\"a\":1}")).await;
    let reply = fetch(&bounded(DEADLINE, 7), &url).await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, &b"{\"a\":1}"[..]));
    let asked = fetch(&bounded(DEADLINE, 6), &url).await;
    assert!(matches!(asked, Err(Error::TooLarge { .. })), "{asked:?}");
}

#[tokio::test]
async fn a_private_authority_counts_where_it_is_named() {
    let (url, pem) = listening_with_tls(Body::Whole("{}")).await;
    for beside in [Beside::System, Beside::Nobody] {
        let named = Client::new(Authorities::of(pem.as_bytes(), beside).unwrap()).unwrap();
        assert_eq!(fetch(&named, &url).await.unwrap().status, StatusCode::OK, "{beside:?}");
    }
    let (other, _) = listening_with_tls(Body::Whole("{}")).await;
    let named = Client::new(Authorities::of(pem.as_bytes(), Beside::Nobody).unwrap()).unwrap();
    let asked = fetch(&named, &other).await;
    assert!(matches!(asked, Err(Error::Unreachable { .. })), "{asked:?}");
}

#[test]
fn a_file_without_certificates_is_no_authority() {
    for pem in
        [&b""[..], b"nonsense", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]
    {
        let refused = Authorities::of(pem, Beside::System);
        assert!(matches!(refused, Err(Error::Authorities { .. })), "{refused:?}");
    }
}

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
