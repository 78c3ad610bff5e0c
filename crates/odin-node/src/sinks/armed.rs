//! Senders with the secrets that they were made with.

use odin_executor::masking::Patterns;
use odin_model::owner::Owner;
use odin_model::secret::{SealedSecret, SecretName};
use odin_model::sink::Sink;
use odin_outbound::Bounds;
use odin_sinks::{Credential, Sender, Unsent};
use odin_store::{Reader, StoreError};

use crate::sealing::Keyring;

/// A sender, and which secret it has.
pub(super) struct Armed {
    sender: Sender,
    /// Whose it is, and how it was sealed. `None`: the sink names none.
    secret: Option<(Owner, SealedSecret)>,
}

/// The sender for what comes next: the one that is there unless its secret is another by now.
///
/// # Errors
/// When the secret is gone or cannot be opened, or no sender can be made of it. Then none is left.
pub(super) fn arm<'a>(
    armed: &'a mut Option<Armed>,
    reader: &Reader,
    keyring: &Keyring,
    sink: &Sink,
) -> Result<&'a mut Sender, SinkSecretError> {
    let before = armed.take();
    let secret = match &sink.spec.secret {
        Some(name) => Some(sealed(reader, sink, name)?),
        None => None,
    };
    let armed = match before.filter(|it| it.secret == secret) {
        Some(same) => armed.insert(same),
        None => {
            let credential = match (&sink.spec.secret, &secret) {
                (Some(name), Some((whose, sealed))) => Some(open(keyring, (whose, name), sealed)?),
                _ => None,
            };
            let sender = Sender::new(sink, credential, Bounds::default())?;
            let sender = sender.keep_out_of(reader.directory());
            armed.insert(Armed { sender, secret })
        }
    };
    Ok(&mut armed.sender)
}

/// The secret that a sink names, as it is now.
fn sealed(
    reader: &Reader,
    sink: &Sink,
    name: &SecretName,
) -> Result<(Owner, SealedSecret), SinkSecretError> {
    let user = &sink.owner.user;
    let found = reader.usable_secret(&sink.owner, name)?;
    found.ok_or_else(|| {
        not_now(format!(
            "{user} has no secret `{name}` any more: `odin secret set {name}` as that user"
        ))
    })
}

fn open(
    keyring: &Keyring,
    (whose, name): (&Owner, &SecretName),
    sealed: &SealedSecret,
) -> Result<Credential, SinkSecretError> {
    let value = keyring
        .open_sealed(whose, name, sealed)
        .map_err(|error| not_now(format!("the secret `{name}` cannot be opened: {error}")))?;
    let patterns = Patterns::new([&value]);
    let masking = move |text: &str| patterns.masked(text);
    Ok(Credential::new(value, std::sync::Arc::new(masking)))
}

fn not_now(reason: String) -> SinkSecretError {
    let after = None;
    Unsent::NotNow { reason, after }.into()
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkSecretError {
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret is gone, or sealed by a key that is; or the receiver did not take what it was sent.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}
