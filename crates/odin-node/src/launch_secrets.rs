//! The secrets of a launch, opened as late as can be: when it is armed.

use odin_executor::protocol::LaunchSecret;
use odin_model::secret::SECRETS_OF_RUN_BYTES_MAX;
use odin_model::{Owner, SecretDelivery, SecretUse};
use odin_store::{Reader, StoreError};

use crate::sealing::Keyring;

/// The secrets that a job names, in clear; or why the run cannot start, in words without them.
///
/// # Errors
/// The state cannot be read.
pub(crate) fn open(
    reader: &Reader,
    keyring: &Keyring,
    owner: &Owner,
    uses: &[SecretUse],
) -> Result<Result<Vec<LaunchSecret>, String>, StoreError> {
    let mut secrets = Vec::with_capacity(uses.len());
    let mut bytes = 0;
    for SecretUse { name, delivery } in uses {
        let Some((whose, sealed)) = reader.usable_secret(owner, name)? else {
            return Ok(Err(format!(
                "{} has no secret `{name}` any more: set it with `odin secret set {name}`, or deploy the job without it",
                owner.user
            )));
        };
        let value = match keyring.open_sealed(&whose, name, &sealed) {
            Ok(value) => value,
            Err(error) => {
                let code = error.code();
                return Ok(Err(format!(
                    "the secret `{name}` cannot be opened ({code}): {error}"
                )));
            }
        };
        if *delivery == SecretDelivery::Env && value.expose().contains(&0) {
            return Ok(Err(format!(
                "the secret `{name}` holds a null byte, which no variable can: write `secrets: {{{name}: file}}`"
            )));
        }
        bytes += value.expose().len();
        secrets.push(LaunchSecret {
            name: name.clone(),
            value,
            delivery: *delivery,
        });
    }
    if bytes > SECRETS_OF_RUN_BYTES_MAX {
        return Ok(Err(format!(
            "the job's secrets have {bytes} bytes together; at most {SECRETS_OF_RUN_BYTES_MAX} are given to a run"
        )));
    }
    Ok(Ok(secrets))
}
