//! What waits to be written: bounded in bytes, with a share for each user, and who waits for it.
//!
//! Pure: it neither writes nor waits. A call's first record brings the room for its second along.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Bytes of all records that wait, with the room for the ends of what has begun.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Of these, one user's: one user alone cannot fill the queue for the others.
const MOST_OF_ONE: usize = MOST_BYTES / 4;
/// Beyond these, for what happened already and cannot be refused, such as the end of a process.
const SPARE: usize = 1024 * 1024;
/// The longest second record of a call, in bytes.
pub(super) const END_ROOM: usize = 192;

/// Whose share something is counted against: his digest as a number, zero for nobody known.
pub(super) type User = u128;

/// Why something cannot be put on record, so that it must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The queue is full, or the record was not written in time.
    #[error("the audit log cannot keep up")]
    Behind,
    /// The caller's own share of the queue is full.
    #[error("the audit log cannot keep up with your calls")]
    Share,
    /// It cannot be written at all; the log says why.
    #[error("the audit log cannot be written; tell your operator")]
    Stopped,
}

/// What is told whoever waits for a record.
pub(super) type Verdict = Result<(), NotRecorded>;

/// Who waits for a record.
pub(super) enum Waiter {
    /// A task.
    Task(oneshot::Sender<Verdict>),
    /// What has to be done in its turn, before anything that is recorded later.
    Turn(Box<dyn FnOnce(Verdict) + Send>),
}

/// Whether what is recorded can still be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It can: it needs room within the bounds.
    Ordinary,
    /// It cannot.
    Spare,
}

/// One record.
#[derive(Debug)]
pub(super) struct Line {
    number: u64,
    pub(super) text: String,
    user: User,
}

struct Waiting {
    number: u64,
    since: Instant,
    user: User,
    who: Waiter,
}

/// The records that wait, and those who wait for them.
#[derive(Default)]
pub(super) struct Queue {
    lines: VecDeque<Line>,
    waiting: VecDeque<Waiting>,
    /// Of the last line that was queued.
    number: u64,
    bytes: usize,
    users: HashMap<User, usize>,
}

// === impl Queue ===

impl Queue {
    /// Queues a record that nobody waits for.
    pub(super) fn push(&mut self, user: User, text: String, kind: Room) -> Result<(), NotRecorded> {
        self.have_room(user, text.len(), kind)?;
        self.queue(user, text);
        Ok(())
    }

    /// Queues the first record of a call, with somebody who waits for it, and keeps room for the second.
    pub(super) fn push_awaited(
        &mut self,
        user: User,
        text: String,
        who: Waiter,
    ) -> Result<(), NotRecorded> {
        self.have_room(user, text.len() + END_ROOM, Room::Ordinary)?;
        self.take(user, END_ROOM);
        let number = self.queue(user, text);
        self.waiting.push_back(Waiting { number, since: Instant::now(), user, who });
        Ok(())
    }

    /// Queues the second record of a call, for which room was kept.
    pub(super) fn push_end(&mut self, user: User, text: String) {
        self.give_back(user, END_ROOM);
        self.queue(user, text);
    }

    fn queue(&mut self, user: User, text: String) -> u64 {
        self.take(user, text.len());
        self.number += 1;
        self.lines.push_back(Line { number: self.number, text, user });
        self.number
    }

