//! Every call and every fault, and which fault explains which call.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A fault may be felt for this long after its end, however soon somebody had an answer again.
const AFTERMATH: Duration = Duration::from_secs(10);

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Faults come.
    Storm,
    /// Nothing is injected any more, and everybody has to get an answer.
    Settling,
    Calm,
    /// One user sends what he can.
    Flood,
    Over,
}

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    KilledChild,
    KilledSupervisor,
    HangUp,
    ExpiredToken,
    ProviderOutage,
    RotatedKeys,
    FullDisk,
    VaultOutage,
    SlowReader,
    Flood,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the right answer, which came from the child.
    Answered,
    /// A session began or ended, which tells nothing of the child.
    Agreed,
    /// With an answer that is not his, or not that of this call.
    Wrong(String),
    /// The client did not wait.
    HungUp,
    /// 401 for a token that had expired.
    Expired,
    /// 401 for a token of a key that is no longer published.
    Stale,
    /// It left and was never answered; mcpwrap said so.
    Lost,
    /// It never left; mcpwrap said so.
    Unsent(String),
    /// 401 for a good token.
    Denied,
    /// 429.
    Slowed,
    /// 503.
    Unavailable(String),
    /// An error that says what became of the call in words alone; the users of a soak do nothing that calls for one.
    Error(String),
    /// Anything else: no connection, half an answer, none at all, a session that is unknown.
    Odd(String),
}

/// Who calls: a user has a client of each era.
pub(crate) type Client = (usize, &'static str);

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) client: Client,
    pub(crate) phase: Phase,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Nobody in particular where all may feel it.
    user: Option<usize>,
    began: Instant,
    ended: Option<Instant>,
}

/// The books; they are open to everybody.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Vec<Fault>>,
}

/// The books when nobody writes any more.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Vec<Fault>,
    /// When each client was answered: when he called, and when the answer was there.
    answered: HashMap<Client, Vec<(Instant, Instant)>>,
}

// === impl Phase ===

