//! The API's description, made from the handlers.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

/// A bundle: a canonical tar, compressed with zstd.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Archive(Vec<u8>);

/// How a TCP client says who it is.
struct Token;

impl Modify for Token {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "Needed over TCP. A unix socket's peer is who the kernel says.",
            ))
            .build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Odin",
        description = "A programmable, observable and distributed job scheduler.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        crate::jobs::list,
        crate::deploy::deploy,
        crate::jobs::get,
        crate::changes::modify,
        crate::changes::remove,
        crate::jobs::versions,
        crate::versions::get,
        crate::versions::roll_back,
        crate::catch_up::catch_up,
        crate::jobs::bundle,
        crate::changes::pause,
        crate::changes::resume,
        crate::runs::run_now,
        crate::runs::list_of_job,
        crate::runs::list,
        crate::runs::get,
        crate::runs::cancel,
        crate::runs::chain,
        crate::links::list,
        crate::links::make,
        crate::links::remove,
        crate::output::get,
        crate::values::of_job,
        crate::values::of_run,
        crate::events::follow,
        crate::statistics::of_job,
        crate::statistics::of_all,
        crate::ledger::get,
        crate::proof::why,
        crate::proof::verify,
        crate::schedules::explain,
        crate::schedules::next,
        crate::secrets::list,
        crate::secrets::set,
        crate::secrets::remove,
        crate::secrets::share,
        crate::secrets::unshare,
        crate::calendars::moved,
        crate::calendars::list,
        crate::calendars::get,
        crate::calendars::set,
        crate::calendars::remove,
        crate::alerts::list,
        crate::alerts::get,
        crate::alerts::acknowledge,
        crate::alerts::silences,
        crate::alerts::silence,
        crate::alerts::unsilence,
        crate::channels::list,
        crate::channels::set,
        crate::channels::remove,
        crate::channels::test,
        crate::channels::deliveries,
        crate::history::get,
        crate::sinks::list,
        crate::sinks::get,
        crate::sinks::set,
        crate::sinks::remove,
        crate::sinks::test,
        crate::nodes::list,
        crate::backup::take,
        crate::nodes::health,
        crate::nodes::ready,
        crate::metrics::get,
    ),
    modifiers(&Token),
    security((), ("token" = [])),
    components(schemas(odin_wire::OutputChunk, odin_wire::Lagged, odin_wire::NewValues, odin_wire::LedgerEntry))
)]
struct Description;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    Description::openapi()
        .to_pretty_json()
        .expect("the description is plain data")
});

/// `docs/reference/openapi.json`, as the running server has it.
pub(crate) async fn get() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_bed::{TestBed, request, root};

    /// `UPDATE_EXPECT=1` writes the file again.
    #[test]
    fn the_checked_in_description_is_that_of_the_handlers() {
        let text = format!("{}\n", &*TEXT);
        expect_test::expect_file!["../../../docs/reference/openapi.json"].assert_eq(&text);
    }

    #[tokio::test]
    async fn what_is_described_is_served() {
        let bed = TestBed::new();
        let description: serde_json::Value = serde_json::from_str(&TEXT).unwrap();
        for (path, operations) in description["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                let path = ["{id}", "{name}", "{user}"]
                    .iter()
                    .fold(path.clone(), |path, part| path.replace(part, "-"));
                let request = request(&method.to_uppercase(), &path);
                let response = bed.send(&root(), request).await;
                let status = response.status().as_u16();
                assert_ne!(status, 405, "{method} {path}");
                if status == 404 {
                    // Of what is named, not of the path. A problem ends; what is served may not.
                    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
                    let problem: serde_json::Value =
                        serde_json::from_slice(&body.unwrap()).unwrap();
                    assert_ne!(problem["code"], "request/no-such-path", "{method} {path}");
                }
            }
        }
    }
}
