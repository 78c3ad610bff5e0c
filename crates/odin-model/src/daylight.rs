//! How stored values hold what a fixed time does when the clock jumps: `odin-schedule` itself knows nothing of storage.

use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(remote = "GapPolicy")]
enum Gap {
    Shift,
    Skip,
    Before,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RepeatPolicy")]
enum Repeat {
    First,
    Last,
    Both,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DstPolicy")]
struct Policy {
    #[serde(with = "Gap")]
    gap: GapPolicy,
    #[serde(with = "Repeat")]
    repeat: RepeatPolicy,
}

/// For `#[serde(with)]`.
pub(crate) fn serialize<S: Serializer>(
    policy: &DstPolicy,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Policy::serialize(policy, serializer)
}

/// For `#[serde(with)]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<DstPolicy, D::Error> {
    Policy::deserialize(deserializer)
}
