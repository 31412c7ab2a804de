//! The webhook: one POST per change, in order, signed.
//!
//! `X-VRM-Signature: sha256=HEX` is HMAC-SHA256 over `X-VRM-Timestamp`, a dot, and the body, so that
//! a receiver can refuse what is forged or old. `X-VRM-Delivery` is the same for every delivery of
//! the same change: what arrives twice can be told by it.

use super::channel::{Parcel, Progress, now};
use super::config::WebhookConfig;
use super::http::{HttpClient, read_secret};
use super::notice::Notice;
use crate::export::{Told, change_record};
use http::HeaderName;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Webhook {
    client: HttpClient,
    secret_file: Option<PathBuf>,
}

impl Webhook {
    pub(super) fn new(config: WebhookConfig) -> Result<Self, String> {
        Ok(Self { client: HttpClient::new(config.endpoint, "")?, secret_file: config.secret_file })
    }

    pub(super) async fn deliver(&mut self, parcel: Parcel<'_>) -> Progress {
        for (done, notice) in parcel.notices.iter().enumerate() {
            if let Err(failure) = self.send(parcel, notice).await {
                return Progress::stopped(done, failure);
            }
        }
        Progress::all(parcel.notices.len())
    }

    async fn send(&mut self, parcel: Parcel<'_>, notice: &Notice) -> Result<(), super::channel::Failure> {
        let sent = now();
        let told = Told { event: notice.event, epoch: parcel.epoch, sent };
        let body = change_record(parcel.reporter, &notice.view, told).to_string();
        let timestamp = sent.seconds_and_nanos().0.to_string();
        let mut headers = vec![(HeaderName::from_static("x-vrm-delivery"), delivery_id(parcel.epoch, notice))];
        if let Some(path) = &self.secret_file {
            let signature = sign(&read_secret(path).await?, &timestamp, body.as_bytes());
            headers.push((HeaderName::from_static("x-vrm-signature"), signature));
        }
        headers.push((HeaderName::from_static("x-vrm-timestamp"), timestamp));
        self.client.post(body.into(), &headers).await
    }
}

/// The same for every delivery of the same change.
fn delivery_id(epoch: &str, notice: &Notice) -> String {
    let view = &notice.view;
    format!("{epoch}/{}/{}/{}", view.sequence, view.id(), notice.event.as_str())
}

/// The signature header's value.
pub(super) fn sign(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let mut context = ring::hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let hex: String = context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}
