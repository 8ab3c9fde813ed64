//! A line of a stranger made harmless for a terminal and a log.

use std::iter::Peekable;
use std::str::Chars;

/// Removes terminal sequences and whatever could make a log line look like something else.
pub(super) fn printable(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_sequence(&mut chars),
            '\t' => clean.push(' '),
            // Marks of direction and line separators, which reorder or break what is shown.
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            char if char.is_control() => {}
            char => clean.push(char),
        }
    }
    clean
}

/// Skips what follows an escape character.
fn skip_sequence(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        // Control sequences end with a letter or one of a few signs.
        Some('[') => while chars.next().is_some_and(|char| !('@'..='~').contains(&char)) {},
        // Titles, links and the like end with a bell or an escaped backslash.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(char) = chars.next() {
                if char == '\u{7}' || (char == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        // The choice of a character set takes one more.
        Some('(' | ')' | '#' | '%') => {
            chars.next();
        }
        Some(_) | None => {}
    }
}
