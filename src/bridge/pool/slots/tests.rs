//! Which slot a client gets, and which ones make room.

use super::super::super::child::Role;
use super::super::super::child::testing::{child, hello};
use super::*;
use crate::auth::Principal;
use crate::limits::Account;
use crate::mcp::{ProtocolVersion, Raw};
use crate::policy::Policy;

/// The slots of one user.
struct World {
    slots: Slots,
    connect: Connect,
}

// === impl World ===

impl World {
    fn new() -> Self {
        let connect = Policy::WholeServer.connect(&Arc::new(Principal::local())).unwrap();
        Self { slots: Slots::default(), connect }
    }

    fn key(&self) -> ChildKey {
        let user = self.connect.principal().user().clone();
        ChildKey { user, authority: "a".into(), session: None }
    }

    fn choose(&self, profile: &Profile, speech: Option<Speech>) -> (Seat, Vec<Child>) {
        self.slots.choose(self.key(), &self.connect, profile, speech, Seat::take)
    }

    fn legacy(&self, capabilities: &str) -> (Seat, Vec<Child>) {
        self.choose(&profile(capabilities), Some(Speech::Legacy))
    }

    fn user(&self) -> UserId {
        self.connect.principal().user().clone()
    }
}

fn profile(capabilities: &str) -> Profile {
    Profile::new(ProtocolVersion::NEWEST_LEGACY, &Raw::parse(capabilities).unwrap(), None)
}

fn started(seat: &Seat, number: u64) -> Child {
    let child = child(number, hello(Era::Legacy));
    seat.slot().start();
    seat.slot().ready(&child);
    child
}

fn numbers(children: &[Child]) -> Vec<u64> {
    children.iter().map(Child::number).collect()
}

const FORM: &str = r#"{"elicitation":{}}"#;
const ALL: &str = r#"{"elicitation":{},"sampling":{},"roots":{}}"#;

