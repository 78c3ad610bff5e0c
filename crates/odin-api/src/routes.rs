//! Every path that is served.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use futures_util::FutureExt;

use crate::api::Api;
use crate::failure::Failure;
use crate::{
    alerts, backup, calendars, catch_up, changes, channels, deploy, events, history, identity,
    jobs, ledger, links, metrics, nodes, openapi, output, proof, request_metrics, runs, schedules,
    secrets, sinks, statistics, values, versions,
};

/// All paths, behind the layer that establishes who asks.
pub(crate) fn router(api: Api) -> Router {
    let versioned = Router::new()
        .route("/jobs", get(jobs::list).post(deploy::deploy))
        .route(
            "/jobs/{id}",
            get(jobs::get)
                .patch(changes::modify)
                .delete(changes::remove),
        )
        .route("/jobs/{id}/versions", get(jobs::versions))
        .route("/jobs/{id}/versions/{version}", get(versions::get))
        .route("/jobs/{id}/rollback", post(versions::roll_back))
        .route("/jobs/{id}/catch-up", post(catch_up::catch_up))
        .route("/jobs/{id}/bundle", get(jobs::bundle))
        .route("/jobs/{id}/pause", post(changes::pause))
        .route("/jobs/{id}/resume", post(changes::resume))
        .route("/jobs/{id}/run", post(runs::run_now))
        .route("/jobs/{id}/runs", get(runs::list_of_job))
        .route("/jobs/{id}/values", get(values::of_job))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::get))
        .route("/runs/{id}/chain", get(runs::chain))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/output", get(output::get))
        .route("/runs/{id}/values", get(values::of_run))
        .route(
            "/links",
            get(links::list).post(links::make).delete(links::remove),
        )
        .route("/events", get(events::follow))
        .route("/jobs/{id}/statistics", get(statistics::of_job))
        .route("/statistics", get(statistics::of_all))
        .route("/ledger", get(ledger::get))
        .route("/why", get(proof::why))
        .route("/verify", get(proof::verify))
        .route("/schedule/explain", get(schedules::explain))
        .route("/schedule/next", get(schedules::next))
        .route("/secrets", get(secrets::list))
        .route("/secrets/{name}", put(secrets::set).delete(secrets::remove))
        .route(
            "/secrets/{name}/shares/{user}",
            put(secrets::share).delete(secrets::unshare),
        )
        .route("/schedule/moved", get(calendars::moved))
        .route("/calendars", get(calendars::list))
        .route(
            "/calendars/{name}",
            get(calendars::get)
                .put(calendars::set)
                .delete(calendars::remove),
        )
        .route("/alerts", get(alerts::list))
        .route("/alerts/{id}", get(alerts::get))
        .route("/alerts/{id}/acknowledge", post(alerts::acknowledge))
        .route("/silences", get(alerts::silences).post(alerts::silence))
        .route("/silences/{id}", delete(alerts::unsilence))
        .route("/channels", get(channels::list))
        .route(
            "/channels/{name}",
            put(channels::set).delete(channels::remove),
        )
        .route("/channels/{name}/test", post(channels::test))
        .route("/channels/{name}/deliveries", get(channels::deliveries))
        .route("/history", get(history::get))
        .route("/sinks", get(sinks::list))
        .route(
            "/sinks/{name}",
            get(sinks::get).put(sinks::set).delete(sinks::remove),
        )
        .route("/sinks/{name}/test", post(sinks::test))
        .route("/nodes", get(nodes::list))
        .route("/backup", get(backup::take))
        .route("/openapi.json", get(openapi::get));
    Router::new()
        .nest(odin_wire::API_PREFIX, versioned)
        .route("/healthz", get(nodes::health))
        .route("/readyz", get(nodes::ready))
        .route("/metrics", get(metrics::get))
        .fallback(async |uri: Uri| {
            Failure::new(
                "request/no-such-path",
                format!("there is no path {}", shown(&uri)),
            )
        })
        .method_not_allowed_fallback(async |request: Request| {
            let path = shown(request.uri());
            Failure::new(
                "request/method-not-allowed",
                format!("{path} does not take {}", request.method()),
            )
        })
        .layer(middleware::from_fn_with_state(
            api.clone(),
            identity::identify,
        ))
        .layer(middleware::from_fn(catch_panics))
        .layer(middleware::from_fn_with_state(
            api.clone(),
            request_metrics::measure,
        ))
        .with_state(api)
}

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}

/// A handler's panic is our mistake: its client gets an answer, and others are not disturbed.
async fn catch_panics(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Failure::internal("a handler panicked").into_response(),
    }
}
