//! A load client of raw keep-alive connections: it costs so little that it is not what is measured.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::load::Sample;

/// Digits of a request id, so that every request of a kind has the same length.
const ID_DIGITS: usize = 10;
/// How much of an answer is kept to be looked at.
const KEPT: usize = 4096;
const READ: usize = 256 * 1024;
/// An answer that takes longer is a failure of the one who was asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where to POST.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    authority: String,
    path: String,
}

/// A request that is sent again and again, each time with another id.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Where the id is, if it has one.
    id_at: Option<usize>,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) session: Option<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    reply: Reply,
    sent: Instant,
}

/// An answer while it is being read.
#[derive(Debug, Default)]
struct Reply {
    head: Vec<u8>,
    kept: Vec<u8>,
    size: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// This much of the body is still to come.
    Length(usize),
    ChunkSize,
    /// This much of the chunk, its line end included.
    Chunk(usize),
    /// What follows the last chunk.
    Trailer,
    Done,
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads `http://HOST:PORT/PATH`.
    pub(crate) fn read(url: &str) -> Option<Self> {
        let (authority, path) = url.trim().strip_prefix("http://")?.split_once('/')?;
        Some(Self { authority: authority.to_owned(), path: format!("/{path}") })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// A request; `{id}` in the body becomes a number that changes.
    pub(crate) fn template(&self, headers: &[(&str, &str)], body: &str) -> Template {
        let body = body.replace("{id}", &"0".repeat(ID_DIGITS));
        let mut text = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n",
            self.path,
            self.authority,
            body.len()
        );
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let start = text.len();
        text.push_str(&body);
        let id_at = body.find(&"0".repeat(ID_DIGITS)).map(|at| start + at);
        Template { bytes: text.into_bytes(), id_at }
    }

    /// Sends one request on a connection of its own and reads the answer.
    pub(crate) fn ask(&self, template: &Template, id: u64) -> io::Result<Answer> {
        let mut connection = Connection::new(self.connect()?, template);
        connection.send(template, id)?;
        let mut buffer = vec![0; READ];
        while connection.receive(&mut buffer)? != Received::Whole {}
        Ok(connection.reply.answer())
    }
}

// === impl Template ===

impl Template {
    /// What stands before the id, and what behind it.
    pub(crate) fn around_id(&self) -> (&[u8], &[u8]) {
        let at = self.id_at.unwrap_or(self.bytes.len());
        (&self.bytes[..at], self.bytes.get(at + ID_DIGITS..).unwrap_or_default())
    }
}

// === impl Connection ===

#[derive(Debug, PartialEq, Eq)]
enum Received {
    Part,
    Whole,
}

impl Connection {
    fn new(stream: TcpStream, template: &Template) -> Self {
        let request = template.bytes.clone();
        Self { stream, request, reply: Reply::default(), sent: Instant::now() }
    }

    fn send(&mut self, template: &Template, id: u64) -> io::Result<()> {
        if let Some(at) = template.id_at {
            let digits = format!("{:0ID_DIGITS$}", 1_000_000_000 + id);
            self.request[at..at + ID_DIGITS].copy_from_slice(digits.as_bytes());
        }
        self.reply.reset();
        self.sent = Instant::now();
        // A request is far smaller than a socket's buffer, which is empty between two requests.
        self.stream.write_all(&self.request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let count = self.stream.read(buffer)?;
        if count == 0 {
            return Err(broken("the connection ended within an answer"));
        }
        self.reply.take(&buffer[..count])?;
        Ok(if self.reply.state == State::Done { Received::Whole } else { Received::Part })
    }

    /// Fails unless the answer is a result.
    fn check(&self) -> io::Result<()> {
        let status = self.reply.head.get(9..12);
        if status == Some(b"200") && memchr::memmem::find(&self.reply.kept, b"\"result\"").is_some()
        {
            return Ok(());
        }
        let head = String::from_utf8_lossy(&self.reply.head);
        let body = String::from_utf8_lossy(&self.reply.kept);
        Err(broken(&format!("not a result: {head}{body}")))
    }
}

// === impl Reply ===

impl Reply {
    fn reset(&mut self) {
        self.head.clear();
        self.kept.clear();
        self.size.clear();
        self.state = State::Head;
    }

    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Head => {
                    let before = self.head.len();
                    self.head.extend_from_slice(&bytes[..bytes.len().min(64 * 1024)]);
                    let from = before.saturating_sub(3);
                    let Some(end) = memchr::memmem::find(&self.head[from..], b"\r\n\r\n") else {
                        return Ok(());
                    };
                    let end = from + end + 4;
                    self.head.truncate(end);
                    bytes = &bytes[end - before..];
                    self.state = body_of(&self.head)?;
                }
                State::Length(left) => {
                    let now = bytes.len().min(*left);
                    *left -= now;
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    self.keep(&bytes[..now]);
                    bytes = &bytes[now..];
                }
                State::ChunkSize => {
                    let end = memchr::memchr(b'\n', bytes);
                    let now = end.map_or(bytes.len(), |end| end + 1);
                    self.size.extend_from_slice(&bytes[..now]);
                    bytes = &bytes[now..];
                    if end.is_some() {
                        let text = String::from_utf8_lossy(&self.size);
                        let digits = text.trim().split(';').next().unwrap_or_default();
                        let size = usize::from_str_radix(digits, 16)
                            .map_err(|_| broken("a chunk without a size"))?;
                        self.state =
                            if size == 0 { State::Trailer } else { State::Chunk(size + 2) };
                        self.size.clear();
                    }
                }
                State::Chunk(left) => {
                    let now = bytes.len().min(*left);
                    *left -= now;
                    if *left == 0 {
                        self.state = State::ChunkSize;
                    }
                    self.keep(&bytes[..now]);
                    bytes = &bytes[now..];
                }
                // No server that is measured sends trailers, so one empty line ends the body.
                State::Trailer => {
                    let end = memchr::memchr(b'\n', bytes);
                    bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
                    if end.is_some() {
                        self.state = State::Done;
                    }
                }
                State::Done => return Err(broken("more than one answer")),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
    }

