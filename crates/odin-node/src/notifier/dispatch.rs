//! One attempt to bring one message to one channel, whatever its kind.

use std::sync::Arc;

use odin_model::channel::{Channel, Target};
use odin_model::delivery::Message;
use odin_model::{Clock, Owner, SecretName, SecretValue};
use odin_notify::{Courier, Destination, Receipt, SendError, Trouble};
use odin_store::Reader;

use super::hooks::Hooks;
use crate::sealing::Keyring;

/// What a message is brought to a channel with.
#[derive(Clone)]
pub(crate) struct Dispatch {
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) courier: Courier,
    pub(crate) hooks: Hooks,
}

/// An error that may be over at the next attempt.
pub(crate) fn for_now(reason: String) -> SendError {
    SendError {
        trouble: Trouble::ForNow,
        reason,
        steps: Vec::new(),
        settled: Vec::new(),
    }
}

impl Dispatch {
    /// Makes one attempt. `run_as` is the owner of the job that the message is about: a command runs as that user, or
    /// as the one who set the channel up.
    pub(crate) async fn send(
        &self,
        channel: &Channel,
        message: &Message,
        run_as: Option<&Owner>,
    ) -> Result<Receipt, SendError> {
        let secret = match channel.spec.target.secret() {
            Some(name) => Some(self.secret(&channel.owner, name)?),
            None => None,
        };
        let to = match &channel.spec.target {
            Target::Email(target) => Destination::Mail {
                target,
                password: secret.as_ref(),
            },
            Target::Webhook(target) => Destination::Webhook {
                target,
                key: secret.as_ref(),
            },
            Target::Command(command) => {
                let owner = run_as.unwrap_or(&channel.owner);
                return self.hooks.start(command, message, owner).await;
            }
        };
        self.courier.send(to, message, self.clock.wall()).await
    }

    /// A secret of the channel's, in clear. One that is not there may be set again.
    fn secret(&self, owner: &Owner, name: &SecretName) -> Result<SecretValue, SendError> {
        let found = self
            .reader
            .usable_secret(owner, name)
            .map_err(|error| for_now(format!("the state cannot be read: {error}")))?;
        let Some((whose, sealed)) = found else {
            let user = &owner.user;
            return Err(for_now(format!(
                "{user}, who set the channel up, has no secret `{name}` any more: set it with `odin secret set {name}`"
            )));
        };
        self.keyring
            .open_sealed(&whose, name, &sealed)
            .map_err(|error| for_now(format!("the secret `{name}` cannot be opened: {error}")))
    }
}
