//! What stands in certain folders alone.

use crate::exceptions::Findings;

#[test]
fn status_codes_live_in_http() {
    // What others answer us is another matter: the outbound client and the identity providers' answers.
    let homes = ["src/http/", "src/outbound.rs", "src/auth/"];
    Findings::words("names a status code", &homes, &["StatusCode"]);
}

#[test]
fn only_the_command_line_prints() {
    let words = ["println!", "eprintln!", " print!(", " eprint!("];
    Findings::words("prints", &["src/cli/"], &words);
}

#[test]
fn tasks_are_known_to_shutdown() {
    let words = ["tokio::spawn", "task::spawn(", "JoinSet", "spawn_local"];
    Findings::words("spawns", &["src/shutdown.rs"], &words);
}

#[test]
fn secrets_are_spent_in_few_places() {
    let homes = [
        "src/auth/",
        "src/process/",
        "src/credentials/",
        "src/store/",
        "src/redact.rs",
        "src/seal",
    ];
    Findings::words("exposes a secret", &homes, &["expose_secret"]);
}

#[test]
fn only_process_starts_processes() {
    let words =
        ["process::Command", "process::{Command", "unistd::fork", "execv", "fork()", "posix_spawn"];
    Findings::words("starts a process", &["src/process/"], &words);
}

#[test]
fn systems_differ_in_process_and_store_alone() {
    let homes = ["src/process/", "src/store/"];
    Findings::words("depends on the system", &homes, &["target_os", "mcpwrap_portable"]);
}

#[test]
fn what_linux_alone_has_is_used_where_linux_alone_is_meant() {
    let homes = ["src/process/linux/", "src/store/os_keyring.rs"];
    let crates = ["landlock::", "seccompiler::", "caps::", "signal_hook::", "zbus_secret_service"];
    Findings::words("uses what Linux alone has", &homes, &crates);
}
