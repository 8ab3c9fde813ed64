//! Whose account is whose.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::account::{Account, Total};
use crate::auth::UserId;

/// The accounts of all users.
#[derive(Debug)]
pub struct Accounts {
    total: Arc<Total>,
    whose: Whose,
}

#[derive(Debug)]
enum Whose {
    /// There is one user.
    One(Arc<Account>),
    /// There are many, each with this many bytes.
    Many { each: usize, known: RwLock<HashMap<UserId, Arc<Account>>> },
}

/// Who has to give up what can be done without, as something was refused since somebody asked last.
#[derive(Debug)]
pub enum Pressed {
    /// There was no room in the total.
    Everybody,
    /// There was none in these accounts.
    These(Vec<Arc<Account>>),
}

// === impl Accounts ===

impl Accounts {
    /// One user, who may have everything.
    #[must_use]
    pub fn of_one(most: usize) -> Self {
        let total = Arc::new(Total::new(most));
        let account = Account::new(usize::MAX, Arc::clone(&total));
        Self { total, whose: Whose::One(Arc::new(account)) }
    }

    /// Many users, who may have `most` bytes together and `each` alone.
    #[must_use]
    pub fn of_many(most: usize, each: usize) -> Self {
        let whose = Whose::Many { each, known: RwLock::default() };
        Self { total: Arc::new(Total::new(most)), whose }
    }

    /// The account of a user.
    #[must_use]
    pub fn of(&self, user: &UserId) -> Arc<Account> {
        let (each, known) = match &self.whose {
            Whose::One(account) => return Arc::clone(account),
            Whose::Many { each, known } => (*each, known),
        };
        if let Some(account) = known.read().unwrap_or_else(PoisonError::into_inner).get(user) {
            return Arc::clone(account);
        }
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Account::new(each, Arc::clone(&self.total)));
        Arc::clone(known.entry(user.clone()).or_insert_with(fresh))
    }

    /// Forgets the accounts that nobody has a hand on.
    pub fn forget_unused(&self) {
        if let Whose::Many { known, .. } = &self.whose {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, account| Arc::strong_count(account) > 1);
        }
    }

    /// Resolves when something was refused: whoever stores what can be done without gives it up then.
    pub async fn pressed(&self) {
        self.total.pressed().await;
    }

    /// Who has to give up what can be done without.
    #[must_use]
    pub fn pressed_ones(&self) -> Pressed {
        match &self.whose {
            _ if self.total.was_refused() => Pressed::Everybody,
            Whose::One(_) => Pressed::These(Vec::new()),
            Whose::Many { known, .. } => {
                let known = known.read().unwrap_or_else(PoisonError::into_inner);
                let refused = known.values().filter(|account| account.was_refused());
                Pressed::These(refused.cloned().collect())
            }
        }
    }
}

// === impl Pressed ===

impl Pressed {
    /// Whether this account's owner is among them.
    #[must_use]
    pub fn include(&self, account: &Arc<Account>) -> bool {
        match self {
            Self::Everybody => true,
            Self::These(accounts) => accounts.iter().any(|one| Arc::ptr_eq(one, account)),
        }
    }
}

#[cfg(test)]
mod tests;
