//! Submitting the job: once, however often it is asked for.

use crate::{
    SubmitError, Watch,
    inspect::{sentence, verified},
};
use tatau_api::{JobView, SubmitJob};
use tatau_client::Client;
use tatau_model::{Amount, BlobId, Device, JobId, Machines, Strategy};
use tatau_workload::{frames, template};

/// Everything that a render job is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// A name for people.
    pub name: String,
    /// Manifest of the inputs.
    pub inputs: BlobId,
    /// The scene's path in them.
    pub scene: String,
    /// The environment that it was inspected in.
    pub environment: String,
    /// The inspection that saw them.
    pub inspection: JobId,
    /// Frames, in the order wanted.
    pub frames: Vec<i32>,
    /// Encode a video at the end.
    pub video: bool,
    /// Pause after a few frames until they are approved.
    pub preview: bool,
    /// Card class; `None` is any.
    pub class: Option<String>,
    /// What renders.
    pub device: Device,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// Whose machines may work on it.
    pub machines: Machines,
    /// Take nothing over from earlier jobs.
    pub fresh: bool,
    /// How frames are cut, as quoted.
    pub tiles: String,
    /// Moves to escrow.
    pub cap: Amount,
    /// From [`request_key`].
    pub request_key: String,
}

/// The same owner, inputs, frames, device and nonce give the same key, and the same key the same job: asking twice pays once.
pub fn request_key(
    owner: &str,
    inputs: &BlobId,
    frames: &[i32],
    video: bool,
    device: Device,
    nonce: &str,
) -> String {
    let inputs_text = inputs.to_string();
    let mut hasher = blake3::Hasher::new_derive_key("Tatau 1 request key of a render job");
    let frames = frames::format(frames);
    let mut parts = vec![owner, &inputs_text, &frames, if video { "video" } else { "frames" }, nonce];
    // Processors are not named, as they never were.
    parts.extend(Some(device.name()).filter(|_| !device.is_cpu()));
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Waits until the audits agreed with the inspection's report, then moves the cap to escrow and starts the job.
pub async fn pay(client: &Client, order: &Order, watch: &mut dyn Watch) -> Result<JobView, SubmitError> {
    verified(client, order.inspection, watch).await?;
    let bundle = template::render_bundle(&order.name, &order.scene, &order.frames)
        .map_err(|e| SubmitError::Usage(sentence(&e.to_string())))?;
    let name: String = order.name.chars().filter(|c| !c.is_control()).take(48).collect();
    let job = SubmitJob {
        name: if name.is_empty() { "render".into() } else { name },
        template: Some(bundle.template().to_owned()),
        parameters: bundle.parameters().clone(),
        inputs: order.inputs,
        scene: order.scene.clone(),
        environment: order.environment.clone(),
        inspection: Some(order.inspection),
        frames: frames::format(&order.frames),
        video: order.video,
        preview: order.preview,
        class: order.class.clone(),
        device: order.device,
        strategy: order.strategy,
        machines: order.machines,
        cap: order.cap,
        fresh: order.fresh,
        tiles: order.tiles.clone(),
        program: None,
        request_key: order.request_key.clone(),
    };
    Ok(client.submit_job(&job).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_what_is_asked() {
        let inputs = BlobId([7; 32]);
        let key =
            |frames: &[i32], nonce: &str| request_key("0x01", &inputs, frames, true, Device::Cpu, nonce);
        assert_eq!(key(&[1, 2], "a"), key(&[1, 2], "a"));
        assert_ne!(key(&[1, 2], "a"), key(&[1, 3], "a"));
        assert_ne!(key(&[1, 2], "a"), key(&[1, 2], "b"));
        assert_ne!(key(&[1], "a"), request_key("0x01", &inputs, &[1], true, Device::Optix, "a"));
        assert!(key(&[1], "a").len() <= 100);
    }
}