    fn have_room(&self, user: User, size: usize, kind: Room) -> Result<(), NotRecorded> {
        match kind {
            Room::Ordinary if self.bytes + size > MOST_BYTES => Err(NotRecorded::Behind),
            Room::Ordinary if self.of(user) + size > MOST_OF_ONE => Err(NotRecorded::Share),
            Room::Spare if self.bytes + size > MOST_BYTES + SPARE => Err(NotRecorded::Behind),
            Room::Ordinary | Room::Spare => Ok(()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether somebody waits for a record.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everything that is queued; it counts until it is [`settled`](Self::settled).
    pub(super) fn take_all(&mut self) -> VecDeque<Line> {
        std::mem::take(&mut self.lines)
    }

    /// The first `written` of these lines are written, the others wait again. Returns who waited for the former.
    #[must_use]
    pub(super) fn settled(&mut self, mut batch: VecDeque<Line>, written: usize) -> Vec<Waiter> {
        let mut last = 0;
        for line in batch.drain(..written) {
            last = line.number;
            self.give_back(line.user, line.text.len());
        }
        batch.append(&mut self.lines);
        self.lines = batch;
        let done = self.waiting.iter().take_while(|waiting| waiting.number <= last).count();
        self.waiting.drain(..done).map(|waiting| waiting.who).collect()
    }

    /// Nothing can be written: whoever waits is refused, and his record taken back. Returns whom to tell besides, and
    /// how many were refused.
    #[must_use]
    pub(super) fn refuse_waiting(&mut self) -> (Vec<Waiter>, usize) {
        let mut turns = Vec::new();
        let mut taken_back = std::collections::HashSet::new();
        for Waiting { number, user, who, .. } in std::mem::take(&mut self.waiting) {
            match who {
                Waiter::Task(task) => {
                    // Whoever has gone queues the record of that; then the first one stays too.
                    if task.send(Err(NotRecorded::Stopped)).is_err() {
                        continue;
                    }
                }
                turn @ Waiter::Turn(_) => turns.push(turn),
            }
            self.give_back(user, END_ROOM);
            taken_back.insert(number);
        }
        let (gone, stay) = std::mem::take(&mut self.lines)
            .into_iter()
            .partition::<VecDeque<_>, _>(|line| taken_back.contains(&line.number));
        self.lines = stay;
        for line in gone {
            self.give_back(line.user, line.text.len());
        }
        (turns, taken_back.len())
    }

    /// Those who have waited for so long.
    #[must_use]
    pub(super) fn overdue(&mut self, patience: Duration) -> Vec<Waiter> {
        let is_late = |waiting: &&Waiting| waiting.since.elapsed() >= patience;
        let late = self.waiting.iter().take_while(is_late).count();
        self.waiting.drain(..late).map(|waiting| waiting.who).collect()
    }

    fn of(&self, user: User) -> usize {
        self.users.get(&user).copied().unwrap_or_default()
    }

    fn take(&mut self, user: User, size: usize) {
        self.bytes += size;
        *self.users.entry(user).or_default() += size;
    }

    fn give_back(&mut self, user: User, size: usize) {
        self.bytes = self.bytes.saturating_sub(size);
        if let Some(of_one) = self.users.get_mut(&user) {
            *of_one = of_one.saturating_sub(size);
            if *of_one == 0 {
                self.users.remove(&user);
            }
        }
    }
}

// === impl Waiter ===

impl Waiter {
    /// Tells it.
    pub(super) fn tell(self, verdict: Verdict) {
        match self {
            // Whoever has gone needs no answer.
            Self::Task(task) => drop(task.send(verdict)),
            Self::Turn(turn) => turn(verdict),
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: usize = 1000;

    /// Who waits there, and where he is told.
    fn task() -> (Waiter, oneshot::Receiver<Verdict>) {
        let (tell, told) = oneshot::channel();
        (Waiter::Task(tell), told)
    }

    fn begin(queue: &mut Queue, user: User) -> Verdict {
        queue.push_awaited(user, "b".repeat(LINE), task().0)
    }

    fn fill(queue: &mut Queue, user: User) -> NotRecorded {
        loop {
            if let Err(full) = begin(queue, user) {
                return full;
            }
        }
    }

    #[test]
    fn one_user_cannot_fill_the_queue_for_the_others() {
        let mut queue = Queue::default();
        assert_eq!(fill(&mut queue, 1), NotRecorded::Share);
        assert!(queue.bytes <= MOST_OF_ONE && queue.bytes > MOST_OF_ONE - 2 * LINE);
        assert_eq!(begin(&mut queue, 2), Ok(()));
        let full: Vec<_> = (2..9).map(|user| fill(&mut queue, user)).collect();
        assert_eq!(full.last(), Some(&NotRecorded::Behind));
        assert!(queue.bytes <= MOST_BYTES);
        // What happened already goes on record still, and not without a bound.
        assert!(queue.push(9, "x".repeat(LINE), Room::Spare).is_ok());
        while queue.push(9, "x".repeat(LINE), Room::Spare).is_ok() {}
        assert!(queue.bytes <= MOST_BYTES + SPARE);
    }

    #[test]
    fn room_is_kept_for_the_end_of_everything_that_began() {
        let mut queue = Queue::default();
        let mut begun = 0;
        while begin(&mut queue, 1).is_ok() {
            begun += 1;
        }
        let most = queue.bytes;
        for _ in 0..begun {
            queue.push_end(1, "e".repeat(END_ROOM));
        }
        assert_eq!(queue.bytes, most, "the ends had their room already");
        let batch = queue.take_all();
        let written = batch.len();
        assert_eq!(written, 2 * begun);
        assert_eq!(queue.settled(batch, written).len(), begun);
        assert_eq!((queue.bytes, queue.users.len()), (0, 0));
    }

    #[test]
    fn what_is_refused_leaves_neither_a_record_nor_room_taken() {
        let mut queue = Queue::default();
        let (waiter, mut told) = task();
        queue.push_awaited(1, "begin".to_owned(), waiter).unwrap();
        let (waiter, gone) = task();
        queue.push_awaited(1, "gone".to_owned(), waiter).unwrap();
        drop(gone);
        assert_eq!(queue.refuse_waiting().1, 1);
        assert_eq!(told.try_recv(), Ok(Err(NotRecorded::Stopped)));
        let left: Vec<_> = queue.take_all().into_iter().map(|line| line.text).collect();
        assert_eq!(left, ["gone"], "whose end is queued by whoever went");
        assert_eq!(queue.bytes, "gone".len() + END_ROOM);
    }

    #[test]
    fn whoever_waits_is_told_when_his_own_record_is_written() {
        let mut queue = Queue::default();
        let mut told: Vec<_> = Vec::new();
        for _ in 0..3 {
            let (waiter, receiver) = task();
            queue.push_awaited(1, "x".repeat(LINE), waiter).unwrap();
            told.push(receiver);
        }
        let batch = queue.take_all();
        queue.settled(batch, 2).into_iter().for_each(|waiter| waiter.tell(Ok(())));
        let heard: Vec<_> = told.iter_mut().map(|told| told.try_recv().is_ok()).collect();
        assert_eq!(heard, [true, true, false]);
        assert_eq!(queue.take_all().len(), 1, "the third is written again");
    }
}
