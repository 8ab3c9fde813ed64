//! What a line was that is too long to be read: its beginning and its end are all that is kept of it.

use crate::mcp::RequestId;

/// Who has to be told that a line was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The call of this number, whose answer it was.
    Answer(u64),
    /// The server, whose request it was.
    Request(RequestId),
}

/// Reads the id of a message that is too long to be read. Servers write it first or last, and there it is certain:
/// what precedes the payload is no payload, and the last member before the closing brace is the envelope's. What kind
/// of message it is stands at its beginning.
pub(super) fn id_at_an_end(head: &[u8], tail: &[u8]) -> Option<Lost> {
    // White space within an id would be lost, which is seen then.
    let raw_head = String::from_utf8_lossy(head);
    let head: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let head = String::from_utf8_lossy(&head);
    for (before, between) in
        [(r#"{"jsonrpc":"2.0","id":"#, ""), (r#"{"id":"#, r#""jsonrpc":"2.0","#)]
    {
        if let Some((id, rest)) = head.strip_prefix(before).and_then(|rest| rest.split_once(','))
            && let Some(rest) = rest.strip_prefix(between)
        {
            return lost(kind(rest)?, id).filter(|_| raw_head.contains(id));
        }
    }
    let rest = head.strip_prefix('{')?;
    let kind = kind(rest.strip_prefix(r#""jsonrpc":"2.0","#).unwrap_or(rest))?;
    let start = tail.iter().position(u8::is_ascii).unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail[start..]);
    let (before, id) = tail.trim_end().strip_suffix('}')?.rsplit_once(r#""id":"#)?;
    (!before.ends_with('\\')).then(|| lost(kind, id)).flatten()
}

/// What kind of message a member makes of it.
#[derive(Clone, Copy)]
enum Kind {
    Answer,
    Request,
}

fn kind(members: &str) -> Option<Kind> {
    let is = |name: &str| members.starts_with(name);
    match is(r#""method":"#) || is(r#""params":"#) {
        true => Some(Kind::Request),
        false => (is(r#""result":"#) || is(r#""error":"#)).then_some(Kind::Answer),
    }
}

fn lost(kind: Kind, id: &str) -> Option<Lost> {
    match kind {
        Kind::Answer => id.trim().parse().ok().map(Lost::Answer),
        Kind::Request => RequestId::read(serde_json::from_str(id.trim()).ok()?).map(Lost::Request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_huge_answer_is_read_at_its_ends_only() {
        let some = |head: &str, tail: &str| id_at_an_end(head.as_bytes(), tail.as_bytes());
        let answer = |id| Some(Lost::Answer(id));
        assert_eq!(some(r#"{"jsonrpc":"2.0","id":12,"result":{"#, "xxx"), answer(12));
        assert_eq!(some(r#"{"jsonrpc": "2.0", "id": 12, "result": {"#, "xxx"), answer(12));
        assert_eq!(some(r#"{"id":12,"jsonrpc":"2.0","error":{"#, "xxx"), answer(12));
        assert_eq!(some(r#"{"result":{"text":"#, r#"x"},"jsonrpc":"2.0","id":34}"#), answer(34));
        assert_eq!(some(r#"{"result":{"text":"#, r#"\"id":34}"#), None);
        assert_eq!(some("binary", "\u{fffd}\u{fffd} noise"), None);
    }

    /// Its number is the server's own: no call of ours may be taken for it.
    #[test]
    fn a_request_is_no_answer_wherever_its_id_stands() {
        let some = |head: &str, tail: &str| id_at_an_end(head.as_bytes(), tail.as_bytes());
        let request = |id: RequestId| Some(Lost::Request(id));
        let named = || RequestId::Text("a".into());
        let first = r#"{"jsonrpc":"2.0","id":12,"method":"sampling/createMessage","#;
        assert_eq!(some(first, "}"), request(12.into()));
        assert_eq!(some(r#"{"jsonrpc":"2.0","id":"a","method":"roots/"#, "}"), request(named()));
        assert_eq!(some(r#"{"jsonrpc":"2.0","id":"a b","method":"roots/"#, "}"), None);
        for head in [r#"{"method":"sampling/"#, r#"{"jsonrpc":"2.0","method":"sampling/"#] {
            assert_eq!(some(head, r#"x"},"jsonrpc":"2.0","id":34}"#), request(34.into()));
            assert_eq!(some(head, r#"x"},"id":"a"}"#), request(named()));
        }
    }
}
