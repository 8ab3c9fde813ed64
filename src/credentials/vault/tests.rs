//! Against a stand-in on loopback that answers what it is told and writes down what it was asked.

use std::collections::VecDeque;
use std::sync::Mutex as StdMutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::outbound::Authorities;

const MOUNT_V2: &str = r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#;
const MOUNT_V1: &str = r#"{"data":{"path":"secret/","type":"kv","options":null}}"#;
const SECRET_V2: &str =
    r#"{"data":{"data":{"token":"s3cret","other":"x","n":1,"empty":""},"metadata":{}}}"#;
const SECRET_V1: &str = r#"{"data":{"token":"s3cret-1"}}"#;
const SELF: &str = r#"{"data":{"ttl":0,"renewable":false}}"#;

/// What the stand-in was asked: request line and headers, in lower case, and the body.
type Asked = Arc<StdMutex<Vec<String>>>;

struct StandIn {
    address: String,
    asked: Asked,
}

enum Answer {
    Says(u16, String),
    Redirects,
    Hangs,
    /// Chunk after chunk of what could become JSON, without an end; after a few megabytes there is silence instead.
    Endless,
}

fn says(status: u16, body: &str) -> Answer {
    Answer::Says(status, body.to_owned())
}

impl StandIn {
    /// Gives one answer after the other; then it answers 500.
    async fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Asked::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut answers = VecDeque::from(answers);
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                log.lock().unwrap().push(request);
                match answers.pop_front().unwrap_or_else(|| says(500, "{}")) {
                    Answer::Says(status, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                            body.len()
                        );
                        let _ = stream.write_all(head.as_bytes()).await;
                        let _ = stream.write_all(body.as_bytes()).await;
                    }
                    Answer::Redirects => {
                        let head = "HTTP/1.1 307 X\r\nlocation: /v1/elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        let _ = stream.write_all(head.as_bytes()).await;
                    }
                    Answer::Endless => {
                        let chunk = format!("1000\r\n{}\r\n", "[".repeat(0x1000));
                        let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
                        let mut written = stream.write_all(head.as_bytes()).await;
                        for _ in 0..1024 {
                            if written.is_ok() {
                                written = stream.write_all(chunk.as_bytes()).await;
                            }
                        }
                        // Until the other side goes.
                        let _ = stream.read_u8().await;
                    }
                    Answer::Hangs => std::future::pending::<()>().await,
                }
            }
        });
        Self { address, asked }
    }

    fn vault(&self, more: &[(&str, &str)]) -> Vault {
        let mut variables = vec![("VAULT_ADDR", self.address.as_str())];
        variables.extend_from_slice(more);
        if more.iter().all(|(name, _)| !name.contains("_ID")) {
            variables.push(("VAULT_TOKEN", "t0"));
        }
        let http = Client::new(Authorities::system()).unwrap();
        Vault::new(settings(&variables).unwrap(), &http).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
    }

    fn request(&self, at: usize) -> String {
        self.asked.lock().unwrap()[at].clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                let (line, rest) = text.split_once("\r\n").unwrap();
                return format!("{line}\r\n{}", rest.to_lowercase());
            }
        }
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0);
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn settings(variables: &[(&str, &str)]) -> Result<VaultSettings, SettingsError> {
    VaultSettings::from_env(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

async fn token_of(vault: &Vault) -> Result<String, Error> {
    let fetched = vault.read("secret/mcp/alice", "token").await?;
    Ok(fetched.value.expose_secret().to_owned())
}

#[tokio::test]
async fn version_2_is_read_at_its_data_path() {
    let vault =
        StandIn::new(vec![says(200, SELF), says(200, MOUNT_V2), says(200, SECRET_V2)]).await;
    let client = vault.vault(&[("VAULT_NAMESPACE", "team/a")]);
    assert_eq!(token_of(&client).await.unwrap(), "s3cret");
    assert_eq!(
        vault.lines(),
        [
            "GET /v1/auth/token/lookup-self HTTP/1.1",
            "GET /v1/sys/internal/ui/mounts/secret/mcp/alice HTTP/1.1",
            "GET /v1/secret/data/mcp/alice HTTP/1.1",
        ]
    );
    for at in 0..3 {
        let request = vault.request(at);
        assert!(request.contains("x-vault-token: t0\r\n"));
        assert!(request.contains("x-vault-namespace: team/a\r\n"));
        assert!(request.contains("x-vault-request: true\r\n"));
    }
}

#[tokio::test]
async fn version_1_is_read_at_its_own_path() {
    let vault =
        StandIn::new(vec![says(200, SELF), says(200, MOUNT_V1), says(200, SECRET_V1)]).await;
    assert_eq!(token_of(&vault.vault(&[])).await.unwrap(), "s3cret-1");
    assert_eq!(vault.lines()[2], "GET /v1/secret/mcp/alice HTTP/1.1");
}

#[tokio::test]
async fn without_the_look_up_both_versions_are_tried() {
    let vault =
        StandIn::new(vec![says(403, "{}"), says(403, "{}"), says(404, "{}"), says(200, SECRET_V1)])
            .await;
    assert_eq!(token_of(&vault.vault(&[])).await.unwrap(), "s3cret-1");
    assert_eq!(vault.lines()[2], "GET /v1/secret/data/mcp/alice HTTP/1.1");
    assert_eq!(vault.lines()[3], "GET /v1/secret/mcp/alice HTTP/1.1");
}

#[tokio::test]
async fn an_encoded_claim_reaches_the_vault_encoded() {
    let vault =
        StandIn::new(vec![says(200, SELF), says(200, MOUNT_V2), says(200, SECRET_V2)]).await;
    vault.vault(&[]).read("secret/mcp/auth0%7Ca%40b", "token").await.unwrap();
    assert_eq!(vault.lines()[2], "GET /v1/secret/data/mcp/auth0%7Ca%40b HTTP/1.1");
}

#[tokio::test]
async fn a_path_that_a_url_would_fold_is_not_sent() {
    let vault = StandIn::new(vec![says(200, SELF)]).await;
    let client = vault.vault(&[]);
    for path in [
        "secret/../sys/x",
        "secret/%2e%2e/x",
        "secret/./x",
        "secret/a?b",
        "secret/a#b",
        "secret/a\\b",
    ] {
        assert!(matches!(client.read(path, "f").await, Err(Error::Malformed { .. })), "{path}");
    }
    assert_eq!(vault.lines().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_told_apart_from_what_fails() {
    for (answer, field, want) in [
        (says(404, "{}"), "token", "the vault has nothing at secret/a"),
        (says(200, SECRET_V2), "absent", "the secret at secret/a has no text in the field absent"),
        (says(200, SECRET_V2), "n", "the secret at secret/a has no text in the field n"),
        (says(200, SECRET_V2), "empty", "the secret at secret/a has no text in the field empty"),
        (
            says(200, r#"{"data":{"data":null}}"#),
            "token",
            "the secret at secret/a has no text in the field token",
        ),
        (
            says(503, "{}"),
            "token",
            "the vault answered secret/a with status 503 Service Unavailable",
        ),
        (says(200, "<html>"), "token", "the vault's answer for secret/a cannot be understood"),
        (says(200, "[]"), "token", "the vault's answer for secret/a cannot be understood"),
        (
            Answer::Redirects,
            "token",
            "the vault answered secret/a with status 307 Temporary Redirect",
        ),
        (says(200, &"x".repeat(10 * 1024 * 1024)), "token", "ask the vault"),
    ] {
        let vault = StandIn::new(vec![says(200, SELF), says(200, MOUNT_V2), answer]).await;
        let error = vault.vault(&[]).read("secret/a", field).await.unwrap_err();
        assert_eq!(error.to_string(), want);
        assert_eq!(vault.lines().len(), 3, "nothing is followed or tried again");
    }
}

#[tokio::test]
async fn a_look_up_that_names_another_mount_is_a_lie() {
    for mount in ["other/", "secret/mcp/bob/", "", "/", "secret", "sec"] {
        let body = MOUNT_V2.replace("secret/", mount);
        let vault =
            StandIn::new(vec![says(200, SELF), says(200, &body), says(200, SECRET_V2)]).await;
        let error = token_of(&vault.vault(&[])).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{mount}");
        assert_eq!(vault.lines().len(), 2);
    }
}

#[tokio::test]
async fn a_vault_that_is_down_or_slow_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let down = StandIn { address, asked: Asked::default() };
    assert!(matches!(token_of(&down.vault(&[])).await, Err(Error::Outbound { .. })));
    let slow = StandIn::new(vec![Answer::Hangs]).await;
    let quick =
        Client::with_limits(Authorities::system(), Duration::from_millis(50), 1024).unwrap();
    let login = settings(&[("VAULT_ADDR", &slow.address), ("VAULT_TOKEN", "t")]).unwrap();
    let client = Vault::with_client(login, quick);
    assert!(matches!(token_of(&client).await, Err(Error::Outbound { .. })));
}

/// No length is announced and no deadline comes in time: only the client's bound ends it.
#[tokio::test]
async fn an_answer_without_end_is_given_up_at_the_bound() {
    let answers = [
        vec![Answer::Endless],
        vec![says(200, SELF), Answer::Endless],
        vec![says(200, SELF), says(200, MOUNT_V2), Answer::Endless],
    ];
    for (at, answers) in answers.into_iter().enumerate() {
        let vault = StandIn::new(answers).await;
        let patient = Duration::from_secs(3600);
        let http = Client::with_limits(Authorities::system(), patient, 64 * 1024).unwrap();
        let login = settings(&[("VAULT_ADDR", &vault.address), ("VAULT_TOKEN", "t")]).unwrap();
        let asked = token_of(&Vault::with_client(login, http)).await;
        let too_large = |asked: &Result<String, Error>| {
            matches!(asked, Err(Error::Outbound { cause: outbound::Error::TooLarge { .. } }))
        };
        assert!(too_large(&asked), "{at}: {asked:?}");
    }
}

fn login(token: &str, ttl: u64) -> Answer {
    let body = format!(
        r#"{{"auth":{{"client_token":"{token}","lease_duration":{ttl},"renewable":true}}}}"#
    );
    Answer::Says(200, body)
}

const ROLE: [(&str, &str); 2] = [("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID", "s")];

#[tokio::test]
async fn a_role_logs_in_once_and_again_after_a_refusal() {
    let vault = StandIn::new(vec![
        login("t1", 0),
        says(200, MOUNT_V2),
        says(200, SECRET_V2),
        says(200, MOUNT_V2),
        says(403, "{}"),
        login("t2", 0),
        says(200, MOUNT_V2),
        says(200, SECRET_V2),
        says(200, MOUNT_V2),
        says(403, "{}"),
        says(200, MOUNT_V2),
        says(403, "{}"),
    ])
    .await;
    let client = vault.vault(&ROLE);
    token_of(&client).await.unwrap();
    // As if the login were long ago: at once after a login a refusal is no reason for another.
    client.inner.token.lock().await.as_mut().unwrap().since -= PAUSE;
    token_of(&client).await.unwrap();
    assert!(vault.request(0).starts_with("POST /v1/auth/approle/login "));
    let body = vault.request(0);
    assert!(body.contains(r#""role_id":"r""#) && body.contains(r#""secret_id":"s""#));
    assert!(vault.request(4).contains("x-vault-token: t1"));
    assert!(vault.request(7).contains("x-vault-token: t2"));
    assert!(matches!(token_of(&client).await, Err(Error::Forbidden { .. })));
    let logins = vault.lines().iter().filter(|line| line.contains("login")).count();
    assert_eq!(logins, 2);
}

#[tokio::test]
async fn a_refused_login_is_an_error() {
    let vault = StandIn::new(vec![says(400, r#"{"errors":["invalid role"]}"#)]).await;
    assert!(matches!(token_of(&vault.vault(&ROLE)).await, Err(Error::Login { .. })));
}

#[tokio::test]
async fn a_short_token_that_has_ended_is_not_used() {
    let vault = StandIn::new(vec![login("t1", 5), login("t2", 5)]).await;
    let client = vault.vault(&ROLE);
    client.inner.token().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    assert_eq!(client.inner.token().await.unwrap().expose_secret(), "t2");
}

#[tokio::test]
async fn a_token_is_renewed_at_two_thirds_of_its_life() {
    let vault =
        StandIn::new(vec![login("t1", 900), login("t2", 900), says(403, "{}"), login("t3", 900)])
            .await;
    let client = vault.vault(&ROLE);
    client.inner.token().await.unwrap();
    let token = client.inner.token.lock().await.clone().unwrap();
    assert_eq!(token.renew_at.unwrap() - token.since, Duration::from_secs(600));
    client.inner.renew().await.unwrap();
    assert!(vault.lines()[1].starts_with("POST /v1/auth/token/renew-self "));
    assert!(vault.request(1).contains("x-vault-token: t1"));
    // A token at the end of its longest life cannot be renewed: then the role logs in again.
    client.inner.renew().await.unwrap();
    assert!(vault.lines()[3].starts_with("POST /v1/auth/approle/login "));
    assert_eq!(client.inner.token().await.unwrap().expose_secret(), "t3");
}

#[test]
fn variables_become_settings_or_an_error() {
    let address = ("VAULT_ADDR", "https://vault.example:8200");
    for (variables, want) in [
        (vec![], "VAULT_ADDR is not set"),
        (vec![("VAULT_ADDR", "vault:8200")], "VAULT_ADDR is not an https url"),
        (vec![("VAULT_ADDR", "http://vault.example")], "VAULT_ADDR is not an https url"),
        (vec![("VAULT_ADDR", "https://u:p@vault.example")], "VAULT_ADDR is not an https url"),
        (
            vec![address, ("VAULT_ROLE_ID", "r")],
            "VAULT_ROLE_ID and VAULT_SECRET_ID (or their _FILE) belong together",
        ),
        (
            vec![address, ("VAULT_ROLE_ID", "r"), ("VAULT_TOKEN", "t")],
            "VAULT_TOKEN and VAULT_ROLE_ID are both set",
        ),
        (
            vec![address, ("VAULT_TOKEN", "t"), ("VAULT_NAMESPACE", "a\r\nb")],
            "VAULT_NAMESPACE is not a namespace",
        ),
        (
            vec![address, ("VAULT_TOKEN", ""), ("HOME", "/nonexistent")],
            "no VAULT_TOKEN, no ~/.vault-token, and no VAULT_ROLE_ID with VAULT_SECRET_ID",
        ),
        (
            vec![address, ("VAULT_TOKEN", "t"), ("VAULT_CACERT", "/nonexistent")],
            "read VAULT_CACERT",
        ),
    ] {
        assert_eq!(settings(&variables).unwrap_err().to_string(), want);
    }
    let good = settings(&[address, ("VAULT_TOKEN", "very-secret")]).unwrap();
    assert!(!format!("{good:?}").contains("very-secret"));
}
