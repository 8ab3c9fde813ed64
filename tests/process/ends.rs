//! Every way to end a process ends its whole tree.

use mcpwrap::process::Exit;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::children::start;
use crate::trees::{TREES, command, gone, shell, tree};

#[tokio::test]
async fn stop_ends_every_kind_of_tree() {
    for (name, count, script) in TREES {
        let (process, marker) = tree(script, count).await;
        drop(process.stdin);
        let exit = process.handle.stop().await;
        assert!(matches!(exit, Exit::Signal(_) | Exit::Code(_)), "{name}: {exit:?}");
        assert_eq!(marker.carriers(), Vec::<i32>::new(), "{name}");
    }
}

#[tokio::test]
async fn dropping_the_handle_ends_every_kind_of_tree() {
    for (_, count, script) in TREES {
        let (process, marker) = tree(script, count).await;
        drop(process);
        gone(&marker).await;
    }
}

#[tokio::test]
async fn the_end_of_the_command_ends_its_tree() {
    let script = "setsid -f sleep $M; sleep $M & sleep $M & read line; exit 3";
    let (mut process, marker) = tree(script, 3).await;
    process.stdin.write_all(b"go\n").await.unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(3));
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

#[tokio::test]
async fn closed_stdin_is_enough_for_a_server_that_listens() {
    let process = start(command("cat", &[])).await;
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Code(0));
}

#[tokio::test]
async fn terminate_comes_before_kill() {
    let mut process =
        start(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done")).await;
    let mut ready = [0; 6];
    process.stdout.read_exact(&mut ready).await.unwrap();
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Code(7));
}

#[tokio::test]
async fn kill_comes_after_terminate() {
    let (process, marker) = tree("trap '' TERM; sleep $M", 1).await;
    drop(process.stdin);
    assert_eq!(process.handle.stop().await, Exit::Signal(9));
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

#[tokio::test]
async fn code_and_signal_are_told() {
    let process = start(shell("exit 42")).await;
    assert_eq!(process.handle.exited().await, Exit::Code(42));
    let process = start(shell("kill -USR2 $$")).await;
    assert_eq!(process.handle.exited().await, Exit::Signal(Signal::SIGUSR2 as i32));
}

#[tokio::test]
async fn several_can_wait_for_one_end() {
    let (process, _marker) = tree("sleep $M", 1).await;
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let handle = process.handle.clone();
            tokio::spawn(async move { handle.exited().await })
        })
        .collect();
    assert_eq!(process.handle.kill().await, Exit::Signal(9));
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Exit::Signal(9));
    }
}
