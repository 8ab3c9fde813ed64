//! The shapes in which a secret turns up in a log.
//!
//! It knows how programs escape and encode text; it keeps nothing.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::MIN_SECRET;
use crate::hex;

/// A long secret is looked for in pieces of about this many bytes.
const PIECE: usize = 256;
/// RFC 3986's unreserved characters stay.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What scripts call the encoding of a component: five more characters stay.
const COMPONENT: &AsciiSet =
    &STRICT.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// The encoding of a whole URL: delimiters stay as well.
const WHOLE: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');
/// HTML forms: `~` goes, `*` stays, a blank becomes `+`.
const FORM: &AsciiSet = &STRICT.add(b'~').remove(b'*').remove(b' ');

/// What JSON writers escape although they need not.
#[derive(Clone, Copy)]
enum Json {
    Plain,
    Slashes,
    Markup,
    Ascii,
}

/// Every form of a secret that is worth looking for; empty when it is too short.
pub(super) fn of(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms = Vec::new();
    let whole = secret.trim();
    add_pieces(&mut forms, whole);
    // Logs come by lines, so a key of many lines is never seen whole.
    for line in whole.lines() {
        add_pieces(&mut forms, line.trim());
    }
    forms.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    forms.dedup_by(|one, other| one.as_str() == other.as_str());
    forms
}

/// Adjacent pieces are found one after the other, and no search has to be deeper than a piece.
fn add_pieces(forms: &mut Vec<Zeroizing<String>>, secret: &str) {
    let mut rest = secret;
    while rest.len() > 2 * PIECE {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(PIECE));
        add(forms, piece);
        rest = tail;
    }
    add(forms, rest);
}

fn add(forms: &mut Vec<Zeroizing<String>>, secret: &str) {
    if secret.len() < MIN_SECRET {
        return;
    }
    let mut put = |form: String| forms.push(Zeroizing::new(form));
    put(secret.to_owned());
    for style in [Json::Plain, Json::Slashes, Json::Markup, Json::Ascii] {
        let once = json(secret, style);
        // JSON within JSON is what a server prints that logs the message it got.
        put(json(&once, Json::Plain));
        put(once);
    }
    put(hex::encode(secret.as_bytes()).to_ascii_uppercase());
    put(hex::encode(secret.as_bytes()));
    for set in [STRICT, COMPONENT, WHOLE, FORM] {
        let encoded = percent_encode(secret.as_bytes(), set).to_string().replace(' ', "+");
        put(lower_escapes(&encoded));
        put(encoded);
    }
    for alignment in 0..3 {
        let mut padded = Zeroizing::new(vec![0; alignment]);
        padded.extend_from_slice(secret.as_bytes());
        // Only the characters that no neighbouring byte has a share in are the same everywhere.
        let first = (alignment * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        put(STANDARD_NO_PAD.encode(&padded)[first..last].to_owned());
        put(URL_SAFE_NO_PAD.encode(&padded)[first..last].to_owned());
    }
}

/// `%2F` and `%2f` are the same to a URL, not to a search.
fn lower_escapes(encoded: &str) -> String {
    let mut left = 0;
    encoded
        .chars()
        .map(|character| {
            if character == '%' {
                left = 2;
                character
            } else if left > 0 {
                left -= 1;
                character.to_ascii_lowercase()
            } else {
                character
            }
        })
        .collect()
}

fn json(text: &str, style: Json) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match (character, style) {
            ('"', _) => escaped.push_str("\\\""),
            ('\\', _) => escaped.push_str("\\\\"),
            ('\n', _) => escaped.push_str("\\n"),
            ('\r', _) => escaped.push_str("\\r"),
            ('\t', _) => escaped.push_str("\\t"),
            ('\u{8}', _) => escaped.push_str("\\b"),
            ('\u{c}', _) => escaped.push_str("\\f"),
            ('/', Json::Slashes) => escaped.push_str("\\/"),
            ('<' | '>' | '&', Json::Markup) => code_units(&mut escaped, character),
            (character, _) if character < ' ' => code_units(&mut escaped, character),
            (character, Json::Ascii | Json::Slashes) if !character.is_ascii() => {
                code_units(&mut escaped, character);
            }
            (character, _) => escaped.push(character),
        }
    }
    escaped
}

fn code_units(escaped: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(escaped, "\\u{unit:04x}");
    }
}
