//! seccomp: system calls that no server needs and that lead out of the walls or into the kernel's darker corners.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

use crate::process::linux::step::Step;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Whether processes of others have numbers that the child can name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Hidden,
    Visible,
}

/// As if the kernel did not have them, so that libraries take the older way, whose arguments can be looked at.
const ABSENT: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Refused, whatever the arguments.
const REFUSED: &[c_long] = &[
    // Other processes' memory, descriptors and secrets.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Other views of the machine.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_syslog,
    libc::SYS_lookup_dcookie,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_vhangup,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Where other users' processes can be named: limits, priorities and processors only for oneself.
const SELF_ONLY: &[c_long] = &[
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
];

/// Where they can be named: memory that everybody with the same user id finds by its number.
const SHARED_MEMORY: &[c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

/// Flags of `clone` that make namespaces.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Requests that put words into the mouth of whoever sits at a terminal.
const TERMINAL: &[u64] = &[libc::TIOCSTI, TIOCLINUX];
const TIOCLINUX: u64 = 0x541c;

/// Requests that take space beyond a file's end as `fallocate` does: `FS_IOC_RESVSP`, `FS_IOC_RESVSP64` and
/// `FS_IOC_ZERO_RANGE` (linux/falloc.h).
const RESERVING: &[u64] = &[0x4030_5828, 0x4030_582a, 0x4030_5839];

/// The families of sockets that servers need; of netlink only what tells a library its own addresses and routes.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Denies these calls to the calling process and all its descendants.
pub(super) fn restrict(others: Others) -> Result<(), Step> {
    let failed = || Step::new("restrict its system calls", Errno::ENOSYS);
    for program in programs(others).ok_or_else(failed)? {
        apply_filter(&program).map_err(|_| failed())?;
    }
    Ok(())
}

/// One filter has one error number, hence several.
fn programs(others: Others) -> Option<Vec<BpfProgram>> {
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    let mut programs = vec![
        program(absent, Errno::ENOSYS)?,
        program(refused(others).ok()?, Errno::EPERM)?,
        program(sockets().ok()?, Errno::EAFNOSUPPORT)?,
        program(reservations().ok()?, Errno::EOPNOTSUPP)?,
    ];
    if cfg!(target_arch = "x86_64") {
        programs.push(x32());
    }
    Some(programs)
}

fn program(rules: Rules, errno: Errno) -> Option<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    let refusal = SeccompAction::Errno(errno as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch).ok()?.try_into().ok()
}

fn refused(others: Others) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let flags = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        rule(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)
    });
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    let requests =
        TERMINAL.iter().map(|request| rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    if others == Others::Visible {
        let somebody = |arg| rule(arg, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, 0);
        for call in SELF_ONLY.iter().chain([&libc::SYS_prlimit64]) {
            rules.insert(*call, vec![somebody(0)?]);
        }
        // A process, a group or all of a user: only "myself" is allowed.
        for call in [libc::SYS_setpriority, libc::SYS_ioprio_set] {
            rules.insert(call, vec![somebody(1)?]);
        }
        rules.extend(SHARED_MEMORY.iter().map(|call| (*call, Vec::new())));
    }
    Ok(rules)
}

/// Every family but those of the list, and of netlink every protocol but that of routes.
fn sockets() -> Result<Rules, seccompiler::BackendError> {
    let argument = |number, operator, value: i32| {
        let value = u64::from(value.unsigned_abs());
        SeccompCondition::new(number, SeccompCmpArgLen::Dword, operator, value)
    };
    let other = |family: &i32| argument(0, SeccompCmpOp::Ne, *family);
    let unlisted = SeccompRule::new(FAMILIES.iter().map(other).collect::<Result<_, _>>()?)?;
    let netlink = SeccompRule::new(vec![
        argument(0, SeccompCmpOp::Eq, libc::AF_NETLINK)?,
        argument(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE)?,
    ])?;
    let pair = SeccompRule::new(vec![other(&libc::AF_UNIX)?])?;
    Ok(Rules::from([
        (libc::SYS_socket, vec![unlisted, netlink]),
        (libc::SYS_socketpair, vec![pair]),
    ]))
}

/// Space beyond a file's end, which counts for no limit to its size (`RLIMIT_FSIZE`): as if the file system could not
/// give it. To give space back is allowed.
fn reservations() -> Result<Rules, seccompiler::BackendError> {
    let (keep, punch) =
        (libc::FALLOC_FL_KEEP_SIZE.unsigned_abs(), libc::FALLOC_FL_PUNCH_HOLE.unsigned_abs());
    let keeping = SeccompCmpOp::MaskedEq(u64::from(keep | punch));
    let requests = RESERVING
        .iter()
        .map(|request| rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request));
    Ok(Rules::from([
        (libc::SYS_fallocate, vec![rule(1, SeccompCmpArgLen::Dword, keeping, u64::from(keep))?]),
        (libc::SYS_ioctl, requests.collect::<Result<_, _>>()?),
    ]))
}

fn rule(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
}

/// Every call of the x32 kind, whose numbers no rule above knows. Refused rather than absent, as it is on most machines:
/// so it can be seen anywhere that it is we who refuse.
fn x32() -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const FIRST: u32 = 0x4000_0000;
    let statement = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    vec![
        statement(LOAD_NUMBER, 0),
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: FIRST },
        statement(RETURN, libc::SECCOMP_RET_ERRNO | Errno::EPERM as u32),
        statement(RETURN, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_fit_into_the_kernel() {
        for others in [Others::Hidden, Others::Visible] {
            let programs = programs(others).unwrap();
            assert!(programs.iter().all(|program| program.len() < 4096));
        }
    }
}
