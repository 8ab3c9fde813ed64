//! Whose a value is, and when it is forgotten.

use super::*;
use crate::auth::Principal;

fn user(subject: &str) -> UserId {
    Principal::for_tests("i", None, subject, &[]).user().clone()
}

#[test]
fn a_value_belongs_to_its_first_user() {
    let watch = SharedWatch::new(&["OPEN".to_owned()]).unwrap();
    let value = SecretString::from("same");
    let held = watch.admit("A", &user("alice"), &value).unwrap();
    let again = watch.admit("B", &user("alice"), &value).unwrap();
    drop((held, again));
    let padded = SecretString::from("same\n");
    for other in [&value, &padded] {
        let refused = watch.admit("A", &user("bob"), other).unwrap_err();
        assert!(matches!(refused, WatchError::Shared { name } if name == "A"));
    }
    let _open = watch.admit("OPEN", &user("bob"), &value).unwrap();
}

#[test]
fn only_what_nobody_holds_is_forgotten() {
    let watch = SharedWatch::with_limit(&[], 4).unwrap();
    let value = |n: usize| SecretString::from(format!("value {n}"));
    let live = watch.admit("A", &user("alice"), &value(0)).unwrap();
    for n in 1..100 {
        drop(watch.admit("A", &user("alice"), &value(n)).unwrap());
    }
    assert!(watch.remembered() <= 4);
    assert!(watch.admit("A", &user("bob"), &value(0)).is_err());
    let more: Vec<LiveValue> =
        (200..203).map(|n| watch.admit("A", &user("alice"), &value(n)).unwrap()).collect();
    let full = watch.admit("A", &user("alice"), &value(300)).unwrap_err();
    assert!(matches!(full, WatchError::Full { .. }));
    drop((live, more));
    drop(watch.admit("A", &user("alice"), &value(300)).unwrap());
}

#[test]
fn a_fingerprint_tells_values_apart_in_one_process_only() {
    let (one, two) = (SharedWatch::new(&[]).unwrap(), SharedWatch::new(&[]).unwrap());
    let value = SecretString::from("v");
    assert_eq!(one.fingerprint(&value), one.fingerprint(&value));
    assert_ne!(one.fingerprint(&value), one.fingerprint(&SecretString::from("w")));
    assert_ne!(one.fingerprint(&value), two.fingerprint(&value));
}
