//! Settings of the whole cluster.

use odin_model::command::Setting;
use odin_model::owner::{Principal, Role};
use odin_model::{Refusal, Reply};

use super::{Batch, Stop};
use crate::{Effect, settings};

pub(super) fn apply(
    batch: &mut Batch<'_>,
    by: &Principal,
    setting: &Setting,
) -> Result<Reply, Stop> {
    if by.role != Role::Admin {
        return Err(Refusal::RoleNeeded {
            needed: Role::Admin,
        }
        .into());
    }
    match setting {
        Setting::Timezone(zone) => settings::set(batch.conn, settings::TIMEZONE, zone)?,
    }
    batch.effects.push(Effect::SettingsChanged);
    Ok(Reply::Done)
}
