//! Settings of the whole cluster.

use odin_model::Reply;
use odin_model::command::Setting;
use odin_model::owner::{Principal, Role};

use super::{Batch, Stop};
use crate::{Effect, settings};

pub(super) fn apply(
    batch: &mut Batch<'_>,
    by: &Principal,
    setting: &Setting,
) -> Result<Reply, Stop> {
    by.need(Role::Admin)?;
    match setting {
        Setting::Timezone(zone) => settings::set(batch.conn, settings::TIMEZONE, zone)?,
    }
    batch.effects.push(Effect::SettingsChanged);
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use odin_model::command::{Command, Setting};
    use odin_model::owner::Role;
    use odin_model::{Refusal, Reply};

    use crate::Effect;
    use crate::scenario::{Scenario, ann, root};

    #[test]
    fn an_admin_alone_sets_the_time_zone() {
        let mut scenario = Scenario::new();
        assert_eq!(scenario.store.reader().timezone().unwrap(), None);
        let set = |by| Command::Set {
            by,
            setting: Setting::Timezone("Europe/Berlin".to_owned()),
        };
        let needed = Role::Admin;
        assert_eq!(
            scenario.refused(&set(ann())),
            Refusal::RoleNeeded { needed }
        );
        assert_eq!(scenario.apply(&set(root())), Reply::Done);
        assert_eq!(scenario.effects, [Effect::SettingsChanged]);
        let zone = scenario.store.reader().timezone().unwrap();
        assert_eq!(zone.as_deref(), Some("Europe/Berlin"));
    }
}
