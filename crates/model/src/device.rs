//! What renders: the processor, or a graphics card by one of the ways that Cycles knows.

use serde::{Deserialize, Serialize};

/// A device, as far as two results of it can be compared: frames of a job are rendered, and checked, on one of them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// NVIDIA cards of compute capability 5.0 and newer.
    Cuda,
    /// The same cards by their ray tracing.
    Optix,
    /// AMD cards of RDNA (RX 5000) and newer.
    Hip,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::Optix, Self::Hip];

    /// Its name in flags, forms and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Optix => "optix",
            Self::Hip => "hip",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.name() == name)
    }

    /// As people write it, after "rendered on".
    pub fn words(self) -> &'static str {
        match self {
            Self::Cpu => "processors",
            Self::Cuda => "graphics cards by CUDA",
            Self::Optix => "graphics cards by OptiX",
            Self::Hip => "graphics cards by HIP",
        }
    }

    /// The processor?
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::value::{Error, StrDeserializer};

    #[test]
    fn names_lead_back() {
        for device in Device::ALL {
            assert_eq!(Device::named(device.name()), Some(device));
            let written = StrDeserializer::<Error>::new(device.name());
            assert_eq!(Device::deserialize(written), Ok(device));
        }
        assert_eq!(Device::named("OPTIX"), None);
    }
}
