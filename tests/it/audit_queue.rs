//! An audit log that nobody takes in: what cannot be recorded does not happen (invariant 4 of the crate's documentation).

use std::io::Read as _;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::support::*;

/// Calls at a time.
const AT_ONCE: usize = 64;
/// More calls than any queue and pipe may hold.
const FAR_TOO_MANY: usize = 20_000;

#[tokio::test]
async fn a_full_audit_queue_refuses_calls_until_it_is_read_again() {
    let dir = Scratch::new();
    let pipe = dir.join("audit");
    nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    // A reader that does not read; to open it for both does not wait for a writer.
    let mut reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let served = Mcpwrap::dev().flags(["--audit", pipe.to_str().unwrap()]).start().await;
    let modern = Modern::new(&served);
    let session = Session::new(&served).await;
    let (mut answered, mut refused) = (0, Vec::new());
    while refused.is_empty() {
        let calls = (0..AT_ONCE).map(|number| modern.begin(json!(number), "echo", json!({})));
        for reply in futures_util::future::join_all(calls).await {
            match reply.status {
                200 => answered += 1,
                503 => refused.push(reply),
                other => panic!("{other}"),
            }
        }
        assert!(answered < FAR_TOO_MANY, "it never says that it cannot keep up");
    }
    for reply in refused {
        assert_eq!(reply.header("retry-after"), Some("1"));
        let answer = reply.json().await;
        assert_eq!(error(&answer), (-32603, "the audit log cannot keep up"));
    }
    // In a session as well; what needs no record goes on.
    let answer = session.call("echo", json!({})).await;
    assert_eq!(error(&answer), (-32603, "the audit log cannot keep up"));
    assert_eq!(session.get("ping", json!({})).await["result"], json!({}));
    std::thread::spawn(move || {
        let mut room = vec![0; 1 << 16];
        while reader.read(&mut room).is_ok() {}
    });
    soon("room in the audit queue", async {
        while modern.begin(json!(1), "never-there", json!({})).await.status != 200 {}
    })
    .await;
    // Of what was refused nothing reached the child.
    let seen = modern.call("journal", json!({ "until": "\"name\":\"echo\"" })).await;
    assert_eq!(structured(&seen)["lines"].as_array().unwrap().len(), answered);
}

/// Nor does such a log keep the process from its end.
#[tokio::test]
async fn an_audit_log_that_nobody_reads_does_not_hold_up_the_end() {
    let dir = Scratch::new();
    let pipe = dir.join("audit");
    nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let _reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut served = Mcpwrap::dev().flags(["--audit", pipe.to_str().unwrap()]).start().await;
    let modern = Modern::new(&served);
    // More than the pipe holds.
    let mut statuses = Vec::new();
    while !statuses.contains(&503) {
        let calls = (0..AT_ONCE).map(|number| modern.begin(json!(number), "echo", json!({})));
        statuses.extend(futures_util::future::join_all(calls).await.iter().map(|one| one.status));
        assert!(statuses.len() < FAR_TOO_MANY, "it never says that it cannot keep up");
    }
    served.signal(Signal::SIGTERM);
    eventually("no more connections", || std::net::TcpStream::connect(served.at).is_err()).await;
    served.signal(Signal::SIGTERM);
    served.ended().await;
}
