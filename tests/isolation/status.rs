//! What the kernel says of a command itself, in each form of the walls: no capability in any set, no way to get one, the
//! filter in force, and no group but its own.

use crate::users::{GROUP, Kind, State, as_ordinary, is_root, permitted, with_a_group};

/// The lines of `/proc/self/status`, as the command reads them.
async fn status(kind: Kind) -> impl Fn(&str) -> String {
    let state = State::new();
    let text = state.user("alice", 1, kind).says("cat /proc/self/status").await;
    move |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name}: {text}")).trim().to_owned()
    }
}

async fn holds_nothing(kind: Kind) {
    if !permitted(kind).await {
        return;
    }
    let of = status(kind).await;
    let none = format!("{:016x}", 0);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(of(set), none, "{kind:?}: {set}");
    }
    // Who cannot give it up, an ordinary user without a namespace, cannot use it either: no new privileges.
    if is_root() || kind != Kind::Basic {
        assert_eq!(of("CapBnd"), none, "{kind:?}");
    }
    assert_eq!(of("NoNewPrivs"), "1", "{kind:?}");
    assert_eq!(of("Seccomp"), "2", "{kind:?}");
    if matches!(kind, Kind::Uid | Kind::UidAlone) {
        assert_eq!(of("Groups"), "", "{kind:?}");
        let ids: Vec<u32> = [of("Uid"), of("Gid")]
            .iter()
            .flat_map(|line| {
                line.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()
            })
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0] && *id >= 200_000), "{kind:?}: {ids:?}");
    }
}

#[tokio::test]
async fn a_command_of_root_holds_no_capability_and_no_group() {
    if !crate::users::as_root()
        || !with_a_group("status::a_command_of_root_holds_no_capability_and_no_group")
    {
        return;
    }
    // There is something to lose.
    let bare = status(Kind::None).await;
    assert!(bare("Groups").split_whitespace().any(|group| group == GROUP));
    assert_ne!(u64::from_str_radix(&bare("CapBnd"), 16).unwrap(), 0);
    assert_ne!(u64::from_str_radix(&bare("CapPrm"), 16).unwrap(), 0);
    for kind in [Kind::Uid, Kind::UidAlone, Kind::Basic] {
        holds_nothing(kind).await;
    }
}

#[tokio::test]
async fn a_command_of_an_ordinary_user_holds_no_capability() {
    if !as_ordinary("status::a_command_of_an_ordinary_user_holds_no_capability") {
        return;
    }
    for kind in [Kind::Namespaces, Kind::Basic] {
        holds_nothing(kind).await;
    }
}
