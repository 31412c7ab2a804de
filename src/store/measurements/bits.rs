//! A stream of bits: the letters of the codec. Knows nothing of what they mean.

/// Writes bits, the most significant first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    used: u32,
}

impl BitWriter {
    /// Writes the lowest `width` bits of a value, at most 64.
    pub(super) fn write(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.write_short(value >> 32, width - 32);
            self.write_short(value & 0xffff_ffff, 32);
        } else {
            self.write_short(value, width);
        }
    }

    fn write_short(&mut self, value: u64, width: u32) {
        let value = value & ((1_u64 << width) - 1);
        self.pending = (self.pending << width) | value;
        self.used += width;
        while self.used >= 8 {
            self.used -= 8;
            self.bytes.push((self.pending >> self.used).to_le_bytes()[0]);
        }
        self.pending &= (1 << self.used) - 1;
    }

    /// Writes a number by its length and its bits: below 2^63, six bits for a zero.
    pub(super) fn write_number(&mut self, value: u64) {
        let length = 64 - value.leading_zeros();
        self.write(u64::from(length), 6);
        self.write(value, length);
    }

    /// The bytes; what is missing of the last one is filled with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.used > 0 {
            let missing = 8 - self.used;
            self.write(0, missing);
        }
        self.bytes
    }
}

/// Reads what a [`BitWriter`] wrote. Past the end there is nothing.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next `width` bits, at most 64.
    pub(super) fn read(&mut self, width: u32) -> Option<u64> {
        let mut value = 0_u64;
        let mut missing = width;
        while missing > 0 {
            let byte = u64::from(*self.bytes.get(self.position / 8)?);
            let left = 8 - u32::try_from(self.position % 8).ok()?;
            let taken = left.min(missing);
            let part = (byte >> (left - taken)) & ((1 << taken) - 1);
            value = (value << taken) | part;
            self.position += taken as usize;
            missing -= taken;
        }
        Some(value)
    }

    /// A number written by [`BitWriter::write_number`].
    pub(super) fn read_number(&mut self) -> Option<u64> {
        let length = u32::try_from(self.read(6)?).ok()?;
        self.read(length)
    }
}
