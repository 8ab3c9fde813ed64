//! HTTP/1.1 by hand, one connection for each request, so that a test can be as wrong, slow or absent as it likes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::soon;

/// A request before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// The head of an answer and the connection on which its body comes; dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    stream: TcpStream,
    buffer: Vec<u8>,
    framing: Framing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    End,
}

/// The events of a stream.
#[derive(Debug)]
pub(crate) struct Events {
    reply: Reply,
    text: String,
}

/// What a stream said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spoken {
    Event { id: Option<String>, data: String },
    Comment,
}

// === impl Request ===

impl Request {
    pub(crate) fn new(method: &'static str) -> Self {
        Self { method, target: "/mcp".to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A POST with the headers that every client sends.
    pub(crate) fn post(body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        request.body = body.into();
        request
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// The same header with another value.
    pub(crate) fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).header(name, value)
    }

    /// In the name of whoever has the token, if any.
    pub(crate) fn bearing(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.header("authorization", format!("Bearer {token}")),
            None => self,
        }
    }

    /// Sends it and waits for the head of the answer.
    pub(crate) async fn send(&self, address: SocketAddr) -> Reply {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses early may stop reading; its answer is there nevertheless.
        let _ = soon("room for the request", stream.write_all(&self.bytes())).await;
        Reply::read(stream).await
    }

    /// Sends it and leaves the answer to come.
    pub(crate) async fn send_only(&self, address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&self.bytes()).await.unwrap();
        stream
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        let named = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        if !named("host") {
            line("host", b"127.0.0.1");
        }
        if !named("content-length") {
            line("content-length", self.body.len().to_string().as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) async fn read(stream: TcpStream) -> Self {
        let mut reply = Self {
            status: 0,
            headers: Vec::new(),
            stream,
            buffer: Vec::new(),
            framing: Framing::End,
        };
        let end = loop {
            if let Some(at) = find(&reply.buffer, b"\r\n\r\n") {
                break at;
            }
            assert!(reply.more().await, "hung up before the head: {:?}", reply.buffer);
        };
        let rest = reply.buffer.split_off(end + 4);
        let head = String::from_utf8(std::mem::replace(&mut reply.buffer, rest)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        reply.status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            reply.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        reply.framing = match (reply.header("transfer-encoding"), reply.header("content-length")) {
            (Some("chunked"), _) => Framing::Chunked,
            (_, Some(length)) => Framing::Length(length.parse().unwrap()),
            _ => Framing::End,
        };
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Asserts the status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}", self.headers);
        self
    }

    /// The next part of the body; nothing at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        match self.framing {
            Framing::Length(0) => None,
            Framing::Length(left) => {
                if self.buffer.is_empty() {
                    assert!(self.more().await, "hung up {left} bytes before the end");
                }
                let part = self.buffer.split_off(0);
                self.framing = Framing::Length(left - part.len());
                Some(part)
            }
            Framing::End => {
                if self.buffer.is_empty() && !self.more().await {
                    return None;
                }
                Some(self.buffer.split_off(0))
            }
            Framing::Chunked => {
                let size = usize::from_str_radix(&self.line().await, 16).unwrap();
                while self.buffer.len() < size + 2 {
                    assert!(self.more().await, "hung up within a chunk");
                }
                let rest = self.buffer.split_off(size + 2);
                let mut part = std::mem::replace(&mut self.buffer, rest);
                part.truncate(size);
                if size == 0 {
                    self.framing = Framing::Length(0);
                    return None;
                }
                Some(part)
            }
        }
    }

    pub(crate) async fn bytes(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(part) = self.chunk().await {
            all.extend_from_slice(&part);
        }
        all
    }

    pub(crate) async fn json(self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "status {}", self.status);
        let bytes = self.bytes().await;
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    pub(crate) fn events(self) -> Events {
        assert!(self.is_stream(), "no stream, status {}: {:?}", self.status, self.headers);
        Events { reply: self, text: String::new() }
    }

    /// The answer, whether it came as a document or at the end of a stream.
    pub(crate) async fn answer(self) -> Value {
        if !self.is_stream() {
            return self.json().await;
        }
        self.events().rest().await.pop().expect("a stream with an answer")
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let rest = self.buffer.split_off(at + 2);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(at);
                return String::from_utf8(line).unwrap();
            }
            assert!(self.more().await, "hung up within a chunked body");
        }
    }

    async fn more(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        // A connection that is reset has ended too.
        soon("a byte of the answer", read).await.unwrap_or(0) > 0
    }
}

// === impl Events ===

impl Events {
    /// The next thing that the stream says; nothing at its end.
    pub(crate) async fn spoken(&mut self) -> Option<Spoken> {
        loop {
            if let Some(at) = self.text.find("\n\n") {
                let block: String = self.text.drain(..at + 2).collect();
                return Some(spoken(block.trim_end_matches('\n')));
            }
            let part = self.reply.chunk().await?;
            self.text.push_str(std::str::from_utf8(&part).unwrap());
        }
    }

    /// The next event that is not a comment, with its id.
    pub(crate) async fn event(&mut self) -> Option<(Option<String>, String)> {
        // Signs of life must not keep a test alive.
        soon("an event or the end of the stream", async {
            loop {
                if let Spoken::Event { id, data } = self.spoken().await? {
                    return Some((id, data));
                }
            }
        })
        .await
    }

    /// The next message; nothing at the end of the stream.
    pub(crate) async fn message(&mut self) -> Option<Value> {
        self.tagged().await.map(|(_, message)| message)
    }

    /// The next message and the id of its event.
    pub(crate) async fn tagged(&mut self) -> Option<(Option<String>, Value)> {
        loop {
            let (id, data) = self.event().await?;
            if !data.is_empty() {
                return Some((id, serde_json::from_str(&data).unwrap()));
            }
        }
    }

    /// The next message, which must be of this method.
    pub(crate) async fn expect(&mut self, method: &str) -> Value {
        let message = self.message().await.unwrap_or_else(|| panic!("ended before {method}"));
        assert_eq!(message["method"], method, "{message}");
        message
    }

    /// All messages up to the end.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.message().await {
            all.push(message);
        }
        all
    }
}

fn spoken(block: &str) -> Spoken {
    let (mut id, mut data) = (None, None);
    for line in block.split('\n') {
        match line.split_once(':') {
            Some(("", _)) => {}
            Some(("id", value)) => id = Some(value.trim_start().to_owned()),
            Some(("data", value)) => data = Some(value.trim_start().to_owned()),
            Some(("retry", value)) => assert!(value.trim().parse::<u32>().is_ok()),
            Some(("event", value)) => assert_eq!(value.trim(), "message"),
            other => panic!("not a line of an event stream: {other:?}"),
        }
    }
    data.map_or(Spoken::Comment, |data| Spoken::Event { id, data })
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
