//! What two users' children can do to each other behind each kind of walls.

use std::collections::BTreeSet;

use crate::neighbour::{Breaches, Victim};
use crate::users::{Kind, State, as_ordinary, as_root, permitted};

/// What must work where there are no walls, or the attacks prove nothing.
const ATTACKS: &[&str] = &[
    "abstract",
    "call-clone3",
    "call-netlink",
    "call-pair",
    "call-tiocsti",
    "call-x32",
    "chmod",
    "cmdline",
    "environ",
    "fd",
    "ionice",
    "link",
    "list",
    "listed",
    "mem",
    "mounts",
    "plant",
    "planted-in-a-tree",
    "priority",
    "prlimit",
    "ptrace",
    "read",
    "root",
    "segment",
    "signal",
    "socket",
    "stat",
    "utime",
    "vm",
    "write",
];

/// What `Findings::open` says of walls without namespaces, as attacks.
const OPEN_WITHOUT_NAMESPACES: &[&str] = &["cmdline", "listed", "mounts", "stat"];
/// What `Findings::open` says of `basic`, as attacks.
const OPEN_IN_BASIC: &[&str] =
    &["chmod", "cmdline", "fd", "listed", "mounts", "socket", "stat", "utime"];

async fn attack(kind: Kind) -> Breaches {
    let state = State::new();
    let alice = state.user("alice", 1, kind);
    let bob = state.user("bob", 2, kind);
    let victim = Victim::start(&state, &alice).await;
    let breaches = victim.attacked_by(&bob).await;
    victim.survives().await;
    breaches
}

fn kinds(breaches: &Breaches) -> BTreeSet<&str> {
    breaches.keys().map(String::as_str).collect()
}

async fn nothing_works_but(kind: Kind, open: &[&str]) {
    if !permitted(kind).await {
        return;
    }
    let mut breaches = attack(kind).await;
    breaches.retain(|kind, _| !open.contains(&kind.as_str()));
    assert!(breaches.is_empty(), "{kind:?}: {breaches:#?}");
}

#[tokio::test]
async fn without_walls_every_attack_works() {
    let breaches = attack(Kind::None).await;
    let missing: Vec<_> =
        ATTACKS.iter().filter(|kind| !kinds(&breaches).contains(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?} fail even without walls");
}

#[tokio::test]
async fn nothing_works_on_a_child_with_a_user_id_of_its_own() {
    if as_root() {
        nothing_works_but(Kind::Uid, &[]).await;
    }
}

#[tokio::test]
async fn without_namespaces_nothing_works_but_what_is_said() {
    if as_root() {
        nothing_works_but(Kind::UidAlone, OPEN_WITHOUT_NAMESPACES).await;
    }
}

#[tokio::test]
async fn nothing_works_on_a_child_in_namespaces_of_its_own() {
    if as_ordinary("walls::nothing_works_on_a_child_in_namespaces_of_its_own") {
        nothing_works_but(Kind::Namespaces, &[]).await;
    }
}

#[tokio::test]
async fn in_basic_nothing_works_but_what_is_said() {
    if as_ordinary("walls::in_basic_nothing_works_but_what_is_said") {
        nothing_works_but(Kind::Basic, OPEN_IN_BASIC).await;
    }
}
