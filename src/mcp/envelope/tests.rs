//! Messages that are read, and texts that are none.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Message, EnvelopeError> {
    Message::parse(&ByteString::from(text))
}

#[test]
fn the_three_kinds() {
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
        Ok(Message::Request(Request { params: None, .. }))
    ));
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","method":"notifications\/x","params":{}}"#),
        Ok(Message::Notification(n)) if n.method == "notifications/x"
    ));
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m","data":[1]}}"#),
        Ok(Message::Response(Response { outcome: Err(e), .. })) if e.data.is_some()
    ));
}

#[test]
fn wrong_shapes_are_told_from_wrong_syntax() {
    for text in ["", "{", "nul", "{\"jsonrpc\":\"2.0\",}", "[1", "\u{1}"] {
        assert!(matches!(parse(text), Err(EnvelopeError::Syntax { .. })), "{text}");
    }
    for text in [
        "1",
        "null",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#,
    ] {
        assert!(matches!(parse(text), Err(EnvelopeError::Shape { .. })), "{text}");
    }
    assert!(matches!(parse("[]"), Err(EnvelopeError::Batch)));
}

#[test]
fn omitted_params_stay_omitted() {
    let mut out = Vec::new();
    Request::write(&mut out, &RequestId::from(7), "tools/list", None);
    assert_eq!(out, br#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#);
}

#[test]
fn payloads_pass_byte_for_byte_but_on_one_line() {
    let text = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"n\":1.0e0,\n\"b\":\"\\u00e9\"}}";
    let Ok(Message::Request(request)) = parse(text) else { panic!("a request") };
    let mut out = Vec::new();
    Request::write(&mut out, &request.id, &request.method, request.params.as_ref());
    assert_eq!(String::from_utf8(out).unwrap(), text.replace('\n', " "));
}

/// JSON of any shape, a few levels deep.
fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let keys = "(id|jsonrpc|method|params|result|error|[a-z]{0,3})";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Message::parse(&ByteString::from(text));
    }

    #[test]
    fn any_json_is_a_message_or_a_named_fault(value in json()) {
        match parse(&value.to_string()) {
            Ok(_) => prop_assert!(value.is_object()),
            Err(EnvelopeError::Batch) => prop_assert!(value.is_array()),
            Err(EnvelopeError::Shape { .. }) => {}
            Err(EnvelopeError::Syntax { cause }) => prop_assert!(false, "{cause}"),
        }
    }

    #[test]
    fn a_request_comes_back_as_it_was_written(
        number in any::<i64>(),
        method in ".{0,20}",
        member in json(),
    ) {
        let params = Raw::of(&serde_json::json!({ "a": member }));
        let mut out = Vec::new();
        Request::write(&mut out, &RequestId::Integer(number.into()), &method, Some(&params));
        let Ok(Message::Request(back)) = parse(std::str::from_utf8(&out).unwrap()) else {
            return Err(TestCaseError::fail("not a request"));
        };
        prop_assert_eq!(back.id, RequestId::Integer(number.into()));
        prop_assert_eq!(&*back.method, method.as_str());
        prop_assert_eq!(back.params, Some(params));
    }
}
