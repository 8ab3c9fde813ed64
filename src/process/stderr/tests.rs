//! What becomes of what a child says: printable, masked, bounded, and read to its end.

use std::time::Duration;

use super::*;

async fn drained(input: &[u8], limits: Limits) -> (Vec<String>, Vec<String>) {
    let tail = Tail::default();
    let mut seen = Vec::new();
    let mask = |text: &str, shown: usize| match text.find("hunter2") {
        Some(at) if at < shown => text.replace("hunter2", "***"),
        _ => text[..shown].to_owned(),
    };
    drain(input, limits, tail.clone(), mask, |line| {
        seen.push(line.to_owned());
    })
    .await
    .unwrap();
    (seen, tail.lines())
}

#[tokio::test]
async fn lines_are_made_printable() {
    for (input, expected) in [
        (&b"plain\n"[..], "plain"),
        (b"no end", "no end"),
        (b"\x1b[31;1mred\x1b[0m\r\n", "red"),
        (b"\x1b]0;title\x07after\n", "after"),
        (b"\x1b]8;;http://x\x1b\\link\n", "link"),
        (b"\x1b(Bset\n", "set"),
        (b"a\tb\x00c\x08\n", "a bc"),
        (b"\xff\xfe\n", "\u{fffd}\u{fffd}"),
        ("a\u{202e}b\u{2028}c\n".as_bytes(), "abc"),
        (b"\x1b[", ""),
        (b"key hunter2\n", "key ***"),
    ] {
        let (seen, tail) = drained(input, Limits::default()).await;
        assert_eq!(seen, [expected], "{input:?}");
        assert_eq!(tail, seen);
    }
}

#[tokio::test]
async fn a_long_line_is_cut_and_says_so() {
    let input = [&[b'x'; 30_000][..], b"\nnext\n"].concat();
    let (seen, _) = drained(&input, Limits { line: 10, beyond: 9, per_second: 5 }).await;
    assert_eq!(seen, ["xxxxxxxxxx… (29990 bytes cut)", "next"]);
    // The mask sees what is cut through, and is told where.
    let (seen, _) =
        drained(b"\x1b[1mkey hunter2\n", Limits { line: 10, beyond: 9, per_second: 5 }).await;
    assert_eq!(seen, ["key ***… (5 bytes cut)"]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_read_but_only_counted() {
    let (mut child, ours) = tokio::io::duplex(16);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let tail = Tail::default();
    let limits = Limits { line: 100, beyond: 0, per_second: 2 };
    let task = tokio::spawn(drain(
        ours,
        limits,
        tail.clone(),
        |text, _| text.to_owned(),
        move |line: &str| {
            sink.lock().unwrap().push(line.to_owned());
        },
    ));
    for number in 0..50 {
        tokio::io::AsyncWriteExt::write_all(&mut child, format!("line {number}\n").as_bytes())
            .await
            .unwrap();
    }
    // The reader takes what is in the pipe before the clock moves on.
    tokio::time::advance(Duration::from_secs(1)).await;
    // What was dropped is told in its time, though nothing more is said.
    while !seen.lock().unwrap().iter().any(|line| line.ends_with("lines dropped)")) {
        tokio::task::yield_now().await;
    }
    tokio::io::AsyncWriteExt::write_all(&mut child, b"last\n").await.unwrap();
    drop(child);
    task.await.unwrap().unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[..2], ["line 0", "line 1"]);
    assert!(seen.iter().any(|line| line.ends_with("lines dropped)")), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "last");
    assert_eq!(tail.lines().len(), TAIL);
    assert_eq!(tail.lines().last().unwrap(), "last");
}
