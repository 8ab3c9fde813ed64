//! Whose answer a line was that is too long to be read: its beginning and its end are all that is kept of it.

/// The id of a response that is too long to be read. Servers write it first or last, and there it is certain:
/// what precedes the payload is no payload, and the last member before the closing brace is the envelope's.
pub(super) fn id_at_an_end(head: &[u8], tail: &[u8]) -> Option<u64> {
    let number = |text: &str| text.trim().parse().ok();
    let head: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let head = String::from_utf8_lossy(&head);
    for (before, between) in
        [(r#"{"jsonrpc":"2.0","id":"#, ""), (r#"{"id":"#, r#""jsonrpc":"2.0","#)]
    {
        if let Some((id, rest)) = head.strip_prefix(before).and_then(|rest| rest.split_once(','))
            && let Some(rest) = rest.strip_prefix(between)
        {
            // A request of the server's own has a number too.
            let answers = [r#""result""#, r#""error""#].iter().any(|name| rest.starts_with(name));
            return answers.then(|| number(id)).flatten();
        }
    }
    let start = tail.iter().position(u8::is_ascii).unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail[start..]);
    let (before, id) = tail.trim_end().strip_suffix('}')?.rsplit_once(r#""id":"#)?;
    (!before.ends_with('\\')).then(|| number(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_huge_answer_is_read_at_its_ends_only() {
        let some = |head: &str, tail: &str| id_at_an_end(head.as_bytes(), tail.as_bytes());
        assert_eq!(some(r#"{"jsonrpc":"2.0","id":12,"result":{"#, "xxx"), Some(12));
        assert_eq!(some(r#"{"jsonrpc": "2.0", "id": 12, "result": {"#, "xxx"), Some(12));
        assert_eq!(some(r#"{"id":12,"jsonrpc":"2.0","error":{"#, "xxx"), Some(12));
        assert_eq!(some(r#"{"result":{"text":"#, r#"x"},"jsonrpc":"2.0","id":34}"#), Some(34));
        assert_eq!(some(r#"{"result":{"text":"#, r#"\"id":34}"#), None);
        assert_eq!(
            some(r#"{"jsonrpc":"2.0","id":12,"method":"sampling/createMessage","#, "}"),
            None
        );
        assert_eq!(some("binary", "\u{fffd}\u{fffd} noise"), None);
    }
}
