//! A file of audit records that cannot be written, is moved away, or was left half-written; and what is on record when
//! mcpwrap is killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use crate::skipped::notice;
use crate::support::*;

const REFUSED: &str = "the audit log cannot be written; tell your operator";

async fn dev(log: &Path) -> Served {
    Mcpwrap::dev().flags(["--audit", log.to_str().unwrap()]).start().await
}

/// All records; each line has to be one, but for the last one, which may be half written.
fn records(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// What became of the log itself.
fn of_the_log(log: &Path, what: &str) -> Vec<Value> {
    let mut found = records(log);
    found.retain(|record| record["event"] == "audit" && record["what"] == what);
    found
}

async fn until_answered(modern: &Modern, tool: &str) {
    soon("an audit log that is written again", async {
        while modern.begin(json!(1), tool, json!({})).await.status != 200 {}
    })
    .await;
}

#[tokio::test]
async fn no_call_goes_on_while_the_audit_log_cannot_be_written_and_all_do_afterwards() {
    let dir = Scratch::new();
    let log = dir.join("audit.log");
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let served = dev(&log).await;
    let modern = Modern::new(&served);
    for number in 0..3 {
        let reply = modern.begin(json!(number), "early", json!({})).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
        assert_eq!(error(&reply.json().await), (-32603, REFUSED));
    }
    served.stderr.wait("the audit log cannot be written").await;
    // Room again: the same name, and another file.
    let fresh = dir.join("fresh");
    std::fs::write(&fresh, "").unwrap();
    std::fs::rename(&fresh, &log).unwrap();
    until_answered(&modern, "echo").await;
    served.stderr.wait("the audit log is written again").await;
    // Of what was refused nothing reached the child.
    let seen = modern.call("journal", json!({ "until": "\"name\":\"echo\"" })).await;
    assert!(!structured(&seen).to_string().contains("early"), "{seen}");
    let said = |text: &str| served.stderr.lines().iter().filter(|line| line.contains(text)).count();
    assert_eq!(said("the audit log cannot be written"), 1);
    assert_eq!(said("the audit log is written again"), 1);
    let [resumed] = &of_the_log(&log, "resumed")[..] else { panic!("{:?}", records(&log)) };
    assert!(resumed["refused"].as_u64().unwrap() >= 3, "{resumed}");
    assert!(resumed["why"].as_str().unwrap().contains("No space left"), "{resumed}");
}

/// A session is told by the same status as a client without: it read a 200 with nothing but words in it.
#[tokio::test]
async fn a_session_is_refused_by_a_503_too_while_the_audit_log_cannot_be_written() {
    let dir = Scratch::new();
    let log = dir.join("audit.log");
    let served = dev(&log).await;
    let session = Session::new(&served).await;
    session.pid().await;
    let full = dir.join("full");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    std::fs::rename(&full, &log).unwrap();
    // That the file is another one is only seen when it is written to.
    let (status, pause, answer) = until("a refusal", async || {
        let reply = session.begin(json!(1), "early", json!({})).await;
        let (status, pause) = (reply.status, reply.header("retry-after").map(str::to_owned));
        let answer = reply.answer().await;
        (answer["error"]["message"] == REFUSED).then_some((status, pause, answer))
    })
    .await;
    assert_eq!((status, pause.as_deref()), (503, Some("1")), "{answer}");
    assert_eq!(error(&answer), (-32603, REFUSED));
    assert_eq!(answer["error"]["data"]["outcome"], "unsent");
}

/// A real disk of its own, which only root may mount.
struct Disk(Scratch);

impl Disk {
    fn mounted() -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        let dir = Scratch::new();
        let size = Some("size=64k");
        let none = None::<&str>;
        let mounted = mount(none, &*dir, Some("tmpfs"), MsFlags::empty(), size);
        // Who is not root, or is so in name alone, has the test with `/dev/full`.
        mounted.ok().map(|()| Self(dir))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&*self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn a_disk_that_was_full_holds_whole_records_and_each_answered_call() {
    let Some(disk) = Disk::mounted() else { return notice("this needs root") };
    let log = disk.0.join("audit.log");
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; 16 * 1024]).unwrap();
    let served = dev(&log).await;
    let modern = Modern::new(&served);
    let mut answered = Vec::new();
    loop {
        let tool = format!("tool-{}", answered.len());
        match modern.begin(json!(1), &tool, json!({})).await.status {
            200 => answered.push(tool),
            503 => break,
            other => panic!("{other}"),
        }
        assert!(answered.len() < 10_000, "a disk of 64 KiB is never full");
    }
    let whole = std::fs::read_to_string(&log).unwrap();
    assert!(whole.ends_with('\n'), "half a record stays");
    std::fs::remove_file(&ballast).unwrap();
    until_answered(&modern, "echo").await;
    let begun: Vec<_> = records(&log).iter().map(|record| record["target"].clone()).collect();
    for tool in &answered {
        assert!(begun.contains(&json!(tool)), "{tool}");
    }
    assert!(!of_the_log(&log, "resumed").is_empty());
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_written_anew_under_its_name() {
    let dir = Scratch::new();
    let (log, old) = (dir.join("audit.log"), dir.join("audit.log.1"));
    let served = dev(&log).await;
    let modern = Modern::new(&served);
    modern.call("before", json!({})).await;
    std::fs::rename(&log, &old).unwrap();
    modern.call("after", json!({})).await;
    let has = |path: &Path, tool: &str| records(path).iter().any(|one| one["target"] == tool);
    assert!(has(&old, "before") && !has(&old, "after"));
    assert!(has(&log, "after") && !has(&log, "before"));
    assert_eq!(of_the_log(&log, "reopened").len(), 1);
    std::fs::remove_file(&log).unwrap();
    modern.call("later", json!({})).await;
    assert!(has(&log, "later"));
}

#[tokio::test]
async fn a_line_that_was_left_half_written_is_no_part_of_the_next_one() {
    let dir = Scratch::new();
    let log = dir.join("audit.log");
    let half = r#"{"event":"begin","call":7,"ti"#;
    std::fs::write(&log, format!("{{\"event\":\"end\"}}\n{half}")).unwrap();
    let served = dev(&log).await;
    Modern::new(&served).call("echo", json!({})).await;
    let all = records(&log);
    assert_eq!(all[0], json!({ "event": "end" }));
    assert_eq!((&all[1]["what"], &all[1]["torn"]), (&json!("mended"), &json!(half)));
    assert!(all.iter().any(|record| record["target"] == "echo"));
}

/// A name as long as a message may be, in a record as long as a record may be.
#[tokio::test]
async fn a_record_is_short_whatever_a_caller_writes() {
    let dir = Scratch::new();
    let log = dir.join("audit.log");
    let served = dev(&log).await;
    let session = Session::new(&served).await;
    let name = "x".repeat(1 << 20);
    session.call(&name, json!({})).await;
    session.get(&"m".repeat(1 << 20), json!({})).await;
    let hash = sha256(&name);
    let all = records(&log);
    let targets: Vec<_> = all.iter().filter_map(|record| record["target"].as_str()).collect();
    assert!(targets.iter().any(|target| target.contains(&hash) && target.starts_with("xxxx")));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.lines().all(|line| line.len() < 4096), "{}", text.len());
    assert!(text.contains("\"mmmm"));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who calls what is not for everybody on the machine.
#[tokio::test]
async fn an_audit_log_is_for_its_owner_and_his_group() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Scratch::new();
    let log = dir.join("audit.log");
    let _served = dev(&log).await;
    let mode = std::fs::metadata(&log).unwrap().permissions().mode();
    assert_eq!(mode & 0o037, 0, "{mode:o}");
    assert_eq!(mode & 0o600, 0o600, "{mode:o}");
}

