//! Every state of a slot against every event, and what crashes cost.

use super::super::super::child::testing::{child, hello};
use super::*;
use crate::mcp::Era;

/// What happens to a slot; children are called by their numbers.
#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    StartLater,
    Ready(u64),
    Failed,
    Replace { old: u64, by: u64 },
    Drain,
    Retire,
    Ending(u64),
    Ended(u64),
    Crashed(u64),
}

const LATER: Duration = Duration::from_secs(60);
/// One more than a first crash, which is forgiven.
const QUICK: Duration = Duration::from_millis(5);

fn legacy(number: u64) -> Child {
    child(number, hello(Era::Legacy))
}

fn crash() -> Fate {
    Fate::Crashed { how: "ended".to_owned(), lived: QUICK, worth: Worth::Nothing }
}

/// The states in their order of life, each with nothing draining.
fn states(now: Instant) -> [SlotState; 5] {
    let in_state = |steps: &[Step]| {
        let mut state = SlotState::default();
        for one in steps {
            step(&mut state, *one, now);
        }
        state
    };
    [
        in_state(&[]),
        in_state(&[Step::Start]),
        in_state(&[Step::Start, Step::Ready(1)]),
        in_state(&[Step::Start, Step::Ready(1), Step::Ending(1)]),
        in_state(&[Step::Start, Step::Failed]),
    ]
}

