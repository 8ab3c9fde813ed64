//! One client of one user: what he sends, and whether what he gets is his.

use std::sync::Arc;
use std::time::Instant;

use reqwest::Response;

use crate::chance::Chance;
use crate::ledger::{Call, Kind, Outcome, Phase};
use crate::pace;
use crate::support::{Modern, Request, Value, json};
use crate::world::{Life, World};

/// Which era of MCP the client is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Modern,
    Legacy,
}

/// What is called.
#[derive(Clone, Debug)]
enum Tool {
    Whoami,
    Echo(String),
    Split(String),
    Progress(usize),
    Big(usize),
    /// Is never answered.
    Hold,
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    AtOnce,
    Slowly,
}

/// The client.
pub(crate) struct Caller {
    world: Arc<World>,
    user: usize,
    era: Era,
    connections: reqwest::Client,
    chance: Chance,
    /// The token, and the name of its key.
    token: Option<(String, String)>,
    session: Option<String>,
    next: u64,
}

// === impl Caller ===

impl Caller {
    pub(crate) fn new(world: &Arc<World>, user: usize, era: Era, chance: Chance) -> Self {
        let (world, connections) = (Arc::clone(world), World::connections());
        Self { world, user, era, connections, chance, token: None, session: None, next: 0 }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.world.phase()
    }

    /// Does what clients do, and what they should not.
    pub(crate) async fn live(&mut self) {
        match self.chance.below(200) {
            0..4 => self.hang_up().await,
            4..8 => self.come_late().await,
            8..11 => self.read_slowly().await,
            11..14 => self.leave().await,
            14..24 => pace::lasting(self.chance.time(1, 80)).await,
            _ => drop(self.work().await),
        }
    }

    /// Calls some tool; whether the answer came.
    pub(crate) async fn work(&mut self) -> bool {
        let tool = match self.chance.below(20) {
            0..6 => Tool::Whoami,
            6..9 => Tool::Progress(1 + self.chance.below(5)),
            9 => Tool::Big(1 + self.chance.below(1 << 19)),
            10 => Tool::Split(self.word()),
            _ => Tool::Echo(self.word()),
        };
        let answered = self.call(&tool, Reading::AtOnce).await == Outcome::Answered;
        if !answered {
            pace::lasting(self.chance.time(50, 300)).await;
        }
        answered
    }

    /// Ends the session, if there is one.
    pub(crate) async fn leave(&mut self) {
        let Some(session) = self.session.take() else { return };
        let token = self.bearer();
        let (began, url) = (Instant::now(), &self.world.served.url);
        let request = self.connections.delete(url).bearer_auth(&token.0);
        let request = request.header("mcp-session-id", session);
        let outcome = match request.header("mcp-protocol-version", "2025-11-25").send().await {
            Ok(reply) if reply.status() == 204 => Outcome::Agreed,
            Ok(reply) => self.read(reply, &token.1, |_| Ok(()), Reading::AtOnce).await,
            Err(error) => odd(&error),
        };
        self.record(began, outcome);
    }

    async fn hang_up(&mut self) {
        if !self.is_ready().await {
            return;
        }
        let (tool, patience) = match self.chance.below(2) {
            0 => (Tool::Hold, self.chance.time(0, 40)),
            _ => (Tool::Big(1 << 20), self.chance.time(0, 10)),
        };
        let fault = self.world.ledger.fault(Kind::HangUp, Some(self.user));
        let (request, began) = (self.calling(&tool), Instant::now());
        tokio::select! {
            _ = self.send(&request) => {}
            () = pace::lasting(patience) => {}
        }
        self.world.ledger.over(fault);
        self.record(began, Outcome::HungUp);
    }

    /// Comes with a token that has expired.
    async fn come_late(&mut self) {
        if !self.is_ready().await {
            return;
        }
        let good = self.token.replace(self.world.token(self.user, Life::Over));
        let fault = self.world.ledger.fault(Kind::ExpiredToken, Some(self.user));
        let (request, began) = (self.calling(&Tool::Whoami), Instant::now());
        let outcome = match self.send(&request).await {
            Ok(reply) if reply.status() == 401 => Outcome::Expired,
            Ok(reply) if reply.status() == 503 => {
                self.read(reply, "", |_| Ok(()), Reading::AtOnce).await
            }
            Ok(reply) => Outcome::Wrong(format!("{} for an expired token", reply.status())),
            Err(error) => odd(&error),
        };
        self.world.ledger.over(fault);
        self.token = good;
        self.record(began, outcome);
    }