/// Callers at a time, and how many of their calls are answered before the end.
const CALLERS: usize = 8;
const ANSWERED: usize = 200;

/// Whatever the child has heard of, the audit log has, also when nothing could be written any more.
async fn every_call_that_reached_the_child_is_on_record(durability: &str) {
    let dir = Scratch::new();
    let (log, heard) = (dir.join("audit.log"), dir.join("heard"));
    let line = format!("tee {} | {}", heard.display(), child_program().display());
    let served = Mcpwrap::dev()
        .flags(["--audit", log.to_str().unwrap(), "--audit-durability", durability])
        .command(["sh", "-c", &line])
        .start()
        .await;
    let modern = Modern::new(&served);
    modern.call("echo", json!({})).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|caller| {
        let (modern, answered) = (modern.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            for number in 0.. {
                let tool = format!("tool-{caller}-{number}");
                modern.call(&tool, json!({})).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    eventually("enough calls", || answered.load(Ordering::Relaxed) >= ANSWERED).await;
    served.signal(Signal::SIGKILL);
    for caller in callers {
        assert!(caller.await.is_err(), "the connection ends under it");
    }
    let begun: std::collections::HashSet<String> = records(&log)
        .iter()
        .filter(|record| record["event"] == "begin")
        .filter_map(|record| record["target"].as_str().map(str::to_owned))
        .collect();
    let heard = std::fs::read_to_string(&heard).unwrap();
    let reached: Vec<String> = heard
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["params"]["name"].as_str().map(str::to_owned))
        .collect();
    assert!(reached.len() >= ANSWERED, "{}", reached.len());
    for tool in reached {
        assert!(begun.contains(&tool), "{tool} reached the child and is not on record");
    }
}

#[tokio::test]
async fn a_kill_loses_no_record_of_what_happened() {
    every_call_that_reached_the_child_is_on_record("written").await;
}

#[tokio::test]
async fn a_kill_loses_no_record_that_had_to_be_on_the_disk() {
    every_call_that_reached_the_child_is_on_record("synced").await;
}