/// Applies a step; returns what the machine answered and what it then holds.
fn step(state: &mut SlotState, step: Step, now: Instant) -> String {
    let start = |start| match start {
        Start::Granted => "granted",
        Start::Waits => "waits",
        Start::Later { .. } => "later",
        Start::Refused(_) => "refused",
    };
    let place = |placement| match placement {
        Placement::Serves => "serves",
        Placement::Drains => "drains",
    };
    let close = |child: Option<Child>| child.map_or("", |_| "close");
    let answer = match step {
        Step::Start => start(state.start(now)),
        Step::StartLater => start(state.start(now + LATER)),
        Step::Ready(number) => place(state.ready(legacy(number))),
        Step::Replace { old, by } => place(state.replace(old, legacy(by))),
        Step::Drain => close(state.drain()),
        Step::Retire => close(state.retire()),
        Step::Failed => {
            state.failed(NotStarted::NoProcess("none".to_owned()), now);
            ""
        }
        Step::Ending(number) => {
            state.ending(number);
            ""
        }
        Step::Ended(number) => {
            state.ended(number, &Fate::Closed, now);
            ""
        }
        Step::Crashed(number) => {
            state.ended(number, &crash(), now);
            ""
        }
    };
    let current = match &state.current {
        Current::Empty => "empty".to_owned(),
        Current::Starting => "starting".to_owned(),
        Current::Ready(child) => format!("ready {}", child.number()),
        Current::Ending { number } => format!("ending {number}"),
        Current::Failed { .. } => "failed".to_owned(),
        Current::Resting { .. } => "resting".to_owned(),
    };
    let draining = state.draining.iter().map(|child| format!("+{}", child.number()));
    let shown = [answer.to_owned(), current].into_iter().chain(draining);
    shown.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn every_state_meets_every_event() {
    use Step::{Crashed, Drain, Ended, Ending, Failed, Ready, Replace, Retire, Start, StartLater};
    let table = [
        // The event, and then: empty, starting, ready, ending, failed.
        (
            Start,
            [
                "granted starting",
                "waits starting",
                "waits ready 1",
                "waits ending 1",
                "refused failed",
            ],
        ),
        (
            StartLater,
            [
                "granted starting",
                "waits starting",
                "waits ready 1",
                "waits ending 1",
                "granted starting",
            ],
        ),
        (
            Ready(2),
            [
                "drains empty +2",
                "serves ready 2",
                "drains ready 1 +2",
                "drains ending 1 +2",
                "drains failed +2",
            ],
        ),
        (Failed, ["empty", "failed", "ready 1", "ending 1", "failed"]),
        (
            Replace { old: 1, by: 2 },
            [
                "serves ready 2",
                "drains starting +2",
                "serves ready 2 +1",
                "drains ending 1 +2",
                "serves ready 2",
            ],
        ),
        (
            Replace { old: 3, by: 2 },
            [
                "serves ready 2",
                "drains starting +2",
                "drains ready 1 +2",
                "drains ending 1 +2",
                "serves ready 2",
            ],
        ),
        (Drain, ["empty", "starting", "close empty +1", "ending 1", "failed"]),
        (Retire, ["empty", "starting", "close empty +1", "ending 1", "failed"]),
        (Ending(1), ["empty", "starting", "ending 1", "ending 1", "failed"]),
        (Ending(3), ["empty", "starting", "ready 1", "ending 1", "failed"]),
        (Ended(1), ["empty", "starting", "ready 1", "empty", "failed"]),
        (Ended(3), ["empty", "starting", "ready 1", "ending 1", "failed"]),
        (Crashed(1), ["empty", "starting", "ready 1", "empty", "failed"]),
    ];
    let now = Instant::now();
    for (event, expected) in table {
        for (mut state, expected) in states(now).into_iter().zip(expected) {
            let before = format!("{:?}", state.current);
            assert_eq!(step(&mut state, event, now), expected, "{event:?} in {before}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retired_slot_serves_nobody() {
    use Step::{Ended, Ending, Ready, Replace, Retire, Start};
    let now = Instant::now();
    let table: [(&[Step], &str); 4] = [
        (&[Retire, Start], "refused empty"),
        (&[Start, Retire, Ready(1)], "drains empty +1"),
        (&[Start, Ready(1), Retire, Replace { old: 1, by: 2 }], "drains empty +1 +2"),
        (&[Start, Ready(1), Ending(1), Retire, Ended(1)], "empty"),
    ];
    for (steps, expected) in table {
        let mut state = SlotState::default();
        let last = steps.iter().map(|one| step(&mut state, *one, now)).last();
        assert_eq!(last.as_deref(), Some(expected), "{steps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_drain_beside_the_one_that_serves() {
    use Step::{Crashed, Ended, Ending, Ready, Replace, Start};
    let now = Instant::now();
    let mut state = SlotState::default();
    let life = [
        (Start, "granted starting"),
        (Ready(1), "serves ready 1"),
        (Replace { old: 1, by: 2 }, "serves ready 2 +1"),
        (Replace { old: 2, by: 3 }, "serves ready 3 +1 +2"),
        (Ending(1), "ready 3 +1 +2"),
        (Crashed(1), "ready 3 +2"),
        (Ended(2), "ready 3"),
    ];
    for (event, expected) in life {
        assert_eq!(step(&mut state, event, now), expected, "{event:?}");
        let serving = state.child().map_or(0, |_| 1);
        assert_eq!(state.children().count(), serving + state.draining.len());
    }
}

#[tokio::test(start_paused = true)]
async fn crash_loops_back_off_and_what_served_is_none() {
    let now = Instant::now();
    let mut state = SlotState::default();
    let mut crash_after = |lived, worth| {
        assert_eq!(state.start(now + LATER), Start::Granted);
        state.ready(legacy(1));
        state.ending(1);
        let fate = Fate::Crashed { how: "ended".to_owned(), lived, worth };
        let crashes = state.ended(1, &fate, now);
        let wait = match &state.current {
            Current::Resting { why, until } => {
                let wait = until.duration_since(now);
                assert_eq!(why.retry, Retry::Time(Some(wait)));
                assert!(why.message.contains(&format!("({crashes} times in a row")));
                wait.as_secs()
            }
            _ => 0,
        };
        (crashes, wait)
    };
    let waits: Vec<u64> = (0..9).map(|_| crash_after(QUICK, Worth::Nothing).1).collect();
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(crash_after(STABLE_AFTER, Worth::Nothing), (1, 0));
    assert_eq!(crash_after(QUICK, Worth::Nothing), (2, 1));
    for _ in 0..2 {
        assert_eq!(crash_after(QUICK, Worth::Served), (1, 0), "it answered, and is no loop");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_it_rests_may_wait_and_who_waited_looks_again() {
    use Step::{Crashed, Ending, Failed, Ready, Replace, Start, StartLater};
    let now = Instant::now();
    let resting: [Step; 8] =
        [Start, Ready(1), Ending(1), Crashed(1), Start, Ready(2), Ending(2), Crashed(2)];
    let table = [
        (Start, "later resting"),
        (StartLater, "granted starting"),
        (Failed, "resting"),
        (Replace { old: 2, by: 3 }, "serves ready 3"),
    ];
    for (event, expected) in table {
        let mut state = SlotState::default();
        resting.iter().for_each(|one| drop(step(&mut state, *one, now)));
        assert!(state.is_settled() && state.failure().is_none());
        assert_eq!(step(&mut state, event, now), expected, "{event:?}");
    }
}

#[test]
fn a_start_that_nobody_wants_leaves_an_empty_slot() {
    let mut state = SlotState::default();
    state.vacate();
    assert_eq!(state.start(Instant::now()), Start::Granted);
    state.vacate();
    assert!(state.is_settled() && state.failure().is_none());
    assert_eq!(state.start(Instant::now()), Start::Granted);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_failed_says_when_to_come_again() {
    let now = Instant::now();
    let second = Retry::Time(Some(START_BACKOFF));
    let mut state = SlotState::default();
    let mut fail = |cause| {
        assert_eq!(state.start(now + LATER), Start::Granted);
        state.failed(cause, now);
        let Current::Failed { why, until } = &state.current else { panic!("{state:?}") };
        (why.retry, until.duration_since(now).as_secs())
    };
    assert_eq!(fail(NotStarted::Denied(Unavailable::for_now("full"))), (Retry::Time(None), 0));
    assert_eq!(fail(NotStarted::NeedsPeople("no secret".to_owned())), (Retry::People, 1));
    assert_eq!(fail(NotStarted::NoProcess("no file".to_owned())), (second, 1));
    // What ran and said nothing has crashed.
    let mute = || NotStarted::NoHandshake("mute".to_owned());
    let waits: Vec<u64> = (0..4).map(|_| fail(mute()).1).collect();
    assert_eq!(waits, [1, 1, 2, 4]);
}