    async fn read_slowly(&mut self) {
        let fault = self.world.ledger.fault(Kind::SlowReader, Some(self.user));
        let bytes = (2 << 20) + self.chance.below(4 << 20);
        self.call(&Tool::Big(bytes), Reading::Slowly).await;
        self.world.ledger.over(fault);
    }

    async fn call(&mut self, tool: &Tool, reading: Reading) -> Outcome {
        if !self.is_ready().await {
            return Outcome::Denied;
        }
        let (request, began) = (self.calling(tool), Instant::now());
        let key = self.bearer().1;
        let (id, user) = (self.next, self.user);
        let credential = self.world.secrets.credential(user).to_owned();
        let judge = |answer: &Value| tool.judge(answer, id, &credential);
        let outcome = match self.send(&request).await {
            Ok(reply) => self.read(reply, &key, judge, reading).await,
            Err(error) => odd(&error),
        };
        self.record(began, outcome.clone());
        outcome
    }

    /// Begins a session where the era has some.
    async fn is_ready(&mut self) -> bool {
        self.bearer();
        if self.era == Era::Modern || self.session.is_some() {
            return true;
        }
        let began = Instant::now();
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "soak", "version": "1" },
        });
        self.next += 1;
        let body =
            json!({ "jsonrpc": "2.0", "id": self.next, "method": "initialize", "params": params });
        let key = self.bearer().1;
        let mut session = None;
        let mut outcome = match self.send(&self.request(&body)).await {
            Err(error) => odd(&error),
            Ok(reply) => {
                let name = reply.headers().get("mcp-session-id");
                session = name.and_then(|name| name.to_str().ok()).map(str::to_owned);
                self.read(reply, &key, |_| Ok(()), Reading::AtOnce).await
            }
        };
        if outcome == Outcome::Answered {
            outcome = match &session {
                Some(name) => {
                    self.world.secrets.remember(name);
                    Outcome::Agreed
                }
                None => Outcome::Wrong("a session without a name".to_owned()),
            };
            self.session = session;
        }
        let is_ready = outcome == Outcome::Agreed;
        self.record(began, outcome);
        if is_ready {
            let began = Instant::now();
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let outcome = match self.send(&self.request(&ready)).await {
                Ok(reply) if reply.status() == 202 => return true,
                Ok(reply) => self.read(reply, &key, |_| Ok(()), Reading::AtOnce).await,
                Err(error) => odd(&error),
            };
            self.session = None;
            self.record(began, outcome);
        }
        false
    }

    /// The token at hand, or a new one.
    fn bearer(&mut self) -> (String, String) {
        self.token.get_or_insert_with(|| self.world.token(self.user, Life::Long)).clone()
    }

    fn word(&mut self) -> String {
        format!("word-{}-{}-{}", self.user, self.next, self.chance.below(1 << 30))
    }

    fn calling(&mut self, tool: &Tool) -> Request {
        self.next += 1;
        let (name, arguments) = tool.words();
        let mut params = json!({ "name": name, "arguments": arguments });
        if matches!(tool, Tool::Progress(_)) {
            params["_meta"] = json!({ "progressToken": self.next });
        }
        let body =
            json!({ "jsonrpc": "2.0", "id": self.next, "method": "tools/call", "params": params });
        self.request(&body)
    }

    fn request(&self, body: &Value) -> Request {
        let token = self.token.as_ref().map(|(token, _)| token.as_str());
        match (self.era, &self.session) {
            (Era::Modern, _) => {
                let modern = Modern::new(&self.world.served).bearing(token.unwrap_or_default());
                let body = modern.body(body["id"].clone(), "tools/call", body["params"].clone());
                modern.request(&body)
            }
            (Era::Legacy, None) => Request::post(body.to_string()).bearing(token),
            (Era::Legacy, Some(session)) => Request::post(body.to_string())
                .bearing(token)
                .header("mcp-session-id", session)
                .header("mcp-protocol-version", "2025-11-25"),
        }
    }

    async fn send(&self, request: &Request) -> reqwest::Result<Response> {
        let mut out = self.connections.post(&self.world.served.url).body(request.body.clone());
        for (name, value) in &request.headers {
            out = out.header(name, value.as_slice());
        }
        out.send().await
    }

    /// Reads an answer and says what it is.
    async fn read(
        &mut self,
        mut reply: Response,
        key: &str,
        judge: impl FnOnce(&Value) -> Result<(), String>,
        reading: Reading,
    ) -> Outcome {
        let status = reply.status().as_u16();
        let mut bytes = Vec::new();
        loop {
            match reply.chunk().await {
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => return odd(&error),
            }
            if reading == Reading::Slowly && bytes.len() < 1 << 20 {
                pace::lasting(self.chance.time(20, 200)).await;
            }
        }
        if let Some(secret) = self.world.secrets.foreign(self.user, &bytes) {
            return Outcome::Wrong(format!("LEAK: user-{} was shown {secret}", self.user));
        }
        let answer = last_message(&bytes);
        let said = || answer["error"]["message"].as_str().unwrap_or_default().to_owned();
        match status {
            200 if answer["error"].is_object() => match answer["error"]["data"]["outcome"].as_str()
            {
                Some("unknown") => Outcome::Lost,
                Some("unsent") => Outcome::Unsent(said()),
                _ => Outcome::Error(said()),
            },
            200 => match judge(&answer) {
                Ok(()) => Outcome::Answered,
                Err(why) => Outcome::Wrong(why),
            },
            401 => {
                self.token = None;
                if key == self.world.key() { Outcome::Denied } else { Outcome::Stale }
            }
            404 => {
                self.session = None;
                Outcome::Odd(format!("404 {}", said()))
            }
            429 => Outcome::Slowed,
            503 if answer["error"]["data"]["outcome"] == "unsent" => Outcome::Unsent(said()),
            503 => Outcome::Unavailable(said()),
            status => Outcome::Odd(format!("{status} {}", said())),
        }
    }

    fn record(&self, began: Instant, outcome: Outcome) {
        let client = (self.user, if self.era == Era::Modern { "modern" } else { "legacy" });
        let phase = self.phase();
        self.world.ledger.call(Call { client, phase, began, ended: Instant::now(), outcome });
    }
}

