//! What a hostile child tries against its neighbour, and the neighbour that it is tried on.
//!
//! Both are this test binary, started behind walls like any other command. The attacker reports each success as a
//! line; what it may name (numbers, paths, names) it is told, so that nothing is safe only because it was not found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, IoSliceMut, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mcpwrap::process::{ChildCommand, Process};
use nix::sys::ptrace;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::kill;
use nix::sys::stat::utimes;
use nix::sys::time::TimeVal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{Pid, Uid, setuid};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::world::*;

/// Says which part the binary plays.
const ROLE: &str = "ISOLATION_ROLE";
/// What the attacker is told.
const TARGETS: &str = "ISOLATION_TARGETS";
/// What only the neighbour should know.
const SECRET: &str = "ISOLATION_SECRET";
/// A name that no other test uses.
const TAG: &str = "ISOLATION_TAG";
const READY: &str = "READY ";
const BREACH: &str = "BREACH ";
const TRIED: &str = "TRIED ";

/// Everything there is to attack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Targets {
    pids: Vec<i32>,
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
    abstract_socket: String,
    shared_memory: String,
    uid: u32,
}

/// A neighbour that is up and holds its secrets.
pub(crate) struct Victim {
    process: Process,
    targets: Targets,
}

/// What an attacker achieved: the kind of breach, and a place where it worked.
pub(crate) type Breaches = BTreeMap<String, String>;

/// What an attacker leaves where he can.
const PLANTED: &str = "planted";

/// Notes what works.
#[derive(Default)]
struct Tally {
    tried: usize,
    seen: BTreeSet<String>,
}

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
        let mut targets = tokio::time::timeout(PATIENCE, ready).await.unwrap();
        let store = state.path.join("store");
        fs::write(&store, "hunter2").unwrap();
        fs::set_permissions(&store, Permissions::from_mode(0o600)).unwrap();
        targets.files.push(store);
        targets.directories.push(state.path.clone());
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
        let code = tokio::time::timeout(PATIENCE, exit.exited()).await.unwrap();
        assert_eq!(code, mcpwrap::process::Exit::Code(0));
    }
}

fn play(user: &User, role: &str) -> ChildCommand {
    let own = std::env::current_exe().unwrap();
    let args = ["--exact", "attacks::a_role", "--nocapture", "--test-threads=1"];
    let mut command = user.command(own.to_str().unwrap(), &args);
    command.env.set(ROLE, role);
    command
}

/// The process and those above it, down to but without `last`.
fn ancestors(pid: i32, last: i32) -> Vec<i32> {
    let parent = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().to_owned();
        line.parse::<i32>().ok().filter(|parent| *parent != last && *parent > 1)
    };
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
    for path in targets.files.iter().filter(|path| path.starts_with("/dev/shm")) {
        fs::remove_file(path).unwrap();
    }
}

/// Tries everything.
fn attack() {
    let targets: Targets = serde_json::from_str(&std::env::var(TARGETS).unwrap()).unwrap();
    let mut tally = Tally::default();
    println!();
    descriptors(&mut tally);
    escapes(&mut tally, &targets);
    let own = std::process::id().cast_signed();
    let listed: Vec<i32> = fs::read_dir("/proc")
        .map(|entries| {
            let names = entries.flatten().map(|entry| entry.file_name());
            names.filter_map(|name| name.to_str()?.parse().ok()).collect()
        })
        .unwrap_or_default();
    // The first process of an own namespace is mcpwrap's: visible, but out of reach.
    let others = listed.iter().filter(|pid| **pid != own && **pid != 1);
    for pid in others.clone() {
        tally.note("listed", &pid.to_string(), true);
    }
    let everybody: BTreeSet<i32> =
        others.chain(&targets.pids).chain([&1]).copied().filter(|pid| *pid != own).collect();
    for pid in everybody {
        process(&mut tally, pid, targets.pids.contains(&pid));
    }
    for file in &targets.files {
        contents(&mut tally, file);
    }
    for directory in &targets.directories {
        listing(&mut tally, directory);
    }
    sockets(&mut tally, &targets);
    shared_memory(&mut tally, &targets);
    println!("{TRIED}{}", tally.tried);
}

/// Everything that one process can try on another; `ours` are those whose harm would be the victim's.
fn process(tally: &mut Tally, number: i32, ours: bool) {
    let place = number.to_string();
    let file = |name: &str| format!("/proc/{number}/{name}");
    tally.note("environ", &place, fs::read(file("environ")).is_ok_and(|bytes| !bytes.is_empty()));
    for (kind, name) in [("mem", "mem"), ("auxv", "auxv"), ("maps", "maps"), ("stack", "stack")] {
        let read = File::open(file(name)).and_then(|mut file| file.read(&mut [0; 64]));
        // Reading memory at address 0 fails, but only after the permission has been granted.
        let granted = match read {
            Ok(count) => count > 0,
            Err(error) => error.raw_os_error() == Some(nix::libc::EIO),
        };
        tally.note(kind, &place, granted);
    }
    tally.note("fd", &place, fs::read_dir(file("fd")).is_ok_and(|mut list| list.next().is_some()));
    for name in ["root", "cwd", "exe", "ns/mnt"] {
        tally.note("link", &format!("{place}/{name}"), fs::read_link(file(name)).is_ok());
    }
    tally.note("root", &place, fs::read_dir(file("root/")).is_ok());
    let cmdline = fs::read(file("cmdline")).is_ok_and(|bytes| !bytes.is_empty());
    tally.note("cmdline", &place, cmdline && number != 1);
    let pid = Pid::from_raw(number);
    let mut byte = [0];
    let (mut local, remote) = ([IoSliceMut::new(&mut byte)], [RemoteIoVec { base: 4096, len: 1 }]);
    let read = process_vm_readv(pid, &mut local, &remote);
    // A bad address is noticed only after the permission has been granted.
    tally.note("vm", &place, matches!(read, Ok(_) | Err(nix::errno::Errno::EFAULT)));
    tally.note("signal", &place, kill(pid, None).is_ok());
    if ours {
        let attached = ptrace::seize(pid, ptrace::Options::empty());
        tally.note("ptrace", &place, attached.is_ok());
        if attached.is_ok() {
            let _ = ptrace::interrupt(pid);
            let _ = nix::sys::wait::waitpid(pid, None);
            let _ = ptrace::detach(pid, None);
        }
        tally.run("prlimit", &place, "prlimit", &["--pid", &place, "--core=0:0"]);
        tally.run("priority", &place, "renice", &["-n", "0", "-p", &place]);
        tally.run("ionice", &place, "ionice", &["-c", "2", "-n", "4", "-p", &place]);
    }
}

