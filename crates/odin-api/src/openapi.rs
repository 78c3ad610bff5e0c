//! The API's description, made from the handlers.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

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
        crate::jobs::bundle,
        crate::changes::pause,
        crate::changes::resume,
        crate::runs::run_now,
        crate::runs::list_of_job,
        crate::runs::list,
        crate::runs::get,
        crate::runs::cancel,
        crate::output::get,
        crate::events::follow,
        crate::ledger::get,
        crate::schedules::explain,
        crate::schedules::next,
        crate::nodes::list,
        crate::nodes::health,
        crate::nodes::ready,
        crate::nodes::metrics,
    ),
    components(schemas(odin_wire::OutputChunk, odin_wire::Lagged, odin_wire::LedgerEntry))
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

    /// `UPDATE_EXPECT=1` writes the file again.
    #[test]
    fn the_checked_in_description_is_that_of_the_handlers() {
        let text = format!("{}\n", &*TEXT);
        expect_test::expect_file!["../../../docs/reference/openapi.json"].assert_eq(&text);
    }
}
