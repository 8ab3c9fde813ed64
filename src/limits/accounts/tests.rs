//! What fits, what comes back, and who is refused for whom.

use super::*;
use crate::auth::Principal;
use crate::limits::{CALL, LARGE, Share, Short, hold};

const MIB: usize = 1024 * 1024;

fn user(subject: &str) -> UserId {
    Principal::for_tests("https://idp.example", None, subject, &[]).user().clone()
}

fn share(account: &Arc<Account>, bytes: usize) -> Result<Share, Short> {
    let mut share = Share::of(account);
    share.try_set(bytes).map(|()| share)
}

#[test]
fn each_user_has_his_own_and_gets_it_back() {
    let accounts = Accounts::of_many(usize::MAX, 8 * MIB);
    let (alice, bob) = (accounts.of(&user("alice")), accounts.of(&user("bob")));
    let first = share(&alice, 6 * MIB).unwrap();
    assert_eq!(share(&alice, 3 * MIB).unwrap_err(), Short::User);
    assert_eq!(accounts.of(&user("alice")).held(), 6 * MIB, "it is the same account");
    share(&bob, 3 * MIB).unwrap();
    assert_eq!(bob.held(), 0);
    drop(first);
    assert_eq!(alice.held(), 0);
    share(&alice, 8 * MIB).unwrap();
}

#[test]
fn a_share_grows_and_shrinks_and_a_refusal_leaves_it() {
    let accounts = Accounts::of_many(usize::MAX, 8 * MIB);
    let alice = accounts.of(&user("alice"));
    let _other = share(&alice, 4 * MIB).unwrap();
    let mut own = share(&alice, 3 * MIB).unwrap();
    assert_eq!(own.try_set(5 * MIB), Err(Short::User));
    assert_eq!(alice.held(), 7 * MIB);
    own.try_set(MIB).unwrap();
    assert_eq!(alice.held(), 5 * MIB);
    assert_eq!(own.try_add(4 * MIB), Err(Short::User), "another item, not a larger one");
    own.try_add(MIB).unwrap();
    // What is there already is counted all the same.
    own.set(9 * MIB);
    assert_eq!(alice.held(), 13 * MIB);
    assert_eq!(alice.admits(0), Err(Short::User));
}

#[test]
fn a_single_item_of_any_size_fits_beside_little() {
    let accounts = Accounts::of_many(32 * MIB, 8 * MIB);
    let alice = accounts.of(&user("alice"));
    let little = share(&alice, 2 * MIB).unwrap();
    let mut item = share(&alice, MIB).unwrap();
    for size in [8 * MIB, 30 * MIB, 64 * MIB] {
        item.try_set(size).unwrap();
    }
    assert_eq!(share(&alice, LARGE).unwrap_err(), Short::User, "nothing fits beside it");
    assert_eq!(alice.admits(0), Err(Short::User));
    alice.admits(64 * MIB).unwrap();
    drop((item, little));
    let _much = share(&alice, 2 * MIB + 1).unwrap();
    assert_eq!(share(&alice, 64 * MIB).unwrap_err(), Short::User);
}

#[test]
fn whoever_holds_little_is_not_refused_for_what_others_hold() {
    let accounts = Accounts::of_many(16 * MIB, 64 * MIB);
    let (alice, bob) = (accounts.of(&user("alice")), accounts.of(&user("bob")));
    let _much = share(&alice, 16 * MIB).unwrap();
    assert_eq!(alice.admits(0), Err(Short::Total));
    bob.admits(0).unwrap();
    let _little = share(&bob, MIB).unwrap();
    bob.admits(0).unwrap();
    assert_eq!(share(&bob, CALL).unwrap_err(), Short::Total);
    assert_eq!(bob.held(), MIB, "a refusal costs nothing");
}

#[test]
fn one_user_may_have_everything_where_there_is_one() {
    let accounts = Accounts::of_one(16 * MIB);
    let developer = accounts.of(&user("anybody"));
    let _much = share(&developer, 16 * MIB).unwrap();
    assert_eq!(developer.admits(0), Err(Short::Total));
    assert!(Arc::ptr_eq(&developer, &accounts.of(&user("somebody"))));
}

#[test]
fn bytes_that_hold_their_share_hold_it_to_the_last_part() {
    let account = Account::unlimited();
    let bytes = hold(bytes::Bytes::from_static(b"whole"), share(&account, 5).unwrap());
    let part = bytes.slice(1..2);
    drop(bytes);
    assert_eq!((part.as_ref(), account.held()), (b"h".as_slice(), 5));
    drop(part);
    assert_eq!(account.held(), 0);
}

#[tokio::test]
async fn whoever_was_refused_is_named_once_and_only_he() {
    let accounts = Accounts::of_many(16 * MIB, 8 * MIB);
    let (alice, bob) = (accounts.of(&user("alice")), accounts.of(&user("bob")));
    let mut much = share(&alice, 8 * MIB).unwrap();
    assert!(!alice.is_at_ease());
    alice.admits(0).unwrap_err();
    accounts.pressed().await;
    let pressed = accounts.pressed_ones();
    assert!(pressed.include(&alice) && !pressed.include(&bob));
    assert!(!accounts.pressed_ones().include(&alice), "it was said");
    much.set(16 * MIB);
    share(&bob, 2 * MIB).unwrap_err();
    assert!(accounts.pressed_ones().include(&alice), "all of them make room in the total");
    drop(much);
    assert!(alice.is_at_ease());
}

#[test]
fn accounts_that_nobody_has_a_hand_on_are_forgotten() {
    let accounts = Accounts::of_many(MIB, MIB);
    let held = accounts.of(&user("alice"));
    drop(accounts.of(&user("bob")));
    accounts.forget_unused();
    let Whose::Many { known, .. } = &accounts.whose else { panic!() };
    assert_eq!(known.read().unwrap().keys().map(UserId::subject).collect::<Vec<_>>(), ["alice"]);
    drop(held);
}
