//! The few XDR forms libvirt's protocol needs (RFC 4506), and the frame around a message.

/// Program of libvirt's remote protocol.
pub const REMOTE: u32 = 0x2000_8086;
/// Program of keepalive.
pub const KEEPALIVE: u32 = 0x6b65_6570;

/// A message under construction.
#[derive(Clone, Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn i32(self, value: i32) -> Self {
        self.u32(u32::from_be_bytes(value.to_be_bytes()))
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).expect("short");
        self.u32(length).fixed(text.as_bytes())
    }

    /// Bytes without a length, padded to four.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// An optional value that is absent.
    pub fn absent(self) -> Self {
        self.u32(0)
    }

    /// An optional text that is present.
    pub fn some_text(self, text: &str) -> Self {
        self.u32(1).text(text)
    }
}

/// A received message.
pub struct Call {
    pub program: u32,
    pub procedure: u32,
    pub serial: u32,
    pub body: Vec<u8>,
}

impl Call {
    /// Takes the message apart; `frame` lacks the length.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let word = |index: usize| Some(u32::from_be_bytes(frame.get(index * 4..index * 4 + 4)?.try_into().ok()?));
        Some(Self { program: word(0)?, procedure: word(2)?, serial: word(4)?, body: frame.get(24..)?.to_vec() })
    }

    /// A word of the body, counted from its start.
    pub fn word(&self, index: usize) -> u32 {
        let bytes = self.body.get(index * 4..index * 4 + 4).unwrap_or(&[0; 4]);
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    }

    /// A word of the body, counted from its end.
    pub fn word_from_end(&self, index: usize) -> u32 {
        self.word((self.body.len() / 4).saturating_sub(index))
    }
}

/// Kind of a sent message.
#[derive(Clone, Copy)]
pub enum Kind {
    Reply = 1,
    Event = 2,
}

/// A message with its frame.
pub fn frame(program: u32, procedure: u32, kind: Kind, serial: u32, failed: bool, body: &Body) -> Vec<u8> {
    let length = u32::try_from(28 + body.0.len()).expect("below 4 GiB");
    let head = Body::default().u32(length).u32(program).u32(1).u32(procedure).u32(kind as u32).u32(serial);
    let mut bytes = head.u32(u32::from(failed)).0;
    bytes.extend_from_slice(&body.0);
    bytes
}
