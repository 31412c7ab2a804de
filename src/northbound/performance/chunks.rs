//! Answers in pieces: no message grows beyond what a client must take.

use crate::northbound::limits;
use crate::wire::v1;
use prost::Message;

/// Cuts series into pieces of bounded size; the order stays.
pub(super) fn series_chunks(
    series: impl IntoIterator<Item = v1::MeasurementSeries>,
) -> Vec<Vec<v1::MeasurementSeries>> {
    let mut chunks: Vec<Vec<v1::MeasurementSeries>> = Vec::new();
    let mut bytes = usize::MAX;
    for one in series {
        let size = one.encoded_len();
        if bytes.saturating_add(size) > limits::PAGE_BYTES {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(one);
        }
    }
    chunks
}
