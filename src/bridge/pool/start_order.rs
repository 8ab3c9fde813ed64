//! Whose start comes next: a few at a time, the users one after the other.
//!
//! Pure: nothing is waited for. [`start_queue`](super::start_queue) lets the callers wait.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The starts that are under way, and those that wait for their turn.
#[derive(Debug)]
pub(super) struct StartOrder<K> {
    /// How many may be under way.
    most: usize,
    under_way: usize,
    by_user: HashMap<K, usize>,
    /// Who waits, each once, in the order of their turns.
    users: VecDeque<K>,
    /// The tickets of each of them, in the order in which they came.
    tickets: HashMap<K, VecDeque<u64>>,
    waiting: usize,
}

// === impl StartOrder ===

impl<K: Clone + Eq + Hash> StartOrder<K> {
    /// `most` starts at a time, at least one.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            under_way: 0,
            by_user: HashMap::new(),
            users: VecDeque::new(),
            tickets: HashMap::new(),
            waiting: 0,
        }
    }

    /// A start waits for its turn from now on.
    pub(super) fn join(&mut self, user: &K, ticket: u64) {
        let own = self.tickets.entry(user.clone()).or_default();
        if own.is_empty() {
            self.users.push_back(user.clone());
        }
        own.push_back(ticket);
        self.waiting += 1;
    }

    /// Whose turn has come, if there is room for one more. A user who wants several starts has his next turn after
    /// everybody else who waits, and where there is more than one place he never has all of them: the others go on
    /// beside a start that hangs.
    pub(super) fn next(&mut self) -> Option<(K, u64)> {
        if self.under_way >= self.most {
            return None;
        }
        let most_of_one = (self.most - 1).max(1);
        let may = |user: &K| self.by_user.get(user).copied().unwrap_or(0) < most_of_one;
        let at = self.users.iter().position(may)?;
        let user = self.users.remove(at)?;
        let own = self.tickets.get_mut(&user)?;
        let ticket = own.pop_front()?;
        if own.is_empty() {
            self.tickets.remove(&user);
        } else {
            self.users.push_back(user.clone());
        }
        self.waiting -= 1;
        self.under_way += 1;
        *self.by_user.entry(user.clone()).or_default() += 1;
        Some((user, ticket))
    }

    /// A turn is over.
    pub(super) fn done(&mut self, user: &K) {
        self.under_way -= 1;
        if let Some(own) = self.by_user.get_mut(user) {
            *own -= 1;
            if *own == 0 {
                self.by_user.remove(user);
            }
        }
    }

    /// A start no longer waits.
    pub(super) fn leave(&mut self, user: &K, ticket: u64) {
        let Some(own) = self.tickets.get_mut(user) else { return };
        let before = own.len();
        own.retain(|known| *known != ticket);
        self.waiting -= before - own.len();
        if own.is_empty() {
            self.tickets.remove(user);
            self.users.retain(|known| known != user);
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tickets = &'static [(&'static str, u64)];

    /// The order in which starts get their turns where each is over before the next begins.
    fn order(most: usize, joins: Tickets) -> Vec<(&'static str, u64)> {
        let mut order = StartOrder::new(most);
        joins.iter().for_each(|(user, ticket)| order.join(user, *ticket));
        let mut turns = Vec::new();
        while let Some((user, ticket)) = order.next() {
            turns.push((user, ticket));
            order.done(&user);
        }
        assert_eq!(order.waiting(), 0);
        turns
    }

    #[test]
    fn users_take_turns_however_many_starts_each_wants() {
        let table: [(Tickets, Tickets); 4] = [
            (&[("a", 1), ("b", 2), ("c", 3)], &[("a", 1), ("b", 2), ("c", 3)]),
            (
                &[("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5)],
                &[("a", 1), ("b", 5), ("a", 2), ("a", 3), ("a", 4)],
            ),
            (
                &[("a", 1), ("a", 2), ("b", 3), ("b", 4), ("c", 5)],
                &[("a", 1), ("b", 3), ("c", 5), ("a", 2), ("b", 4)],
            ),
            (&[], &[]),
        ];
        for (joins, turns) in table {
            assert_eq!(order(1, joins), turns, "{joins:?}");
        }
    }

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let mut order = StartOrder::new(2);
        ["a", "b", "c"].iter().zip(1..).for_each(|(user, ticket)| order.join(user, ticket));
        assert_eq!(order.next(), Some(("a", 1)));
        assert_eq!(order.next(), Some(("b", 2)));
        assert_eq!((order.next(), order.waiting()), (None, 1));
        order.done(&"a");
        assert_eq!(order.next(), Some(("c", 3)));
    }

    #[test]
    fn nobody_has_all_places_but_the_only_one() {
        let mut order = StartOrder::new(2);
        (1..=3).for_each(|ticket| order.join(&"a", ticket));
        assert_eq!(order.next(), Some(("a", 1)));
        assert_eq!(order.next(), None, "one place is left for others");
        order.join(&"b", 4);
        assert_eq!(order.next(), Some(("b", 4)));
        order.done(&"a");
        assert_eq!(order.next(), Some(("a", 2)));
        let mut alone = StartOrder::new(0);
        alone.join(&"a", 1);
        assert_eq!(alone.next(), Some(("a", 1)));
    }

    #[test]
    fn whoever_leaves_is_not_called() {
        let mut order = StartOrder::new(1);
        [("a", 1), ("b", 2), ("b", 3)].iter().for_each(|(user, ticket)| order.join(user, *ticket));
        order.leave(&"a", 1);
        order.leave(&"b", 2);
        order.leave(&"c", 9);
        assert_eq!((order.waiting(), order.next()), (1, Some(("b", 3))));
    }
}
