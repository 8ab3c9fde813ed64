//! Nothing stays when somebody dies who should not: the caller, the supervisor, mcpwrap itself.

use std::future::Future;

use mcpwrap::process::Exit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;

use crate::children::{parent_of, start};
use crate::parent::{IGNORANT, KILLED_SUPERVISOR, Parent, SLEEPERS, STOPPED_SUPERVISOR, WAIT};
use crate::proc::{Marker, cmdline, field, pids};
use crate::trees::{TREES, command, gone, shell, tree};
use crate::wait::eventually;

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing() {
    let marker = Marker::new();
    for polls in 0..20 {
        let start = start(command("sleep", &[&marker.0]));
        let mut start = Box::pin(start);
        for _ in 0..polls {
            let once = std::future::poll_fn(|context| {
                std::task::Poll::Ready(start.as_mut().poll(context).is_ready())
            });
            if once.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // A last one that runs shows that the thread has come past all the others.
    start(command("true", &[])).await.handle.exited().await;
    gone(&marker).await;
}

#[test]
fn the_end_of_the_runtime_ends_the_children() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let (process, marker) = first.block_on(tree(TREES[0].2, TREES[0].1));
    first.spawn(async move {
        let _held = process;
        std::future::pending::<()>().await;
    });
    drop(first);
    runtime().block_on(gone(&marker));
}

#[tokio::test]
async fn a_terminated_supervisor_terminates_its_tree() {
    let mut process =
        start(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done")).await;
    let mut ready = [0; 6];
    process.stdout.read_exact(&mut ready).await.unwrap();
    let supervisor = parent_of(process.pid.cast_signed());
    kill(Pid::from_raw(supervisor), Signal::SIGTERM).unwrap();
    assert_eq!(process.handle.exited().await, Exit::Code(7));
}

#[tokio::test]
async fn signals_that_mcpwrap_was_told_to_ignore_are_the_commands_own_again() {
    Parent::plays(IGNORANT).finishes().await;
}

#[tokio::test]
async fn a_stopped_supervisor_does_not_keep_its_tree() {
    Parent::plays(STOPPED_SUPERVISOR).finishes().await;
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_tree_along() {
    Parent::plays(KILLED_SUPERVISOR).finishes().await;
}

/// mcpwrap cannot sweep while it is stopped, so what ends its commands is that their supervisor has gone.
#[tokio::test]
async fn a_command_ends_with_its_supervisor_whatever_mcpwrap_does() {
    let mut parent = Parent::plays(WAIT).await_trees(SLEEPERS).await;
    let mcpwrap = i32::try_from(parent.child.id().unwrap()).unwrap();
    let below =
        |pid: i32| pids().into_iter().filter(move |one| field(*one, "PPid") == pid.to_string());
    kill(Pid::from_raw(mcpwrap), Signal::SIGSTOP).unwrap();
    let supervisors: Vec<i32> =
        below(mcpwrap).filter(|pid| cmdline(*pid).contains("__supervisor")).collect();
    let commands: Vec<i32> = supervisors.iter().flat_map(|pid| below(*pid)).collect();
    assert_eq!(supervisors.len(), TREES.len());
    assert!(commands.len() >= TREES.len(), "{commands:?}");
    let own: Vec<i32> = supervisors.iter().filter_map(|pid| below(*pid).min()).collect();
    for supervisor in supervisors {
        kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    }
    eventually("the commands end", || own.iter().all(|pid| cmdline(*pid).is_empty())).await;
    kill(Pid::from_raw(mcpwrap), Signal::SIGCONT).unwrap();
    gone(&parent.marker).await;
    parent.child.start_kill().unwrap();
    parent.child.wait().await.unwrap();
}

/// Whoever loses his parent comes to the supervisor and not to mcpwrap, which would take him for nobody's.
#[tokio::test]
async fn orphans_stay_below_their_supervisor() {
    let marker = Marker::new();
    let mut command = shell("(sleep $M &); exec sleep $M");
    command.env.set("M", marker.0.clone());
    let process = start(command).await;
    let own = process.pid.cast_signed();
    let mut orphan = None;
    eventually("the orphan", || {
        orphan =
            marker.carriers().into_iter().find(|pid| *pid != own && !cmdline(*pid).contains("sh"));
        orphan.is_some_and(|pid| parent_of(pid) == parent_of(own))
    })
    .await;
    assert_eq!(process.handle.kill().await, Exit::Signal(9));
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}

/// One look at the tree misses whoever is born just then; here somebody always is.
#[tokio::test]
async fn a_tree_that_goes_on_forking_is_killed_until_it_is_gone() {
    for round in 0..10 {
        let marker = Marker::new();
        // Each shell starts its successor and ends.
        let mut command = shell("(sh -c \"$S\" \"$S\" $M &); exec sleep $M");
        command.env.set("S", "sh -c \"$0\" \"$0\" \"$1\" &");
        command.env.set("M", marker.0.clone());
        let process = start(command).await;
        eventually("it forks", || marker.carriers().len() >= 2).await;
        assert_eq!(process.handle.kill().await, Exit::Signal(9), "{round}");
        assert_eq!(marker.carriers(), Vec::<i32>::new(), "{round}");
    }
}

#[tokio::test]
async fn a_killed_mcpwrap_takes_all_trees_along() {
    let mut parent = Parent::plays(WAIT).await_trees(SLEEPERS).await;
    parent.child.start_kill().unwrap();
    parent.child.wait().await.unwrap();
    gone(&parent.marker).await;
}

#[tokio::test]
async fn two_hundred_children_at_once_leave_nothing() {
    let marker = Marker::new();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let command = command("sleep", &[&marker.0]);
            tokio::spawn(async move {
                let process = start(command).await;
                drop(process.stdin);
                process.handle.stop().await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Exit::Signal(Signal::SIGTERM as i32));
    }
    assert_eq!(marker.carriers(), Vec::<i32>::new());
}