#[tokio::test(start_paused = true)]
async fn equal_clients_share_a_slot_and_modern_ones_any() {
    let world = World::new();
    let (first, _) = world.legacy(FORM);
    let (again, _) = world.legacy(FORM);
    let (other, _) = world.legacy(ALL);
    assert!(Arc::ptr_eq(first.slot(), again.slot()));
    assert!(!Arc::ptr_eq(first.slot(), other.slot()));
    let (modern, _) = world.choose(&profile(ALL), Some(Speech::Modern));
    assert!(Arc::ptr_eq(first.slot(), modern.slot()));
    assert_eq!(world.slots.all().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_most_profiles_a_client_gets_the_largest_that_is_within_its_own() {
    let world = World::new();
    let (form, _) = world.legacy(FORM);
    let _sampling = world.legacy(r#"{"sampling":{}}"#);
    let (richer, _) = world.legacy(r#"{"elicitation":{},"roots":{}}"#);
    assert!(Arc::ptr_eq(form.slot(), richer.slot()));
    let (poorer, _) = world.legacy(r#"{"roots":{}}"#);
    assert_eq!(poorer.slot().profile, Profile::plain(), "never one that promises more");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_makes_room() {
    let world = World::new();
    let (warm, _) =
        world.slots.choose(world.key(), &world.connect, &Profile::plain(), None, Seat::warm);
    started(&warm, 1);
    drop(warm);
    let (form, leaving) = world.legacy(FORM);
    assert_eq!(numbers(&leaving), [1], "it was only warmed up");
    started(&form, 2);
    let _sampling = world.legacy(r#"{"sampling":{}}"#);
    drop(form);
    let (_all, leaving) = world.legacy(ALL);
    assert_eq!(numbers(&leaving), [2], "the profile that nobody uses");
}

#[tokio::test(start_paused = true)]
async fn the_idlest_child_makes_room_and_a_used_one_never() {
    let world = World::new();
    let ((first, _), (second, _)) = (world.legacy(FORM), world.legacy(ALL));
    started(&first, 1);
    started(&second, 2);
    assert!(world.slots.retire_idlest(&world.user(), Full::User).is_none());
    drop(second);
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(first);
    let idlest = world.slots.retire_idlest(&world.user(), Full::All);
    assert_eq!(idlest.map(|child| child.number()), Some(2));
    assert_eq!(world.slots.all().len(), 1);
}

/// A session waits for its next call: it keeps its slot, and a child only while one is needed more than another.
#[tokio::test(start_paused = true)]
async fn a_session_at_rest_keeps_its_slot_and_no_child() {
    let world = World::new();
    let idle = Duration::from_secs(60);
    let ((first, _), (second, _)) = (world.legacy(FORM), world.legacy(ALL));
    started(&first, 1);
    started(&second, 2);
    let (quiet, waiting) = (first.resting(), second.resting());
    let member = second
        .subscribers()
        .join(Role::Session { capabilities: Raw::empty_object() }, &Account::unlimited());
    member.follows(1);
    let stream = member.open();
    drop((first, second));
    tokio::time::advance(idle).await;
    assert_eq!(numbers(&world.slots.retire_unused(idle)), [1], "somebody waits for news");
    assert_eq!(world.slots.all().len(), 2);
    assert!(!quiet.slot().is_retired());
    let evicted = world.slots.retire_idlest(&world.user(), Full::User);
    assert_eq!(evicted.map(|child| child.number()), Some(2), "there is no other");
    drop(stream);
    started(&waiting, 3);
    assert_eq!(numbers(&world.slots.retire_unused(idle)), [3]);
    drop((quiet, waiting));
    world.slots.retire_unused(idle);
    assert!(world.slots.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn unused_slots_go_but_none_in_which_a_child_is_started() {
    let world = World::new();
    let idle = Duration::from_secs(60);
    let ((first, _), (second, _)) = (world.legacy(FORM), world.legacy(ALL));
    started(&first, 1);
    second.slot().start();
    drop((first, second));
    assert!(world.slots.retire_unused(idle).is_empty());
    tokio::time::advance(idle).await;
    assert_eq!(numbers(&world.slots.retire_unused(idle)), [1]);
    assert_eq!(world.slots.all().len(), 1);
}

/// A server that speaks both eras has a child for the modern clients and others for the legacy ones.
#[tokio::test(start_paused = true)]
async fn clients_of_two_eras_have_two_children_of_a_server_of_both() {
    let world = World::new();
    let modern = |capabilities: &str| {
        Profile::of_modern(&Raw::parse(capabilities.to_owned()).unwrap(), None)
    };
    let choose = |profile: &Profile| world.choose(profile, Some(Speech::Both)).0;
    let (one, other) = (choose(&modern(FORM)), choose(&modern(ALL)));
    assert!(Arc::ptr_eq(one.slot(), other.slot()), "what a modern client can do says each request");
    let legacy = choose(&profile(FORM));
    assert!(!Arc::ptr_eq(one.slot(), legacy.slot()));
    // Three profiles beside the modern one: two of the legacy ones, and the empty one, which another legacy client gets.
    let _poorer = choose(&profile(r#"{"roots":{}}"#));
    assert_eq!(choose(&profile(r#"{"sampling":{}}"#)).slot().profile, Profile::plain());
    assert_eq!(world.slots.all().len(), 4);
}

/// Where the server is a legacy one, the era of its clients makes no difference.
#[tokio::test(start_paused = true)]
async fn clients_of_two_eras_share_a_legacy_child() {
    let world = World::new();
    let (legacy, _) = world.legacy(FORM);
    let modern = Profile::of_modern(&Raw::parse(FORM).unwrap(), None);
    let (modern, _) = world.choose(&modern, Some(Speech::Legacy));
    assert!(Arc::ptr_eq(legacy.slot(), modern.slot()));
}

/// One child does for all of them, beside those of as many legacy profiles as there may be.
#[tokio::test(start_paused = true)]
async fn modern_clients_of_a_server_of_both_eras_have_a_child_of_their_own_era() {
    let modern = Profile::of_modern(&Raw::parse(ALL).unwrap(), None);
    for speech in [Speech::Both, Speech::ModernAtLeast] {
        let world = World::new();
        let legacy = [FORM, r#"{"sampling":{}}"#, r#"{"roots":{}}"#]
            .map(|own| world.choose(&profile(own), Some(speech)).0);
        let (seat, leaving) = world.choose(&modern, Some(speech));
        assert_eq!((seat.slot().profile.era, leaving.len()), (Era::Modern, 0), "{speech:?}");
        let (again, _) = world.choose(&modern, Some(speech));
        assert!(Arc::ptr_eq(seat.slot(), again.slot()));
        drop(legacy);
    }
}