impl Phase {
    pub(crate) const ALL: [Self; 5] =
        [Self::Storm, Self::Settling, Self::Calm, Self::Flood, Self::Over];
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::KilledChild, "killed children"),
        (Self::KilledSupervisor, "killed supervisors"),
        (Self::HangUp, "clients that hung up"),
        (Self::ExpiredToken, "expired tokens"),
        (Self::ProviderOutage, "provider outages"),
        (Self::RotatedKeys, "rotated signing keys"),
        (Self::FullDisk, "full audit disk"),
        (Self::VaultOutage, "vault outages"),
        (Self::SlowReader, "slow readers"),
        (Self::Flood, "floods"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether a fault of this kind may make a call end so.
    fn may_cause(self, outcome: &Outcome) -> bool {
        let killed = matches!(self, Self::KilledChild | Self::KilledSupervisor);
        match outcome {
            Outcome::Answered | Outcome::Agreed | Outcome::Wrong(_) => false,
            Outcome::Error(_) | Outcome::Odd(_) => false,
            Outcome::HungUp => self == Self::HangUp,
            Outcome::Expired => self == Self::ExpiredToken,
            Outcome::Stale | Outcome::Denied => self == Self::RotatedKeys,
            Outcome::Lost => killed,
            Outcome::Slowed => matches!(self, Self::SlowReader | Self::Flood),
            Outcome::Unavailable(said) | Outcome::Unsent(said) => {
                let has = |word: &str| said.contains(word);
                match self {
                    Self::FullDisk => has("audit log"),
                    Self::ProviderOutage | Self::RotatedKeys => has("identity provider"),
                    Self::VaultOutage => has("credential"),
                    Self::KilledChild | Self::KilledSupervisor | Self::Flood => {
                        !(has("audit log") || has("identity provider") || has("credential"))
                    }
                    _ => false,
                }
            }
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// What it is called in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Agreed => "agreed",
            Self::Wrong(_) => "WRONG",
            Self::HungUp => "hung up",
            Self::Expired => "refused, token expired",
            Self::Stale => "refused, key withdrawn",
            Self::Lost => "lost, outcome unknown",
            Self::Unsent(_) => "unsent",
            Self::Denied => "refused, key not yet known",
            Self::Slowed => "slowed (429)",
            Self::Unavailable(_) => "unavailable (503)",
            Self::Error(_) => "error in a 200",
            Self::Odd(_) => "odd",
        }
    }

    /// What the client was told.
    pub(crate) fn said(&self) -> &str {
        match self {
            Self::Wrong(said)
            | Self::Unsent(said)
            | Self::Unavailable(said)
            | Self::Error(said)
            | Self::Odd(said) => said,
            _ => "",
        }
    }
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn call(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }

    /// A fault begins, for one user or for all; `over` ends it.
    pub(crate) fn fault(&self, kind: Kind, user: Option<usize>) -> usize {
        let mut faults = self.faults.lock().unwrap();
        faults.push(Fault { kind, user, began: Instant::now(), ended: None });
        faults.len() - 1
    }

    pub(crate) fn over(&self, fault: usize) {
        self.faults.lock().unwrap()[fault].ended = Some(Instant::now());
    }

    pub(crate) fn has_seen(&self, kind: Kind) -> bool {
        self.faults.lock().unwrap().iter().any(|fault| fault.kind == kind)
    }

    pub(crate) fn close(&self) -> Closed {
        let (calls, faults) = (self.calls.lock().unwrap().clone(), self.faults.lock().unwrap());
        let mut answered: HashMap<Client, Vec<(Instant, Instant)>> = HashMap::new();
        for call in calls.iter().filter(|call| call.outcome == Outcome::Answered) {
            answered.entry(call.client).or_default().push((call.began, call.ended));
        }
        answered.values_mut().for_each(|times| times.sort());
        Closed { calls, faults: faults.clone(), answered }
    }
}

// === impl Closed ===

impl Closed {
    /// Which kind of fault explains that the call ended as it did. A fault is felt from its beginning on until the
    /// client has had an answer to a call that he made after its end.
    pub(crate) fn why(&self, call: &Call) -> Option<Kind> {
        let felt = |fault: &&Fault| {
            let his = fault.user.is_none_or(|user| user == call.client.0);
            let before = fault.began <= call.ended;
            his && before && fault.kind.may_cause(&call.outcome) && self.lasts(fault, call)
        };
        self.faults.iter().rev().find(felt).map(|fault| fault.kind)
    }

    /// The last faults that this client may have felt, and how long before the call each began.
    pub(crate) fn before(&self, call: &Call) -> Vec<String> {
        let his = |fault: &&Fault| fault.user.is_none_or(|user| user == call.client.0);
        let mut last: Vec<&Fault> = Vec::new();
        for fault in self.faults.iter().rev().filter(his).filter(|f| f.began <= call.ended) {
            if last.iter().all(|known| known.kind != fault.kind) {
                last.push(fault);
            }
        }
        let ago = |time: Instant| call.ended.saturating_duration_since(time);
        let told = last.iter().map(|fault| {
            let ended = fault.ended.map_or(Duration::ZERO, ago);
            format!("{} ({:.1?} to {ended:.1?} ago)", fault.kind.name(), ago(fault.began))
        });
        told.collect()
    }

    fn lasts(&self, fault: &Fault, call: &Call) -> bool {
        let Some(ended) = fault.ended else { return true };
        if call.began <= ended + AFTERMATH {
            return true;
        }
        let times = self.answered.get(&call.client).map_or(&[][..], Vec::as_slice);
        let after = times.partition_point(|(began, _)| *began < ended);
        times[after..].iter().map(|(_, answered)| *answered).min().is_none_or(|at| call.began <= at)
    }
}
