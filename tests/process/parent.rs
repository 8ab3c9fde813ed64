//! A process that plays mcpwrap, for the tests that kill mcpwrap or count its children.

use mcpwrap::process::Exit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::children::{QUICK, parent_of, spawner, spawner_that_gives_up_after, start};
use crate::proc::Marker;
use crate::trees::{TREES, command, gone, shell, sleeping, standard_signals, tree_of};
use crate::wait::{eventually, soon};

/// Set in the process that plays mcpwrap for the tests that kill it.
const PARENT: &str = "PROCESS_TEST_PARENT";
pub(crate) const STOPPED_SUPERVISOR: &str = "stopped supervisor";
pub(crate) const KILLED_SUPERVISOR: &str = "killed supervisor";
pub(crate) const IGNORANT: &str = "ignorant";
pub(crate) const WAIT: &str = "wait";
/// The sleepers of a parent that waits.
pub(crate) const SLEEPERS: usize = 11;

/// This test binary, run as a process of its own that starts children and may be killed.
pub(crate) struct Parent {
    pub(crate) child: tokio::process::Child,
    pub(crate) marker: Marker,
}

// === impl Parent ===

impl Parent {
    pub(crate) fn plays(role: &str) -> Self {
        let marker = Marker::new();
        let traps = if role == IGNORANT {
            "trap '' HUP INT QUIT CHLD USR1; exec \"$@\""
        } else {
            "exec \"$@\""
        };
        let child = tokio::process::Command::new("sh")
            .args(["-c", traps, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "parent::the_parent", "--nocapture"])
            .env(PARENT, role)
            .env("M", &marker.0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, marker }
    }

    pub(crate) async fn await_trees(self, sleepers: usize) -> Self {
        eventually("all trees stand", || sleeping(&self.marker) == sleepers).await;
        self
    }

    pub(crate) async fn finishes(mut self) {
        let status = soon("the end of the parent", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(self.marker.carriers(), Vec::<i32>::new());
    }
}

/// Does nothing unless a test has started this binary to play mcpwrap.
#[tokio::test]
async fn the_parent() {
    let Ok(role) = std::env::var(PARENT) else {
        return;
    };
    let marker = Marker(std::env::var("M").unwrap());
    match role.as_str() {
        KILLED_SUPERVISOR => {
            for (name, count, script) in TREES {
                let bystander = start(command("cat", &[])).await;
                let process = tree_of(&spawner(), script, count, &marker).await;
                kill(Pid::from_raw(parent_of(process.pid.cast_signed())), Signal::SIGKILL).unwrap();
                assert_eq!(process.handle.exited().await, Exit::SupervisorLost, "{name}");
                assert_eq!(marker.carriers(), Vec::<i32>::new(), "{name}");
                drop(bystander.stdin);
                assert_eq!(
                    bystander.handle.exited().await,
                    Exit::Code(0),
                    "the sweep hit another child"
                );
            }
        }
        STOPPED_SUPERVISOR => {
            let (_, count, script) = TREES[1];
            let spawner = spawner_that_gives_up_after(QUICK);
            let process = tree_of(&spawner, script, count, &marker).await;
            kill(Pid::from_raw(parent_of(process.pid.cast_signed())), Signal::SIGSTOP).unwrap();
            assert_eq!(process.handle.kill().await, Exit::SupervisorLost);
            assert_eq!(marker.carriers(), Vec::<i32>::new());
            let process = tree_of(&spawner, script, count, &marker).await;
            kill(Pid::from_raw(parent_of(process.pid.cast_signed())), Signal::SIGSTOP).unwrap();
            drop(process);
            gone(&marker).await;
        }
        IGNORANT => {
            let process = start(command("sleep", &["1000"])).await;
            assert_eq!(standard_signals(process.pid.cast_signed(), "SigIgn"), 0);
            drop(process.stdin);
            assert_eq!(process.handle.stop().await, Exit::Signal(Signal::SIGTERM as i32));
            let process = start(shell("exit 3")).await;
            assert_eq!(process.handle.exited().await, Exit::Code(3));
        }
        WAIT => {
            let mut held = Vec::new();
            for (_, _, script) in TREES {
                let mut command = shell(script);
                command.env.set("M", marker.0.clone());
                held.push(start(command).await);
            }
            std::future::pending::<()>().await;
        }
        other => panic!("no such role: {other}"),
    }
}
