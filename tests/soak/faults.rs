//! What goes wrong around mcpwrap, in an order that the seed decides.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::chance::Chance;
use crate::ledger::Kind;
use crate::pace;
use crate::processes;
use crate::support::Answer;
use crate::world::World;

/// The kinds that come from outside; the others are what clients do by themselves.
pub(crate) fn kinds(world: &World) -> Vec<Kind> {
    let mut all = vec![
        Kind::KilledChild,
        Kind::KilledChild,
        Kind::KilledSupervisor,
        Kind::ProviderOutage,
        Kind::RotatedKeys,
        Kind::VaultOutage,
    ];
    if world.disk.shared.is_none() {
        all.push(Kind::FullDisk);
    }
    all
}

/// Injects faults for this long, and until each kind has come.
pub(crate) async fn storm(world: &World, mut chance: Chance, length: Duration) {
    let began = Instant::now();
    let seen = |kinds: &[Kind]| kinds.iter().all(|kind| world.ledger.has_seen(*kind));
    while began.elapsed() < length + pace::NEVER {
        for kind in chance.shuffled(kinds(world)) {
            pace::lasting(chance.time(100, 1500)).await;
            inject(world, kind, &mut chance).await;
            if began.elapsed() >= length && seen(&kinds(world)) {
                return;
            }
        }
    }
}

async fn inject(world: &World, kind: Kind, chance: &mut Chance) {
    match kind {
        Kind::KilledChild | Kind::KilledSupervisor => slay(world, kind, chance),
        Kind::RotatedKeys => {
            let fault = world.ledger.fault(kind, None);
            world.rotate();
            world.ledger.over(fault);
        }
        Kind::ProviderOutage => {
            let fault = world.ledger.fault(kind, None);
            world.provider_fails(outage(chance));
            slay(world, Kind::KilledChild, chance);
            pace::lasting(chance.time(200, 3000)).await;
            world.provider_recovers();
            world.ledger.over(fault);
        }
        Kind::VaultOutage => {
            let fault = world.ledger.fault(kind, None);
            world.vault.server.everywhere(outage(chance));
            // Whose child lives needs no vault.
            slay(world, Kind::KilledChild, chance);
            slay(world, Kind::KilledSupervisor, chance);
            pace::lasting(chance.time(200, 3000)).await;
            world.vault.recover();
            world.ledger.over(fault);
        }
        Kind::FullDisk => {
            let fault = world.ledger.fault(kind, None);
            world.disk.fill();
            pace::lasting(chance.time(200, 2000)).await;
            world.disk.free();
            world.ledger.over(fault);
        }
        // Clients do these by themselves.
        Kind::HangUp | Kind::ExpiredToken | Kind::SlowReader | Kind::Flood => {}
    }
}

fn outage(chance: &mut Chance) -> Answer {
    match chance.below(4) {
        0 => Answer::Status(503),
        1 => Answer::Status(500),
        2 => Answer::Html,
        _ => Answer::Silence,
    }
}

/// Kills a process of some user's who has one: his child, or what stands between it and mcpwrap.
fn slay(world: &World, kind: Kind, chance: &mut Chance) {
    for user in chance.shuffled((0..world.users).collect()) {
        let lines = processes::of_user(world.served.pid(), world.secrets.credential(user));
        let Some(line) = lines.first() else { continue };
        let victim = match kind {
            Kind::KilledChild => Some(&line[0]),
            _ => line.get(1 + chance.below(line.len().max(2) - 1)),
        };
        let Some(victim) = victim else { continue };
        let fault = world.ledger.fault(kind, Some(user));
        // It may have ended by itself in the meantime.
        let _ = kill(Pid::from_raw(*victim), Signal::SIGKILL);
        world.ledger.over(fault);
        return;
    }
}
