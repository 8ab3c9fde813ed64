//! What a stream keeps, and for whom.

use super::*;

fn stream(number: u64) -> Arc<EventStream> {
    EventStream::new(number, &Account::unlimited())
}

fn event(text: &str) -> Content {
    Content(vec![bytes::Bytes::from(text.to_owned())])
}

fn texts(reader: &mut Reader) -> Vec<String> {
    let mut all = Vec::new();
    while let Step::Frame(frame) = reader.step() {
        all.push(String::from_utf8(frame.content.0[0].to_vec()).unwrap());
    }
    all
}

#[test]
fn a_resume_replays_what_followed_and_nothing_else() {
    let stream = stream(3);
    for text in ["a", "b", "c"] {
        stream.push(event(text));
    }
    assert_eq!(texts(&mut stream.read(Some(1)).unwrap()), ["b", "c"]);
    assert_eq!(texts(&mut stream.read(Some(3)).unwrap()), Vec::<String>::new());
    assert_eq!(stream.read(Some(4)).unwrap_err(), Evicted);
}

#[test]
fn the_newest_reader_takes_over() {
    let stream = stream(1);
    let mut old = stream.read(None).unwrap();
    stream.push(event("a"));
    let mut new = stream.read(None).unwrap();
    assert!(matches!(old.step(), Step::End));
    assert_eq!(texts(&mut new), ["a"]);
}

#[test]
fn the_store_is_bounded_and_says_so() {
    let stream = stream(1);
    for _ in 0..MOST_EVENTS + 10 {
        stream.push(event("x"));
    }
    assert_eq!(texts(&mut stream.read(Some(0)).unwrap()).len(), MOST_EVENTS + 10);
    assert_eq!(stream.read(Some(1)).unwrap_err(), Evicted);
    assert!(stream.read(Some(10)).is_ok());
}

#[test]
fn what_nobody_has_read_is_not_pushed_out_by_its_size() {
    let stream = stream(1);
    let mut reader = stream.read(None).unwrap();
    stream.push(event("a"));
    stream.push(event(&"x".repeat(MOST_BYTES + 1)));
    assert_eq!(texts(&mut reader).len(), 2);
    assert_eq!(stream.read(Some(0)).unwrap_err(), Evicted);
}

#[test]
fn a_slow_reader_loses_what_it_can_do_without() {
    let stream = stream(1);
    for _ in 0..10_000 {
        stream.push_if_room(event("progress"));
    }
    stream.push(event("final"));
    let all = texts(&mut stream.read(None).unwrap());
    assert!(all.len() <= usize::try_from(MOST_WAITING).unwrap() + 1);
    assert_eq!(all.last().unwrap(), "final");
}

/// What is stored is charged, once however many have it; what a client has seen goes first where room is needed.
#[test]
fn what_is_stored_is_charged_until_it_is_forgotten() {
    let account = Account::unlimited();
    let stream = EventStream::new(1, &account);
    let large = crate::limits::LARGE;
    stream.push(event("small"));
    assert_eq!(account.held(), 0, "a stream that is not stored is its call's");
    stream.push(event(&"x".repeat(large)));
    assert_eq!(account.held(), large);
    stream.keep();
    let small = STREAM_COSTS + 2 * EVENT_COSTS + "small".len();
    assert_eq!(account.held(), small + large);
    let mut reader = stream.read(Some(0)).unwrap();
    assert!(matches!(reader.step(), Step::Frame(_)));
    stream.finish();
    assert_eq!(stream.forget_delivered(), Rest::Unread);
    assert_eq!(account.held(), small + large - EVENT_COSTS - "small".len());
    let Step::Frame(sent) = reader.step() else { panic!("the large one") };
    assert_eq!(stream.forget_delivered(), Rest::Nothing);
    assert_eq!(account.held(), STREAM_COSTS + large, "a socket still has it");
    drop(sent);
    assert_eq!(account.held(), STREAM_COSTS);
    drop((stream, reader));
    assert_eq!(account.held(), 0);
}
