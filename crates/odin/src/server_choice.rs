//! Which server a command speaks to: flags first, then the environment, then this machine's sockets.

use std::ffi::OsString;
use std::path::PathBuf;

use odin_client::{Target, Token};

use crate::arguments::Everywhere;
use crate::error::CliError;

/// The socket of a system's server.
const SYSTEM_DATA_DIR: &str = "/var/lib/odin";
/// The socket's name in a data directory.
const SOCKET: &str = "odin.sock";

/// The environment, as an argument: tests bring their own.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The server and the token that flags and environment name.
pub(crate) fn choose(
    flags: &Everywhere,
    environment: Environment<'_>,
    is_root: bool,
) -> Result<(Target, Option<Token>), CliError> {
    Ok((
        target(flags, environment, is_root)?,
        token(flags, environment)?,
    ))
}

fn target(
    flags: &Everywhere,
    environment: Environment<'_>,
    is_root: bool,
) -> Result<Target, CliError> {
    let refused =
        |error: odin_client::AddressError| CliError::refused("cli/bad-address", error.to_string());
    if let Some(port) = &flags.port {
        return Target::parse_port(port).map_err(refused);
    }
    if let Some(server) = &flags.server {
        return Target::parse_server(server).map_err(refused);
    }
    if let Some(server) = text_of(environment, "ODIN_SERVER")? {
        return Target::parse_server(&server).map_err(|error| {
            CliError::refused("cli/bad-address", format!("ODIN_SERVER: {error}"))
        });
    }
    let mut sockets: Vec<PathBuf> = Vec::new();
    for directory in [data_dir(environment, is_root), Some(SYSTEM_DATA_DIR.into())] {
        let socket = directory.map(|directory| directory.join(SOCKET));
        sockets.extend(socket.filter(|socket| !sockets.contains(socket)));
    }
    Ok(Target::Sockets(sockets))
}

/// The user's own data directory. `None`: the environment names no home.
pub(crate) fn data_dir(environment: Environment<'_>, is_root: bool) -> Option<PathBuf> {
    let named = |name: &str| {
        environment(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(directory) = named("ODIN_DATA_DIR") {
        return Some(directory);
    }
    if is_root {
        return Some(SYSTEM_DATA_DIR.into());
    }
    // The XDG specification has relative paths ignored.
    named("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| named("HOME").map(|home| home.join(".local/share")))
        .map(|share| share.join("odin"))
}

fn token(flags: &Everywhere, environment: Environment<'_>) -> Result<Option<Token>, CliError> {
    let text = match &flags.token {
        Some(token) => Some(token.clone()),
        None => text_of(environment, "ODIN_TOKEN")?,
    };
    text.map(|text| {
        Token::parse(&text).map_err(|error| CliError::refused("cli/bad-token", error.to_string()))
    })
    .transpose()
}

/// A variable's text. An empty one counts as not set.
fn text_of(environment: Environment<'_>, name: &str) -> Result<Option<String>, CliError> {
    match environment(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value
            .into_string()
            .map(Some)
            .map_err(|_| CliError::refused("cli/bad-environment", format!("{name} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[(&str, &str)], environment: &[(&str, &str)], is_root: bool, expected: &str) {
        let flag = |name: &str| {
            flags
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let everywhere = Everywhere {
            json: false,
            port: flag("port"),
            server: flag("server"),
            token: None,
        };
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        };
        let found = match target(&everywhere, &lookup, is_root) {
            Ok(target) => target.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{flags:?} {environment:?}");
    }

    #[test]
    fn flags_come_before_the_environment_and_that_before_the_sockets() {
        let home = ("HOME", "/home/ann");
        let server = ("ODIN_SERVER", "unix:/s");
        check(&[("port", ":1")], &[server, home], false, "127.0.0.1:1");
        check(
            &[("server", "http://h:2")],
            &[server, home],
            false,
            "http://h:2",
        );
        check(&[], &[server, home], false, "unix:/s");
        let both = "/home/ann/.local/share/odin/odin.sock, /var/lib/odin/odin.sock";
        check(&[], &[("ODIN_SERVER", ""), home], false, both);
        check(&[], &[home], true, "/var/lib/odin/odin.sock");
        check(&[], &[], false, "/var/lib/odin/odin.sock");
        check(
            &[],
            &[("ODIN_DATA_DIR", "/d"), home],
            true,
            "/d/odin.sock, /var/lib/odin/odin.sock",
        );
        let xdg = "/x/odin/odin.sock, /var/lib/odin/odin.sock";
        check(&[], &[("XDG_DATA_HOME", "/x"), home], false, xdg);
        check(&[], &[("XDG_DATA_HOME", "rel"), home], false, both);
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_where_it_was_said() {
        check(
            &[("port", "x")],
            &[],
            false,
            "`x` is not a port: write `:3939`",
        );
        check(
            &[],
            &[("ODIN_SERVER", "x")],
            false,
            "ODIN_SERVER: `x` is not a server's address: write `http://HOST:PORT` or `unix:PATH`",
        );
    }
}
