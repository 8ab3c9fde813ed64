//! What the operator sees: the lines on stderr, and waiting for one of them.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::wait::soon;

/// The lines so far; a clone sees the same lines.
#[derive(Clone, Debug)]
pub(crate) struct Stderr {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Stderr {
    /// Reads to the end, in a thread of its own.
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let all = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                all.lock().unwrap().push(text);
                sender.send_modify(|count| *count += 1);
                line.clear();
            }
        });
        Self { lines, count }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// Waits for a line that holds this text, and returns it.
    pub(crate) async fn wait(&self, text: &str) -> String {
        self.wait_nth(text, 1).await
    }

    /// Waits for the nth line that holds this text.
    pub(crate) async fn wait_nth(&self, text: &str, nth: usize) -> String {
        let mut count = self.count.clone();
        let look = || self.lines().into_iter().filter(|line| line.contains(text)).nth(nth - 1);
        let what = format!("{text:?} on stderr");
        let found = soon(&what, async {
            loop {
                count.borrow_and_update();
                if let Some(line) = look() {
                    return Some(line);
                }
                if count.changed().await.is_err() {
                    return look();
                }
            }
        });
        let found = found.await;
        found.unwrap_or_else(|| {
            panic!("stderr ended without {text:?}:\n{}", self.lines().join("\n"))
        })
    }
}
