//! Which forms are found, what is forgotten, and what happens when there is no more room.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

const TOKEN: &str = "ghp_16C7e42F292c6912/E7710c8+38?\"q\\";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn every_form_is_masked() {
    let redactor = Redactor::new();
    let _guard = redactor.learn(&secret(TOKEN));
    let hex = crate::hex::encode(TOKEN.as_bytes());
    let url = percent_encoding::utf8_percent_encode(TOKEN, percent_encoding::NON_ALPHANUMERIC);
    let form: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
    for text in [
        TOKEN.to_owned(),
        serde_json::to_string(TOKEN).unwrap(),
        serde_json::to_string(TOKEN).unwrap().replace('/', "\\/"),
        serde_json::to_string(&serde_json::to_string(TOKEN).unwrap()).unwrap(),
        hex.to_uppercase(),
        hex,
        form.clone(),
        form.replace("%2F", "%2f")
            .replace("%2B", "%2b")
            .replace("%3F", "%3f")
            .replace("%5C", "%5c"),
        url.to_string().replace("%5F", "_"),
    ] {
        let line = format!("before {text} after");
        let masked = redactor.mask(&line);
        assert!(masked.contains(MASK), "{text}");
        assert!(masked.starts_with("before ") && masked.ends_with(" after"));
        assert!(!masked.contains("16C7e42F292c6912"), "{text}");
        assert!(masked.len() < "before  after".len() + MASK.len() + 9, "{masked}");
    }
}

#[test]
fn the_lines_of_a_long_key_are_masked_one_by_one() {
    let redactor = Redactor::new();
    let _guard = redactor.learn(&secret("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n"));
    assert_eq!(redactor.mask("x MIIEvQIBADANBg"), "x [masked]");
    assert_eq!(redactor.mask("kqhkiG9w0BAQ"), MASK);
}

#[test]
fn a_secret_is_forgotten_with_its_last_guard() {
    let redactor = Redactor::new();
    let first = redactor.learn(&secret("hunter22"));
    let second = redactor.learn(&secret("hunter22"));
    drop(first);
    assert_eq!(redactor.mask("hunter22"), MASK);
    drop(second);
    assert_eq!(redactor.mask("hunter22"), "hunter22");
    assert_eq!(redactor.known.read().unwrap().bytes, 0);
}

#[test]
fn short_secrets_are_left_alone() {
    let redactor = Redactor::new();
    let _guards = [redactor.learn(&secret("12345")), redactor.learn(&secret(""))];
    assert!(matches!(redactor.mask("a 12345 b"), Cow::Borrowed("a 12345 b")));
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    let redactor = Redactor::new();
    let _guards = [redactor.learn(&secret("abcdefgh")), redactor.learn(&secret("efghijkl"))];
    assert_eq!(redactor.mask("<abcdefghijkl>"), "<[masked]>");
}

#[test]
fn without_room_nothing_is_shown_until_the_secret_is_gone() {
    let redactor = Redactor::new();
    let big = redactor.learn(&secret(&"x".repeat(MAX_SECRET + 1)));
    assert_eq!(redactor.mask("anything"), WITHHELD);
    drop(big);
    // Values without repetition, so that every form counts.
    let value =
        |n: usize| (0..MAX_SECRET / 8).map(|at| format!("{n:02}/{at:04x}.")).collect::<String>();
    let many: Vec<Learned> = (0..32).map(|n| redactor.learn(&secret(&value(n)))).collect();
    assert_eq!(redactor.mask("anything"), WITHHELD);
    drop(many);
    let one = redactor.learn(&secret(&value(0)));
    assert_eq!(redactor.mask(&value(0)).replace(MASK, ""), "");
    drop(one);
    assert_eq!(redactor.mask("anything"), "anything");
}

#[test]
fn many_secrets_are_all_known() {
    let redactor = Redactor::new();
    let guards: Vec<Learned> =
        (0..3 * SEGMENT).map(|n| redactor.learn(&secret(&format!("token-{n:04}-end")))).collect();
    for n in 0..guards.len() {
        assert_eq!(redactor.mask(&format!("token-{n:04}-end")), MASK);
    }
    drop(guards);
    assert!(redactor.known.read().unwrap().segments.is_empty());
}

proptest! {
    #[test]
    fn no_base64_shows_the_secret(
        key in "[!-~]{6,40}",
        before in prop::collection::vec(any::<u8>(), 0..9),
        after in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let redactor = Redactor::new();
        let _guard = redactor.learn(&secret(&key));
        let all = [before.as_slice(), key.as_bytes(), after.as_slice()].concat();
        for text in [STANDARD.encode(&all), URL_SAFE.encode(&all), URL_SAFE_NO_PAD.encode(&all)] {
            let masked = redactor.mask(&text);
            prop_assert!(masked.contains(MASK), "{}", text);
            // At most one character on either side still has a share in the secret.
            let kept = masked.len() - MASK.len() * masked.matches(MASK).count();
            let others = (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6);
            prop_assert!(kept <= others + 4, "{} in {}", masked, text);
        }
    }

    #[test]
    fn whatever_the_text_it_is_masked_without_panic(key in ".{0,30}", before in ".*", after in ".*") {
        let redactor = Redactor::new();
        let _guard = redactor.learn(&secret(&key));
        let text = format!("{before}{key}{after}");
        let masked = redactor.mask(&text);
        let looked_for = key.trim();
        if looked_for.len() >= MIN_SECRET && !MASK.contains(looked_for) {
            prop_assert!(masked.contains(MASK));
        }
    }
}

#[test]
fn a_secret_across_the_cut_shows_no_part_of_itself() {
    let redactor = Redactor::new();
    let _learned = redactor.learn(&secret("hunter2-hunter2"));
    let text = "hunter2-hunter2 and hunter2-hunter2 and more ü";
    for most in 0..=text.len() {
        let shown = redactor.mask_up_to(text, most);
        assert!(!shown.contains("hu"), "{most}: {shown}");
        assert!(shown.len() <= most + MASK.len(), "{most}: {shown}");
    }
    assert_eq!(redactor.mask_up_to(text, 25), "[masked] and [masked]");
    assert_eq!(redactor.mask_up_to("nothing", 3), "not");
    let long = forms::of(&"\u{1}ü\u{10ffff}".repeat(MAX_SECRET / 8));
    assert!(long.iter().all(|form| form.len() <= LONGEST_FORM));
}
