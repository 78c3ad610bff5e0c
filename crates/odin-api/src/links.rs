//! Links between jobs: lists, making one, taking one away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use odin_model::owner::Role;
use odin_model::{Command, JobId, Principal, Refusal, Reply};
use odin_store::NamedLink;
use odin_wire as wire;
use odin_wire::{JobLink, LinkList, LinkQuery, LinksQuery, MakeLink, Problem};

use crate::api::Api;
use crate::extract::{Caller, JsonBody, Params, RequestKey, limit};
use crate::failure::Failure;
use crate::seen;

pub(crate) fn to_wire(named: &NamedLink) -> wire::Link {
    wire::Link::new(&named.link, &named.from_name, &named.to_name)
}

/// The jobs that one starts.
pub(crate) fn successors(links: &[NamedLink], of: JobId) -> Vec<JobLink> {
    let of_job = links.iter().filter(|named| named.link.from == of);
    let to_wire = |named: &NamedLink| JobLink {
        job: named.link.to,
        name: named.to_name.clone(),
        on: named.link.on.into(),
    };
    of_job.map(to_wire).collect()
}

/// The links of the jobs that the asker may see; with `job`, those that begin at it or lead to it, all at once.
#[utoipa::path(get, path = "/api/v1/links", tag = "links", operation_id = "list_links", params(LinksQuery),
    responses((status = 200, body = LinkList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<LinksQuery>,
) -> Result<Json<LinkList>, Failure> {
    let limit = limit(query.limit)?;
    let after = query.after.as_deref().map(parse_after).transpose()?;
    if let Some(id) = query.job {
        seen::job(&api, &caller, id).await?;
        let mut links = api
            .read(move |reader| {
                let mut links = reader.links_to(id)?;
                links.extend(reader.links_from(&[id])?);
                Ok(links)
            })
            .await?;
        links.sort_by_key(ends);
        links.retain(|named| after.is_none_or(|after| ends(named) > after));
        let more = links.len() > limit;
        links.truncate(limit);
        return Ok(page(&links, more));
    }
    let links = api
        .read(move |reader| {
            let owner = (caller.role != Role::Admin).then_some(&caller.user);
            reader.links(owner, after, limit)
        })
        .await?;
    Ok(page(&links, links.len() == limit))
}

fn ends(named: &NamedLink) -> (JobId, JobId) {
    (named.link.from, named.link.to)
}

fn page(links: &[NamedLink], more: bool) -> Json<LinkList> {
    let last = links.last().filter(|_| more).map(ends);
    Json(LinkList {
        links: links.iter().map(to_wire).collect(),
        next: last.map(|(from, to)| format!("{from}-{to}")),
    })
}

/// Where the page before ended: `FROM-TO`.
fn parse_after(text: &str) -> Result<(JobId, JobId), Failure> {
    let ends = text.split_once('-').and_then(|(from, to)| {
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        Some((from, to))
    });
    ends.ok_or_else(|| {
        Failure::new(
            "request/bad-query",
            "`after` is not what an earlier answer had as `next`",
        )
    })
}

/// Links two jobs of one owner: the end of the first one's runs starts the second. Jobs that are linked already get
/// the other end, which answers 200.
#[utoipa::path(post, path = "/api/v1/links", tag = "links", operation_id = "make_link",
    params(("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    request_body = MakeLink,
    responses((status = 200, description = "counts at another end now", body = wire::Link), (status = 201, description = "a new link", body = wire::Link), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn make(
    State(api): State<Api>,
    Caller(caller): Caller,
    parts: Parts,
    JsonBody(body): JsonBody<MakeLink>,
) -> Result<(StatusCode, Json<wire::Link>), Failure> {
    let content = serde_json::to_vec(&body).expect("a link is plain data");
    let key = RequestKey::of(&parts, &content)?;
    let MakeLink { from, to, on } = body;
    for id in [from, to] {
        seen::job_to_change(&api, &caller, id).await?;
    }
    let command = Command::Link {
        by: caller.clone(),
        from,
        to,
        on: on.into(),
        at: api.backend().clock().wall(),
    };
    let reply = api.propose(&caller, key.as_ref(), command).await?;
    let Reply::Linked { created } = reply else {
        return Err(Failure::internal(&format!(
            "a link was answered by {reply:?}"
        )));
    };
    let links = api.read(move |reader| reader.links_from(&[from])).await?;
    let link = links.iter().find(|named| named.link.to == to);
    // Somebody was faster and took it away again.
    let link = link.ok_or(Refusal::NoSuchLink { from, to })?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(to_wire(link))))
}

/// Takes a link away.
#[utoipa::path(delete, path = "/api/v1/links", tag = "links", operation_id = "remove_link", params(LinkQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<LinkQuery>,
) -> Result<StatusCode, Failure> {
    let LinkQuery { from, to } = query;
    for id in [from, to] {
        seen::job_to_change(&api, &caller, id).await?;
    }
    let by = caller.clone();
    api.propose(&caller, None, Command::Unlink { by, from, to })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The links that went with a removed job, with the names of their jobs.
pub(crate) async fn named(
    api: &Api,
    caller: &Principal,
    links: Vec<odin_model::Link>,
) -> Result<Vec<wire::Link>, Failure> {
    let mut named = Vec::with_capacity(links.len());
    for link in &links {
        let from = seen::job(api, caller, link.from).await?.spec.name;
        let to = seen::job(api, caller, link.to).await?.spec.name;
        named.push(wire::Link::new(link, from.as_str(), to.as_str()));
    }
    Ok(named)
}