    fn answer(self) -> Answer {
        let head = String::from_utf8_lossy(&self.head);
        let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_default();
        let session = head.lines().filter_map(|line| line.split_once(':'));
        let session = session
            .filter(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id"))
            .map(|(_, value)| value.trim().to_owned())
            .next();
        Answer { status, session, body: self.kept }
    }
}

fn body_of(head: &[u8]) -> io::Result<State> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            return match length {
                Some(0) => Ok(State::Done),
                Some(length) => Ok(State::Length(length)),
                None => Err(broken("a content length that is no number")),
            };
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(State::ChunkSize);
        }
    }
    Ok(State::Done)
}

fn broken(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}

// === load ===

/// Calls for a while, so many at a time, each on its own connection.
pub(crate) fn load(
    endpoint: &Endpoint,
    template: &Template,
    at_once: usize,
    time: Duration,
    next_id: &mut u64,
) -> io::Result<Sample> {
    let mut connections = Vec::with_capacity(at_once);
    for _ in 0..at_once {
        connections.push(Connection::new(endpoint.connect()?, template));
    }
    let mut load = Load { template, next_id, buffer: vec![0; READ], sample: Sample::default() };
    let start = Instant::now();
    if let [only] = connections.as_mut_slice() {
        while start.elapsed() < time {
            load.send(only)?;
            while only.receive(&mut load.buffer)? != Received::Whole {}
            load.whole(only)?;
        }
    } else {
        load.many(&mut connections, start, time)?;
    }
    load.sample.took = start.elapsed();
    Ok(load.sample)
}

struct Load<'a> {
    template: &'a Template,
    next_id: &'a mut u64,
    buffer: Vec<u8>,
    sample: Sample,
}

impl Load<'_> {
    fn send(&mut self, connection: &mut Connection) -> io::Result<()> {
        *self.next_id += 1;
        connection.send(self.template, *self.next_id)
    }

    fn whole(&mut self, connection: &Connection) -> io::Result<()> {
        connection.check()?;
        self.sample.took_one(connection.sent.elapsed());
        Ok(())
    }

    fn many(
        &mut self,
        connections: &mut [Connection],
        start: Instant,
        time: Duration,
    ) -> io::Result<()> {
        for connection in &mut *connections {
            connection.stream.set_nonblocking(true)?;
            self.send(connection)?;
        }
        let mut open = connections.len();
        while open > 0 {
            let ready: Vec<bool> = {
                let mut watched: Vec<PollFd<'_>> = connections
                    .iter()
                    .map(|connection| PollFd::new(connection.stream.as_fd(), PollFlags::POLLIN))
                    .collect();
                let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
                if poll(&mut watched, patience).map_err(io::Error::from)? == 0 {
                    return Err(broken("no answer in time"));
                }
                watched.iter().map(|fd| fd.any().unwrap_or_default()).collect()
            };
            for (connection, ready) in connections.iter_mut().zip(ready) {
                if !ready || connection.receive(&mut self.buffer)? == Received::Part {
                    continue;
                }
                self.whole(connection)?;
                if start.elapsed() < time {
                    self.send(connection)?;
                } else {
                    open -= 1;
                }
            }
        }
        Ok(())
    }
}
