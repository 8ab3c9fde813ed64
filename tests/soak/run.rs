//! The parts of a run, one after the other.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::Settings;
use crate::caller::{Caller, Era};
use crate::chance::Chance;
use crate::disk::Disk;
use crate::ledger::{Kind, Phase};
use crate::report::Report;
use crate::world::{FLOODER, World, slice};
use crate::{faults, pace, remains};

/// How many clients a user who floods has.
const FLOOD: usize = 32;

/// Which clients had an answer since the faults ended.
type Settled = Arc<Mutex<HashSet<usize>>>;

pub(crate) async fn all(settings: &Settings, disk: Disk) -> Report {
    let mut world = Arc::new(World::begin(settings, disk).await);
    let mut failures = Vec::new();
    once(&world, settings, 1, &mut failures).await;
    let before = remains::at_rest(&world, None).await;
    let storm = days(&world, settings, &mut failures).await;
    let after = match &before {
        Ok(before) => remains::at_rest(&world, Some(*before)).await,
        Err(why) => Err(why.clone()),
    };
    // With a child for everybody, so that there is something to leave behind.
    once(&world, settings, 2, &mut failures).await;
    let end = match Arc::get_mut(&mut world) {
        Some(world) => remains::end(world).await,
        None => unreachable!("every client has ended"),
    };
    let kinds = Kind::ALL.map(|(kind, _)| kind);
    let mut skipped = Vec::new();
    if let Some(why) = &world.disk.shared {
        skipped.push(format!("{}: no disk of its own: {why}", Kind::FullDisk.name()));
    }
    if before.as_ref().is_ok_and(|before| before.descriptors == 0) {
        skipped.push("file descriptors: mcpwrap hides them from all but root".to_owned());
    }
    for kind in kinds.into_iter().filter(|kind| !world.ledger.has_seen(*kind)) {
        if kind != Kind::FullDisk || world.disk.shared.is_none() {
            failures.push(format!("{} never came", kind.name()));
        }
    }
    Report {
        users: settings.users,
        storm,
        books: world.ledger.close(),
        before,
        after,
        end,
        skipped,
        failures,
    }
}

/// Every client calls once, in peace, and leaves.
async fn once(world: &Arc<World>, settings: &Settings, round: u64, failures: &mut Vec<String>) {
    world.enter(Phase::Settling);
    for (at, (user, era)) in clients(settings.users).into_iter().enumerate() {
        let chance = Chance::new(settings.seed, round << 32 | at as u64);
        let mut caller = Caller::new(world, user, era, chance);
        let until = Instant::now() + pace::NEVER;
        while !caller.work().await {
            if Instant::now() > until {
                failures.push(format!("user-{user} gets no answer in peace"));
                break;
            }
        }
        caller.leave().await;
    }
}

/// Everybody lives through the storm and what comes after; how long it lasted.
async fn days(
    world: &Arc<World>,
    settings: &Settings,
    failures: &mut Vec<String>,
) -> std::time::Duration {
    world.enter(Phase::Storm);
    let settled = Settled::default();
    let mut callers = JoinSet::new();
    let all = clients(settings.users);
    for (at, (user, era)) in all.iter().copied().enumerate() {
        let chance = Chance::new(settings.seed, 1000 + at as u64);
        callers.spawn(life(Caller::new(world, user, era, chance), at, Arc::clone(&settled)));
    }
    let began = Instant::now();
    faults::storm(world, Chance::new(settings.seed, 0), settings.storm).await;
    let storm = began.elapsed();
    settled.lock().unwrap().clear();
    world.enter(Phase::Settling);
    if !pace::comes(|| settled.lock().unwrap().len() == all.len()).await {
        let settled = settled.lock().unwrap();
        for (at, (user, era)) in all.iter().enumerate().filter(|(at, _)| !settled.contains(at)) {
            failures.push(format!("user-{user} ({era:?}, client {at}) was never answered again"));
        }
    }
    world.enter(Phase::Calm);
    pace::lasting(slice(settings)).await;
    world.enter(Phase::Flood);
    let fault = world.ledger.fault(Kind::Flood, Some(FLOODER));
    for at in 0..FLOOD {
        let chance = Chance::new(settings.seed, 2000 + at as u64);
        callers.spawn(flood(Arc::clone(world), Caller::new(world, FLOODER, Era::Modern, chance)));
    }
    pace::lasting(slice(settings)).await;
    world.enter(Phase::Over);
    world.ledger.over(fault);
    while let Some(ended) = callers.join_next().await {
        if let Err(error) = ended {
            failures.push(format!("a client broke: {error}"));
        }
    }
    storm
}

async fn life(mut caller: Caller, at: usize, settled: Settled) {
    loop {
        match caller.phase() {
            Phase::Storm => caller.live().await,
            Phase::Over => return caller.leave().await,
            Phase::Settling | Phase::Calm | Phase::Flood => {
                if caller.work().await {
                    settled.lock().unwrap().insert(at);
                }
            }
        }
    }
}

async fn flood(world: Arc<World>, mut caller: Caller) {
    while world.phase() == Phase::Flood {
        caller.work().await;
    }
}

/// A client of each era for everybody.
fn clients(users: usize) -> Vec<(usize, Era)> {
    (0..users).flat_map(|user| [(user, Era::Modern), (user, Era::Legacy)]).collect()
}
