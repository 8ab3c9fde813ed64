//! What a hostile child tries against its neighbour.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{IoSliceMut, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc::{self, c_long};
use nix::sys::ptrace;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::kill;
use nix::sys::stat::utimes;
use nix::sys::time::TimeVal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{AccessFlags, Pid, Uid, access, setuid};

use crate::neighbour::{BREACH, PLANTED, TARGETS, TRIED, Targets};

/// Notes what works.
#[derive(Default)]
struct Tally {
    tried: usize,
    seen: BTreeSet<String>,
}

/// Tries everything.
pub(crate) fn attack() {
    let targets: Targets = serde_json::from_str(&std::env::var(TARGETS).unwrap()).unwrap();
    let mut tally = Tally::default();
    println!();
    descriptors(&mut tally);
    escapes(&mut tally, &targets);
    calls(&mut tally);
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
            Err(error) => error.raw_os_error() == Some(libc::EIO),
        };
        tally.note(kind, &place, granted);
    }
    tally.note("fd", &place, fs::read_dir(file("fd")).is_ok_and(|mut list| list.next().is_some()));
    for name in ["root", "cwd", "exe", "ns/mnt"] {
        tally.note("link", &format!("{place}/{name}"), fs::read_link(file(name)).is_ok());
    }
    tally.note("root", &place, fs::read_dir(file("root/")).is_ok());
    let mounts = fs::read(file("mountinfo")).is_ok_and(|bytes| !bytes.is_empty());
    tally.note("mounts", &place, mounts);
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
    tally.note("core", "limit", core.1 > 1);
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
    let mnt = targets.tree.display().to_string();
    tally.run("mount", &mnt, "mount", &["-t", "tmpfs", "tmpfs", &mnt]);
    let _ = Command::new("umount").arg(&mnt).stderr(Stdio::null()).status();
    for path in ["/etc/shadow", "/root/.bashrc", "/proc/kcore", "/dev/mem", "/proc/1/environ"] {
        tally.note(
            "system",
            path,
            File::open(path).and_then(|mut file| file.read(&mut [0; 16])).is_ok(),
        );
    }
    for path in ["/usr", "/etc", "/", "/bin", "/opt"] {
        // Asked, not done: without walls it would be the machine's own directory.
        let open = access(path, AccessFlags::W_OK).is_ok();
        tally.note("plant", path, open);
    }
    // Everybody may write to this one but for the walls.
    let planted = targets.tree.join(PLANTED);
    tally.note("planted in a tree", &planted.display().to_string(), File::create(&planted).is_ok());
    let _ = fs::remove_file(&planted);
    let file = targets.tree.join("file");
    let write = OpenOptions::new().append(true).open(&file).is_ok();
    tally.note("planted in a tree", &file.display().to_string(), write);
    let emptied = OpenOptions::new().write(true).truncate(true).open(&file).is_ok();
    tally.note("planted in a tree", "emptied", emptied);
}

/// `FS_IOC_RESVSP64` (linux/falloc.h).
const RESVSP64: u32 = 0x4030_582a;

/// Calls of the kernel that no server needs, each with what the walls say to it: any other answer is the kernel's own.
fn calls(tally: &mut Tally) {
    let (new_user, child) = (libc::CLONE_NEWUSER, libc::SIGCHLD);
    let clone = format!("{}, 0, 0, 0, 0", new_user | child);
    let clone3 = format!("my $a = pack('Q8', {new_user}, 0, 0, 0, {child}, 0, 0, 0), 64");
    let of = |family: i32, rest: &str| format!("{family}, {rest}");
    let mut calls: Vec<(&str, c_long, String, i32)> = vec![
        ("io_uring", libc::SYS_io_uring_setup, "0, 0".to_owned(), libc::ENOSYS),
        ("clone", libc::SYS_clone, clone, libc::EPERM),
        ("clone3", libc::SYS_clone3, clone3, libc::ENOSYS),
        ("tiocsti", libc::SYS_ioctl, format!("0, {}, my $c = 'x'", libc::TIOCSTI), libc::EPERM),
        ("reserve", libc::SYS_fallocate, "0, 1, 0, 4096".to_owned(), libc::EOPNOTSUPP),
        (
            "reserve64",
            libc::SYS_ioctl,
            format!("0, {RESVSP64}, my $s = ' ' x 48"),
            libc::EOPNOTSUPP,
        ),
        ("netlink", libc::SYS_socket, of(libc::AF_NETLINK, "3, 4"), libc::EAFNOSUPPORT),
        ("vsock", libc::SYS_socket, of(libc::AF_VSOCK, "1, 0"), libc::EAFNOSUPPORT),
        ("packet", libc::SYS_socket, of(libc::AF_PACKET, "3, 768"), libc::EAFNOSUPPORT),
        (
            "pair",
            libc::SYS_socketpair,
            of(libc::AF_INET, "1, 0, my $f = ' ' x 8"),
            libc::EAFNOSUPPORT,
        ),
    ];
    if cfg!(target_arch = "x86_64") {
        let number = 0x4000_0000 | libc::SYS_getpid;
        calls.push(("x32", number, String::new(), libc::EPERM));
    }
    for (name, number, args, refusal) in calls {
        let args = if args.is_empty() { args } else { format!(", {args}") };
        // A new process has nothing to do.
        let script = format!(
            "my $r = syscall({number}{args}); exit 0 if $r == 0; wait if $r > 0; \
             exit($r < 0 && $! == {refusal})"
        );
        tally.run(&format!("call {name}"), name, "perl", &["-e", &script]);
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