/// What was not meant for the child but reached it.
fn descriptors(tally: &mut Tally) {
    for number in 3..256 {
        let target = fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
        let target = target.to_string_lossy();
        // The runtime of the test harness has pipes and timers of its own, but no files and no sockets.
        let foreign =
            target.starts_with('/') && !target.starts_with("/proc") || target.starts_with("socket");
        tally.note("descriptor", &target, foreign);
    }
    let core = getrlimit(Resource::RLIMIT_CORE).unwrap();
    tally.note("core", "limit", core != (0, 0));
}

/// Ways to become somebody else or to see more.
fn escapes(tally: &mut Tally, targets: &Targets) {
    // By a program, because a process of several threads may not make a user namespace.
    for kind in ["--user", "--mount", "--net", "--pid", "--ipc"] {
        tally.run("unshare", kind, "unshare", &[kind, "true"]);
    }
    tally.note("setuid", "0", setuid(Uid::from_raw(0)).is_ok());
    if targets.uid != Uid::current().as_raw() {
        tally.note("setuid", "victim", setuid(Uid::from_raw(targets.uid)).is_ok());
    }
    tally.run("mount", "/mnt", "mount", &["-t", "tmpfs", "tmpfs", "/mnt"]);
    for path in ["/etc/shadow", "/root/.bashrc", "/proc/kcore", "/dev/mem", "/proc/1/environ"] {
        tally.note(
            "system",
            path,
            File::open(path).and_then(|mut file| file.read(&mut [0; 16])).is_ok(),
        );
    }
    for path in ["/usr/planted", "/etc/planted", "/planted", "/bin/planted", "/opt/planted"] {
        tally.note("plant", path, File::create(path).is_ok());
        let _ = fs::remove_file(path);
    }
}

fn contents(tally: &mut Tally, file: &Path) {
    let place = file.display().to_string();
    tally.note("stat", &place, fs::metadata(file).is_ok());
    tally.note("read", &place, fs::read(file).is_ok());
    tally.note("write", &place, OpenOptions::new().append(true).open(file).is_ok());
    let copy = std::env::temp_dir().join("stolen");
    tally.note("hard link", &place, fs::hard_link(file, &copy).is_ok());
    let now = TimeVal::new(1, 0);
    tally.note("utime", &place, utimes(file, &now, &now).is_ok());
    if let Ok(found) = fs::metadata(file) {
        tally.note("chmod", &place, fs::set_permissions(file, found.permissions()).is_ok());
    } else {
        tally.note(
            "chmod",
            &place,
            fs::set_permissions(file, Permissions::from_mode(0o777)).is_ok(),
        );
    }
    let moved = file.with_extension("moved");
    if fs::rename(file, &moved).is_ok() {
        tally.note("rename", &place, true);
        fs::rename(&moved, file).unwrap();
    }
}

fn listing(tally: &mut Tally, directory: &Path) {
    let place = directory.display().to_string();
    // The way to his own home is all that he may see.
    let home = PathBuf::from(std::env::var("HOME").unwrap());
    let foreign = |name: PathBuf| !home.starts_with(name);
    let seen = fs::read_dir(directory)
        .is_ok_and(|mut list| list.any(|entry| entry.is_ok_and(|entry| foreign(entry.path()))));
    tally.note("list", &place, seen);
    let _ = File::create(directory.join(PLANTED));
    tally.tried += 1;
}

fn sockets(tally: &mut Tally, targets: &Targets) {
    for path in &targets.sockets {
        tally.note("socket", &path.display().to_string(), UnixStream::connect(path).is_ok());
    }
    let name = &targets.abstract_socket;
    let address = SocketAddr::from_abstract_name(name).unwrap();
    tally.note("abstract", name, UnixStream::connect_addr(&address).is_ok());
}

fn shared_memory(tally: &mut Tally, targets: &Targets) {
    let list = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let number = &targets.shared_memory;
    if number.is_empty() {
        return;
    }
    let seen = list.lines().skip(1).any(|line| line.split_whitespace().nth(1) == Some(number));
    tally.note("segment", number, seen);
    tally.run("remove segment", number, "ipcrm", &["-m", number]);
}

// === impl Tally ===

impl Tally {
    fn note(&mut self, kind: &str, place: &str, worked: bool) {
        self.tried += 1;
        if worked && self.seen.insert(format!("{kind} {place}")) {
            println!("{BREACH}{} {place}", kind.replace(' ', "-"));
        }
    }

    /// For what only a tool can do without unsafe code.
    fn run(&mut self, kind: &str, place: &str, program: &str, args: &[&str]) {
        let quiet =
            Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let quiet = quiet.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        self.note(kind, place, quiet.success());
    }
}