// === impl Tool ===

impl Tool {
    fn words(&self) -> (&'static str, Value) {
        match self {
            Self::Whoami => ("whoami", json!({})),
            Self::Echo(word) => ("echo", json!({ "word": word })),
            Self::Split(word) => ("split", json!({ "text": word })),
            Self::Progress(steps) => ("progress", json!({ "steps": steps })),
            Self::Big(bytes) => ("big", json!({ "bytes": bytes })),
            Self::Hold => ("hold", json!({ "key": "for ever" })),
        }
    }

    /// Whether this answers this call, of the user with this credential.
    fn judge(&self, answer: &Value, id: u64, credential: &str) -> Result<(), String> {
        if answer["id"] != id {
            return Err(format!("the answer to {} for {id}", answer["id"]));
        }
        let result = &answer["result"];
        let (seen, text) = (&result["structuredContent"], &result["content"][0]["text"]);
        let is_right = match self {
            Self::Whoami => seen["env"]["T"] == credential,
            Self::Echo(word) => seen["params"]["arguments"]["word"] == word.as_str(),
            Self::Split(word) => text == word.as_str(),
            Self::Progress(_) => text == "progressed",
            Self::Big(bytes) => text.as_str().is_some_and(|text| text.len() == *bytes),
            Self::Hold => false,
        };
        let short: String = result.to_string().chars().take(300).collect();
        is_right.then_some(()).ok_or_else(|| format!("{self:?} got {short}"))
    }
}

fn odd(error: &reqwest::Error) -> Outcome {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    Outcome::Odd(said)
}

/// The document, or the last message of a stream.
fn last_message(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        let events = text.lines().rev().filter_map(|line| line.strip_prefix("data:"));
        events.filter_map(|data| serde_json::from_str(data).ok()).next().unwrap_or_default()
    })
}
