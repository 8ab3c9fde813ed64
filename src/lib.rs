//! mcpwrap serves a local MCP server, unchanged, as a remote one in which every user has his own process and credential.
//!
//! This page is the architecture: the map, the life of a request, and the invariants. What an operator has to know
//! stands in `README.md` and in the pages of section 7 in `man/`.
//!
//! # Map
//!
//! Each module uses only those further down; `tests/tidy/edges.rs` says which uses which, edge by edge. The files of one
//! module form no circle.
//!
//! | module | what it owns |
//! |---|---|
//! | [`cli`] | the words an operator types; the only place that prints |
//! | [`demo`] | the production path on a laptop, built on [`app`] |
//! | [`app`] | the composition root: builds what a mode needs from its configuration |
//! | [`config`] | what was typed, exported and written, turned into what the program needs |
//! | [`http`] | listeners, the checks before anything is read, routes, status codes, headers, events |
//! | [`client`] | how a remote client speaks, in either era: `modern/` and `legacy/` |
//! | [`gate`] | the one way to a child: the order in which everything passes, and what a server's answer becomes |
//! | `bridge` | one running child (`child/`), all of them (`pool/`), and the words of both; private to the gate |
//! | [`server`] | how the wrapped server speaks, in either era |
//! | [`limits`] | how many bytes one user, and all together, may have held for them |
//! | [`policy`] | what a caller may do |
//! | [`credentials`] | where a user's credentials come from (`source/`, a file each), and the refusal of shared ones |
//! | [`process`] | an operating-system process: its environment, its walls, its end |
//! | [`auth`] | who is asking: `keys/`, `opaque/`, `claims/`, `bearer/`, `settings/` |
//! | [`audit`] | who did what, through which child, and how it ended |
//! | [`store`] | the embedded encrypted store, and the operating system's keyring |
//! | [`seal`] | authenticated encryption with named keys |
//! | [`outbound`] | the one bounded HTTP client |
//! | [`mcp`] | the wire, pure: envelopes, framing, revisions, error codes |
//! | [`redact`], [`shutdown`], [`telemetry`] | masking, the end of the process, the log |
//! | [`problem`], [`private_file`], [`hex`] | what an operator is told, files for their owner alone, bytes as text |
//!
//! `main.rs` asks [`process::stage_main`] first whether this process is a stage of a child, then
//! [`demo::example_main`] whether it is the demo's example server, and hands over to [`cli::run`] otherwise. `dev`
//! and `serve` have flags of their own; what they run differs in values that [`app`] makes: in the [`Authenticator`](auth::Authenticator), in the credential sources, in the
//! [`Confinement`](gate::Confinement) of a child, and in what may be listened on. `demo` is `serve` with users and an
//! identity provider of its own.
//!
//! # The life of a request
//!
//! One straight line, no middleware. A step that yields a value for the next one is a call:
//!
//! 0. `http::listener` accepts, within bounds: how many connections there are, how many of one network;
//!    `http::connection` speaks HTTP/1.1 over one of them and closes it when it is idle.
//! 1. `http::endpoint` checks `Host` and `Origin` ([`Allowed::admits`](http::Allowed::admits)), and
//!    [`Routes`](http::Routes) say what the path is.
//! 2. [`Authenticator::authenticate`](auth::Authenticator::authenticate) turns the headers into a
//!    [`Principal`](auth::Principal); only then is the body read, within its limit and
//!    its sender's [`Account`](limits::Account). Whoever is refused here is counted
//!    ([`audit::Refusals`]).
//! 3. [`Front::serve`](client::Front::serve) parses the [`Message`](mcp::Message), decides which era it belongs to, and
//!    hands it to that era's entrance, which turns it into an [`Operation`](policy::Operation).
//! 4. [`Gate::access`](gate::Gate::access) lets the caller in: policy's [`Connect`](policy::Connect), and whose child his
//!    is, computed once a request. [`Gate::seat`](gate::Gate::seat) finds the slot for (user, authority, profile) and
//!    starts the child if there is none. A modern request takes a [`Seat`](gate::Seat) each time, but for a retry whose
//!    call waits here; a legacy session takes one at its `initialize`.
//! 5. [`Gate::call`](gate::Gate::call) and its siblings pass one order (`gate/order.rs`): the child,
//!    [`Policy::authorize`](policy::Policy::authorize), which makes the [`Permitted`](policy::Permitted),
//!    [`audit::Log::begin`], whose first record is waited for until it is written, and the dispatch to the child's one
//!    loop.
//! 6. [`Call::next`](gate::Call::next) yields [`Event`](gate::Event)s until [`Event::Done`](gate::Event::Done), whose
//!    outcome has been shaped (`gate/outcome.rs`) and recorded before; a call that is dropped is on record as cancelled,
//!    or as suspended where its server waits to be sent it again.
//! 7. The events become a [`Reply`](client::Reply), and `http/status.rs` makes a status code, headers and a body or a
//!    stream of it. No other file knows which status codes we send.
//!
//! # Two fronts, two backs
//!
//! Clients may be legacy (2024-11-05 to 2025-11-25) or modern (2026-07-28), and so may the wrapped server. The model in
//! the middle is the conversation behind a [`Call`](gate::Call): progress, log, asks and one end come out, answers and a
//! cancellation go in. Neither side knows how the other speaks.
//!
//! - `client::legacy` has sessions and resumable streams; an ask is a request on the call's own stream.
//! - `client::modern` gathers the asks of a call into one `input_required`, and the retry that brings the answers goes
//!   on. What the client carries meanwhile is sealed ([`seal`]) and bound to user, client, authority, call and time.
//! - A legacy server asks while its call stays open: the call is suspended in this process.
//! - A modern server ends its turn and is sent the call again: its own state travels in the sealed one.
//!
//! [`server::handshake`] finds out how a server speaks; one verdict ([`server::Speech`]) holds for all children, as they
//! run one command, and one that speaks both eras is spoken to in its client's. A
//! legacy server does not say which call made it ask: `bridge/child/attribution.rs` never guesses, and refuses rather
//! than ask the wrong client. Payloads are [`Raw`](mcp::Raw) text; rewritten is what the eras have differently, and what
//! a modern client may rely on whatever its server says (`client/modern/result.rs`).
//!
//! # Whose child
//!
//! A child's key is the [`UserId`](auth::UserId) (issuer, tenant, subject), the authority, and the session where each
//! has a child of its own; within it, slots differ by [`Profile`](server::Profile), of which an authority has at most
//! three. The authority is a digest over all that was rendered for the caller, his tenant and who acts for him: a client
//! that may do less never runs in the child of one that may do more. The gate compares it at each use of a seat.
//!
//! A legacy session outlives its child: it has a seat that keeps the slot alone, each of its calls one that keeps the
//! child as well. The next child is told what the slot's subscribers want; the session goes on if the child keeps what
//! the first one promised ([`Hello::is_kept_by`](server::Hello::is_kept_by)).
//!
//! A slot's states stand in one machine (`bridge/pool/slot_state.rs`), which alone changes them: a child that drains
//! stands beside the one that serves. One task owns a child, its pending calls and its state (`bridge/child/actor.rs`
//! over `bridge/child/state.rs`); everybody else holds a handle and sends commands. When the loop ends, every waiter gets
//! an error.
//!
//! A [`Launcher`](gate::Launcher) fetches the credentials ([`Sources::fetch`](credentials::Sources::fetch)), prepares
//! home, environment and walls, and spawns. Before that a start has to be admitted (`bridge/pool/admission.rs`): a share of
//! what its user may have, its turn among all users' starts (`bridge/pool/start_order.rs`), and a place, which comes back
//! when nothing of the process is left (`bridge/pool/capacity.rs`). `bridge/pool/authorizing_tokens.rs` knows the tokens that authorise a child and ends
//! it with the last of them that the issuer withdraws. The credentials live as long as the child; meanwhile a
//! [`SharedWatch`](credentials::SharedWatch) refuses their values to any other user.
//!
//! # The process tree
//!
//! ```text
//! mcpwrap ──lifeline──▶ supervisor ──▶ stage 2 ──exec──▶ CMD ──▶ whatever CMD starts
//!    └───── specification, stdin, stdout, stderr ────────▶┘
//! ```
//!
//! The supervisor is a subreaper without a credential, and ends its tree when the lifeline ends. Stage 2 reads the
//! specification, builds the [`Walls`](process::walls::Walls) around itself and becomes `CMD`. One thread starts all
//! supervisors, because a parent-death signal fires when the spawning *thread* ends. See [`process`]. Elsewhere, and
//! with `--cfg mcpwrap_portable`, `process/portable.rs` starts `CMD` itself, without walls: enough for `dev`.
//!
//! # What is deliberately absent
//!
//! - [`gate`] and bridge know nothing of HTTP, and [`client`] nothing of status codes.
//! - [`http`] knows nothing of sessions but the header that the client side names, and nothing of calls or children.
//! - [`process`] knows nothing of MCP, and of users only that each has a home and perhaps an id of his own.
//! - [`auth`] knows nothing of MCP, children or the credentials they get.
//! - [`credentials`] knows neither children nor MCP, and never falls back to another source.
//! - [`mcp`] reads envelopes and the few members of `params` that a bridge needs, and uses no other module.
//! - [`config`] opens no file. Nothing but [`cli`] prints; beside it there are only the log and the audit records.
//! - Nothing asks which mode it runs in: what differs is a value.
//! - There is no way to a child around [`gate`]: the bridge is its private module. There is none around [`policy`]: only
//!   that module makes a [`Permitted`](policy::Permitted) or a [`Connect`](policy::Connect), and mcpwrap's own requests
//!   are the closed enum [`Internal`](server::Internal).
//!
//! # Invariants
//!
//! Each is held by tests; a change that needs another invariant changes this page first.
//!
//! 1. **Two users never share** a process, a file, a cache entry, a stream or an error text. `tests/isolation/walls.rs`,
//!    `tests/it/mapping.rs`, `tests/it/resume.rs`, `tests/it/questions.rs`,
//!    `tests/serve/identity.rs`, `tests/serve/credentials.rs`, `tests/interop/serve.mjs`
//! 2. **The inbound token goes to no child and no log.** What we inject is known, and masked wherever a child's output
//!    is logged: a net, not a wall. `tests/process/starts.rs`, `tests/isolation/life.rs`, `tests/serve/silence.rs`,
//!    `tests/interop/serve.mjs`, `src/redact/tests.rs`
//! 3. **Nothing the caller controls chooses** a path, a command, a key or a user but through verified, encoded claims.
//!    `tests/serve/tokens.rs`, `tests/serve/identity.rs`, `tests/serve/credentials.rs`,
//!    `src/credentials/template/tests.rs`, `tests/it/input_required.rs`
//! 4. **Missing means deny**: an audience, a claim, a public issuer's list, a credential, room in the audit queue.
//!    `tests/serve/tokens.rs`, `tests/serve/startup.rs`, `tests/serve/faults.rs`,
//!    `tests/it/audit_queue.rs`, `tests/it/audit_file.rs`, `src/credentials/shared_watch/tests.rs`
//! 5. **No process outlives us or its reason**, on Linux; elsewhere as far as that is possible. `tests/process/ends.rs`,
//!    `tests/process/losses.rs`, `tests/isolation/life.rs`, `tests/it/dev_mode.rs`
//! 6. **Every wait has a deadline (but a subscription, which is quiet by nature), every queue a bound, every frame a
//!    maximum.** `tests/it/stubborn.rs`,
//!    `tests/it/connections.rs`, `tests/it/endings.rs`, `tests/it/noise.rs`, `tests/serve/stalls.rs`, `tests/serve/crowd.rs`, `tests/serve/memory.rs`, `src/http/listener.rs`
//! 7. **A dead session is 404 and a foreign one looks the same; a missing token is 401** with a challenge that a client
//!    can follow. `tests/it/sessions.rs`, `tests/it/session_survival.rs`, `tests/serve/sessions.rs`, `tests/serve/challenges.rs`, `tests/interop/serve.mjs`
//! 8. **What a child prints that is not MCP** never reaches a client and never stalls the child. `tests/it/noise.rs`
//! 9. **Nothing reaches a child but through the gate, and nothing passes it unrecorded.** `tests/it/gate.rs`,
//!    `tests/serve/audit.rs`, `tests/it/audit_queue.rs`, `tests/it/audit_file.rs`

pub mod app;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod gate;
pub mod hex;
pub mod http;
pub mod limits;
pub mod mcp;
pub mod outbound;
pub mod policy;
pub mod private_file;
pub mod problem;
pub mod process;
pub mod redact;
#[cfg(test)]
mod scratch;
pub mod seal;
pub mod server;
pub mod shutdown;
pub mod store;
pub mod telemetry;
