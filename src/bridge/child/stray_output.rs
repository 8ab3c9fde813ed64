//! What a child prints on stdout that is not MCP: shown to the operator, bounded, never to a client.

use std::time::Duration;

use tokio::time::Instant;

use crate::redact::{LONGEST_FORM, Redactor};

const LINES_PER_WINDOW: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
const LONGEST_SHOWN: usize = 200;

/// Counts and shows the stray output of one child.
#[derive(Debug)]
pub(super) struct StrayOutput {
    name: String,
    redactor: Redactor,
    window: Option<Instant>,
    shown: u32,
    hidden: u64,
}

impl StrayOutput {
    pub(super) fn new(name: String, redactor: Redactor) -> Self {
        Self { name, redactor, window: None, shown: 0, hidden: 0 }
    }

    pub(super) fn heard(&mut self, reason: &'static str, line: &[u8]) {
        if self.may_show() {
            // Masked before it is cut: a secret across the cut would not be known by its beginning.
            let looked_at = &line[..line.len().min(LONGEST_SHOWN + LONGEST_FORM)];
            let text = String::from_utf8_lossy(looked_at).replace(char::is_control, " ");
            let text = self.redactor.mask_up_to(&text, LONGEST_SHOWN);
            tracing::info!(target: "mcpwrap::child", child = %self.name, reason, "stdout: {text}");
        }
    }

    pub(super) fn too_long(&mut self, bytes: usize) {
        if self.may_show() {
            tracing::warn!(
                target: "mcpwrap::child", child = %self.name,
                "stdout: skipped a line of {bytes} bytes, longer than --max-line allows"
            );
        }
    }

    fn may_show(&mut self) -> bool {
        let now = Instant::now();
        if self.window.is_none_or(|start| now >= start + WINDOW) {
            if self.hidden > 0 {
                let hidden = self.hidden;
                tracing::info!(
                    target: "mcpwrap::child", child = %self.name,
                    "stdout: {hidden} more lines that are not MCP were not shown"
                );
            }
            (self.window, self.shown, self.hidden) = (Some(now), 0, 0);
        }
        if self.shown == LINES_PER_WINDOW {
            self.hidden += 1;
            return false;
        }
        self.shown += 1;
        true
    }
}
