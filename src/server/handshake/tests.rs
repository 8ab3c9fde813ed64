//! The handshake with servers of either era, and with what is none.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

/// A server that is a list of (part of a line it waits for, lines it then writes).
async fn meet(
    script: &'static [(&'static str, &'static str)],
    choice: EraChoice,
) -> Result<Verdict, Failed> {
    let (ours, theirs) = tokio::io::duplex(4096);
    let server = tokio::spawn(async move {
        let (reader, mut writer) = tokio::io::split(theirs);
        let mut lines = BufReader::new(reader).lines();
        for (wanted, answer) in script {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(wanted) {
                    break;
                }
            }
            writer.write_all(answer.as_bytes()).await.unwrap();
        }
        // Stay until the client has heard enough.
        while let Ok(Some(_)) = lines.next_line().await {}
    });
    let (reader, mut writer) = tokio::io::split(ours);
    let mut lines = Lines::new(reader, 4096);
    let profile = Profile::plain();
    let limit = Duration::from_secs(60);
    let met = handshake(&mut lines, &mut writer, choice, &profile, limit).await;
    server.abort();
    met
}

const INITIALIZED: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","#,
    r#""capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}}"#,
    "\n"
);
const DISCOVERED: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"result":{"resultType":"complete","#,
    r#""supportedVersions":["2026-07-28"],"capabilities":{}}}"#,
    "\n"
);

#[tokio::test]
async fn a_server_that_discovers_is_modern() {
    let met = meet(&[("server/discover", DISCOVERED)], EraChoice::Probe).await.unwrap();
    assert_eq!(met.hello.era(), Era::Modern);
}

#[tokio::test]
async fn any_other_answer_means_legacy() {
    for refusal in [
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32601,\"message\":\"no\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":7,\"message\":\"no\"}}\n",
        "banner\n{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n",
    ] {
        let script: &'static _ =
            Box::leak(Box::new([("server/discover", refusal), ("initialize", INITIALIZED)]));
        let met = meet(script, EraChoice::Probe).await.unwrap();
        assert_eq!(met.hello.version, ProtocolVersion::V2025_06_18);
        assert_eq!(met.hello.title().unwrap().0, "old");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_answered_with_initialize_behind_the_probe() {
    let met = meet(&[("\"initialize\"", INITIALIZED)], EraChoice::Probe).await.unwrap();
    assert_eq!(met.hello.era(), Era::Legacy);
    // A modern server that was merely slow still wins with its discover answer.
    let met = meet(&[("\"initialize\"", DISCOVERED)], EraChoice::Probe).await.unwrap();
    assert_eq!(met.hello.era(), Era::Modern);
}

const UNKNOWN: &str =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}\n";

const NEITHER: &str = "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":7,\"message\":\"no\"}}\n";

#[tokio::test(start_paused = true)]
async fn a_legacy_client_has_a_server_of_both_eras_greeted_in_his() {
    let met = meet(&[("\"initialize\"", INITIALIZED)], EraChoice::LegacyFirst).await.unwrap();
    assert_eq!(met.hello.era(), Era::Legacy);
    for refusal in [UNKNOWN, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", ""] {
        let script: &'static _ =
            Box::leak(Box::new([("\"initialize\"", refusal), ("server/discover", DISCOVERED)]));
        let met = meet(script, EraChoice::LegacyFirst).await.unwrap();
        assert_eq!(met.hello.era(), Era::Modern, "{refusal}");
    }
    let script = &[("\"initialize\"", UNKNOWN), ("server/discover", NEITHER)];
    let met = meet(script, EraChoice::LegacyFirst).await;
    assert!(matches!(met, Err(Failed::Refused { code: 7, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let met = meet(&[("never", "")], EraChoice::Probe).await;
    assert!(matches!(met, Err(Failed::Silent { seconds: 60 })));
}

#[tokio::test]
async fn versions_that_do_not_meet_are_both_named() {
    let newer = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"v","data":{"supported":["2031-01-01"]}}}"#;
    let line: &'static str = Box::leak(format!("{newer}\n").into_boxed_str());
    let script: &'static _ = Box::leak(Box::new([("server/discover", line)]));
    let met = meet(script, EraChoice::Probe).await.unwrap_err();
    assert!(met.to_string().contains("2031-01-01") && met.to_string().contains("2026-07-28"));
}
