//! The neighbour that is attacked: a careless server with everything open that can be.
//!
//! Victim and attacker are this test binary, started behind walls like any other command. The attacker reports each
//! success as a line; what it may name (numbers, paths, names) it is told, so that nothing is safe only because it was
//! not found.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use mcpwrap::process::{ChildCommand, Process};
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::attacks::attack;
use crate::children::{output, parent_of, start};
use crate::users::{State, User};
use crate::wait::soon;

/// Says which part the binary plays.
const ROLE: &str = "ISOLATION_ROLE";
/// What the attacker is told.
pub(crate) const TARGETS: &str = "ISOLATION_TARGETS";
/// What only the neighbour should know.
const SECRET: &str = "ISOLATION_SECRET";
/// A name that no other test uses.
const TAG: &str = "ISOLATION_TAG";
const READY: &str = "READY ";
pub(crate) const BREACH: &str = "BREACH ";
pub(crate) const TRIED: &str = "TRIED ";

/// Everything there is to attack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Targets {
    pub(crate) pids: Vec<i32>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) sockets: Vec<PathBuf>,
    pub(crate) abstract_socket: String,
    pub(crate) shared_memory: String,
    pub(crate) uid: u32,
    /// What everybody's walls show to be read, and nothing else forbids to write.
    pub(crate) tree: PathBuf,
}

/// A neighbour that is up and holds its secrets.
pub(crate) struct Victim {
    process: Process,
    targets: Targets,
}

/// What an attacker achieved: the kind of breach, and a place where it worked.
pub(crate) type Breaches = BTreeMap<String, String>;

/// What an attacker leaves where he can.
pub(crate) const PLANTED: &str = "planted";

// === impl Victim ===

impl Victim {
    pub(crate) async fn start(state: &State, user: &User) -> Self {
        let mut command = play(user, "victim");
        command.env.set(SECRET, "hunter2");
        command.env.set(TAG, state.path.file_name().unwrap().to_str().unwrap());
        let mut process = start(command).await;
        let mut lines = BufReader::new(&mut process.stdout).lines();
        let ready = async {
            loop {
                let Some(line) = lines.next_line().await.unwrap() else {
                    let mut why = String::new();
                    process.stderr.read_to_string(&mut why).await.unwrap();
                    panic!("the victim did not get ready: {why}");
                };

                // The test harness has begun a line of its own.
                if let Some((_, told)) = line.split_once(READY) {
                    break serde_json::from_str::<Targets>(told).unwrap();
                }
            }
        };
        let mut targets = soon("a victim that is ready", ready).await;
        let store = state.path.join("store");
        fs::write(&store, "hunter2").unwrap();
        fs::set_permissions(&store, Permissions::from_mode(0o600)).unwrap();
        targets.files.push(store);
        targets.directories.push(state.path.clone());
        targets.tree = state.tree();
        let pid = process.pid.cast_signed();
        let own = std::process::id().cast_signed();
        targets.pids.extend(ancestors(pid, own).into_iter().chain([own]));
        Self { process, targets }
    }

    /// Lets another user's child loose on it.
    pub(crate) async fn attacked_by(&self, user: &User) -> Breaches {
        let mut command = play(user, "attacker");
        command.env.set(TARGETS, serde_json::to_string(&self.targets).unwrap());
        let report = output(command).await;
        let tried = report.lines().find_map(|line| line.strip_prefix(TRIED)).expect(&report);
        assert!(tried.parse::<usize>().unwrap() > 50, "{report}");
        assert!(report.contains("ok. 1 passed"), "{report}");
        let mut breaches: Breaches = report
            .lines()
            .filter_map(|line| line.split_once(BREACH)?.1.split_once(' '))
            .map(|(kind, place)| (kind.to_owned(), place.to_owned()))
            .collect();
        // A directory of this name in the attacker's own room is his to write to; what counts is the real one.
        for planted in self.targets.directories.iter().map(|directory| directory.join(PLANTED)) {
            if fs::remove_file(&planted).is_ok() {
                breaches.insert("plant".to_owned(), planted.display().to_string());
            }
        }
        breaches
    }

    /// Whether it is none the worse for it.
    pub(crate) async fn survives(self) {
        let exit = self.process.handle.clone();
        drop(self.process.stdin);
        let code = soon("the end of the victim", exit.exited()).await;
        assert_eq!(code, mcpwrap::process::Exit::Code(0));
    }
}

fn play(user: &User, role: &str) -> ChildCommand {
    let own = std::env::current_exe().unwrap();
    let args = ["--exact", "neighbour::a_role", "--nocapture", "--test-threads=1"];
    let mut command = user.command(own.to_str().unwrap(), &args);
    command.env.set(ROLE, role);
    command
}

/// The process and those above it, down to but without `last`.
fn ancestors(pid: i32, last: i32) -> Vec<i32> {
    let parent = |pid: &i32| Some(parent_of(*pid)).filter(|above| *above != last && *above > 1);
    std::iter::successors(Some(pid), parent).collect()
}

/// Does nothing unless a test has started this binary to play a part.
#[test]
fn a_role() {
    match std::env::var(ROLE).as_deref() {
        Ok("victim") => victim(),
        Ok("attacker") => attack(),
        _ => {}
    }
}

/// Opens everything that a careless server would leave open, and waits.
fn victim() {
    let home = PathBuf::from(std::env::var("HOME").unwrap());
    let tag = std::env::var(TAG).unwrap();
    let mut targets = Targets { uid: Uid::current().as_raw(), ..Targets::default() };
    let shm = Path::new("/dev/shm").join(&tag);
    for (path, mode) in [
        (home.join("secret"), 0o600),
        (home.join("open"), 0o666),
        (std::env::temp_dir().join("open"), 0o666),
        (PathBuf::from("/tmp").join(&tag), 0o666),
        (shm, 0o666),
    ] {
        let mut options = OpenOptions::new();
        // Where the walls keep even the victim out, there is nothing to attack.
        if options.write(true).create(true).truncate(true).mode(mode).open(&path).is_ok() {
            fs::write(&path, "hunter2").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            targets.files.push(path);
        }
    }
    let mut listeners = Vec::new();
    for path in [home.join("socket"), PathBuf::from("/tmp").join(format!("{tag}.socket"))] {
        if let Ok(listener) = UnixListener::bind(&path) {
            fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
            listeners.push(listener);
            targets.sockets.push(path);
        }
    }
    let address = SocketAddr::from_abstract_name(&tag).unwrap();
    listeners.push(UnixListener::bind_addr(&address).unwrap());
    targets.abstract_socket = tag;
    let made = Command::new("ipcmk").args(["-M", "4096", "-p", "0666"]).output().unwrap();
    targets.shared_memory =
        String::from_utf8(made.stdout).unwrap().rsplit(' ').next().unwrap().trim().to_owned();
    let _ = fs::set_permissions(&home, Permissions::from_mode(0o777));
    targets.directories = vec![home.clone(), home.parent().unwrap().to_owned()];
    println!("\n{READY}{}", serde_json::to_string(&targets).unwrap());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(fs::read_to_string(home.join("secret")).unwrap(), "hunter2");
    if !targets.shared_memory.is_empty() {
        let _ = Command::new("ipcrm").args(["-m", &targets.shared_memory]).output();
    }
    // What may lie outside the home, and stays unless it is removed.
    for path in targets.files.iter().chain(&targets.sockets) {
        fs::remove_file(path).unwrap();
    }
}
