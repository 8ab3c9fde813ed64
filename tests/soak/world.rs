//! What a run is about: mcpwrap, its users, and everything around it that can fail.

use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::Settings;
use crate::disk::Disk;
use crate::ledger::{Ledger, Phase};
use crate::secrets::Secrets;
use crate::support::{
    Answer, Key, PUBLIC, Provider, Scratch, Served, Vault, child_program, json, now, with,
};

/// Of whom the flood comes.
pub(crate) const FLOODER: usize = 0;

/// All of it.
pub(crate) struct World {
    pub(crate) served: Served,
    pub(crate) users: usize,
    pub(crate) secrets: Secrets,
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) disk: Disk,
    /// In the command line of every child.
    pub(crate) marker: String,
    provider: Mutex<Provider>,
    phase: AtomicU8,
}

// === impl World ===

impl World {
    pub(crate) async fn begin(settings: &Settings, disk: Disk) -> Self {
        let provider = Provider::start().await;
        let vault = Vault::start().await;
        let secrets = Secrets::new(settings.users, settings.seed);
        for user in 0..settings.users {
            vault.keep(&format!("mcp/{}", subject(user)), secrets.credential(user));
        }
        let dir = Arc::new(Scratch::new());
        let marker = format!("soak-{}-{}", std::process::id(), settings.seed);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpwrap"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &**dir).envs(vault.env());
        command.args(["serve", "--listen", "127.0.0.1:0", "--public-url", PUBLIC]);
        command.args(["--oidc", &provider.issuer(), "--keys-cool-down", "1s"]);
        command.args(["--credential", "T=vault:secret/mcp/{sub}#token", "--child-idle", "3s"]);
        command.args(["--isolation", &settings.isolation, "--child-era", "legacy"]);
        command.arg("--state-dir").arg(dir.join("state"));
        command.arg("--audit").arg(disk.audit_log());
        command.arg("--").arg(child_program()).arg(&marker);
        let served = Served::of(command, dir).await;
        Self {
            served,
            users: settings.users,
            secrets,
            ledger: Ledger::default(),
            vault,
            disk,
            marker,
            provider: Mutex::new(provider),
            phase: AtomicU8::new(Phase::Calm as u8),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// A token for this user with the provider's present key, which lives so long, and the key's name.
    pub(crate) fn token(&self, user: usize, life: Life) -> (String, String) {
        let provider = self.provider.lock().unwrap();
        let claims = provider.claims(&subject(user));
        let claims = match life {
            Life::Long => with(claims, json!({ "exp": now() + 36_000 })),
            Life::Over => with(claims, json!({ "iat": now() - 7200, "exp": now() - 3600 })),
        };
        let token = provider.key.token(&claims);
        // What a log must not hold: the part that nobody can make up.
        self.secrets.remember(token.rsplit('.').next().unwrap());
        (token, provider.key.id.clone())
    }

    /// The name of the key that the provider signs with.
    pub(crate) fn key(&self) -> String {
        self.provider.lock().unwrap().key.id.clone()
    }

    /// The provider signs with a new key, and no longer publishes the old one.
    pub(crate) fn rotate(&self) {
        let mut provider = self.provider.lock().unwrap();
        let number: usize = provider.key.id[1..].parse().unwrap();
        provider.key = Key::ec(&format!("k{}", number + 1));
        provider.recover();
    }

    pub(crate) fn provider_fails(&self, how: Answer) {
        self.provider.lock().unwrap().server.everywhere(how);
    }

    pub(crate) fn provider_recovers(&self) {
        self.provider.lock().unwrap().recover();
    }

    /// One HTTP client, with connections of its own.
    pub(crate) fn connections() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().timeout(crate::pace::NEVER).build().unwrap()
    }
}

/// How long a token lives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    Long,
    /// It has ended an hour ago, which no clock is wrong by.
    Over,
}

pub(crate) fn subject(user: usize) -> String {
    format!("user-{user}")
}

/// How long the part of a run lasts in which users are compared, by how long the whole lasts.
pub(crate) fn slice(settings: &Settings) -> Duration {
    (settings.storm / 12).clamp(Duration::from_secs(3), Duration::from_secs(30))
}
