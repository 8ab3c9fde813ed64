//! Who gets a place, who waits for one, and whose child makes room.

use futures_util::FutureExt as _;

use super::super::super::child::testing::{child, hello};
use super::super::slot::{ChildKey, Seat};
use super::*;
use crate::auth::Principal;
use crate::mcp::Era;
use crate::policy::Policy;
use crate::server::Profile;

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    capacity: Arc<Capacity>,
    slots: Slots,
    queue: Arc<StartQueue>,
}

impl World {
    fn new(most: usize, most_per_user: usize) -> Self {
        let (capacity, queue) = (Capacity::new(most, most_per_user), StartQueue::new(1));
        Self { capacity, slots: Slots::default(), queue }
    }

    async fn reserve(&self, who: &Arc<Principal>) -> Result<Reservation, Unavailable> {
        let by = Instant::now() + PATIENCE;
        let share = share(&self.capacity, &self.slots, who.user(), by).await?;
        place(share, &self.slots, &self.queue, by).await
    }

    /// Puts a child of his, in use as long as the seat is held, into a slot.
    fn sit(&self, who: &Arc<Principal>, number: u64) -> (Seat, Child) {
        let connect = Policy::WholeServer.connect(who).unwrap();
        let key = ChildKey { user: who.user().clone(), authority: "a".into(), session: None };
        let (seat, _) = self.slots.choose(key, &connect, &Profile::plain(), None, Seat::take);
        seat.slot().start();
        let child = child(number, hello(Era::Legacy));
        seat.slot().ready(&child);
        (seat, child)
    }
}

fn principal(name: &str) -> Arc<Principal> {
    Arc::new(Principal::for_tests("https://idp.example", None, name, &[]))
}

#[tokio::test(start_paused = true)]
async fn a_place_is_waited_for_while_others_start_or_end() {
    let world = World::new(1, 1);
    let (alice, bob) = (principal("alice"), principal("bob"));
    let first = world.reserve(&alice).await.unwrap();
    let mut second = Box::pin(world.reserve(&bob));
    // Hers is starting all the time, and may come to nothing.
    assert!(timeout(ALL_IN_USE * 3, &mut second).await.is_err());
    first.running();
    first.ending();
    assert!(timeout(ALL_IN_USE * 3, &mut second).await.is_err());
    drop(first);
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_everybody_uses_is_refused_after_a_while() {
    let world = World::new(1, 1);
    let (alice, bob) = (principal("alice"), principal("bob"));
    let first = world.reserve(&alice).await.unwrap();
    first.running();
    let began = Instant::now();
    assert_eq!(
        world.reserve(&alice).await.unwrap_err().retry,
        Retry::Time(Some(FULL_PAUSE)),
        "her own cap"
    );
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing of hers is about to come back");
    assert_eq!(world.reserve(&bob).await.unwrap_err().retry, Retry::Time(Some(FULL_PAUSE)));
    let waited = began.elapsed();
    assert!((ALL_IN_USE..ALL_IN_USE + LOOK_AGAIN * 2).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_comes_back_is_given_up() {
    let world = World::new(1, 1);
    let first = world.reserve(&principal("alice")).await.unwrap();
    first.ending();
    let began = Instant::now();
    assert!(world.reserve(&principal("bob")).await.is_err());
    assert!(began.elapsed() >= PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn unused_children_make_room_for_all_who_wait_at_once() {
    let names = ["ann", "ben", "cat", "dan"].map(principal);
    let world = World::new(names.len(), 1);
    let mut held = Vec::new();
    for (number, name) in (1..).zip(&names) {
        let reservation = world.reserve(name).await.unwrap();
        reservation.running();
        held.push((reservation, world.sit(name, number)));
    }
    // The last one is in use, the others are not.
    let (children, mut seats): (Vec<_>, Vec<_>) =
        held.into_iter().map(|(reservation, (seat, child))| ((reservation, child), seat)).unzip();
    let _in_use = seats.pop();
    drop(seats);
    // One start has its turn, and one more waits behind it.
    let (eve, fay) = (principal("eve"), principal("fay"));
    let _turn = world.queue.turn(eve.user()).await.unwrap();
    let waiting = world.queue.turn(fay.user());
    tokio::pin!(waiting);
    assert!((&mut waiting).now_or_never().is_none());
    let reserving = world.reserve(&eve);
    tokio::pin!(reserving);
    assert!((&mut reserving).now_or_never().is_none());
    let left: Vec<UserId> =
        world.slots.all().iter().map(|slot| slot.principal().user().clone()).collect();
    assert_eq!(left.len(), 2, "room for two, and no more");
    assert!(left.contains(names[3].user()), "what is in use stays");
    let freed: Vec<_> = children.into_iter().filter(|(_, child)| child.is_closing()).collect();
    assert_eq!(freed.len(), 2);
    drop(freed);
    reserving.await.unwrap();
}
