//! Bytes as lower-case hexadecimal text, and back.

use std::fmt::Write as _;

/// Two digits for each byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    // The whole size at once: a text that grows leaves copies behind of what may be a secret.
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of a text of digits in either case; `None` if it is anything else.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        assert_eq!(encode(&[0, 0x0f, 0xf0, 0xff]), "000ff0ff");
        assert_eq!(decode("000Ff0fF"), Some(vec![0, 0x0f, 0xf0, 0xff]));
        assert_eq!(decode(""), Some(vec![]));
        for text in ["0", "0g", "+1", "zz", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
