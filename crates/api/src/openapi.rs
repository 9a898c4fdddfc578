//! `GET /openapi.json`: OpenAPI 3.1, made from the routes themselves, so it names all of
//! them. Every operation can also answer with a problem.

use crate::{
    Api,
    schema::{ProblemDocument, U64},
};
use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use utoipa::{
    PartialSchema as _,
    openapi::{
        ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
        ResponseBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

/// The description before any route.
pub(crate) fn start() -> OpenApi {
    let info = InfoBuilder::new()
        .title("ccoin node")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every 2xx to a transaction means that it is on disk. Amounts and numbers are whole. \
             An x-request-id (up to 64 letters, digits, -, _ and .) and a traceparent (W3C Trace \
             Context) stand in the log lines of the request and in its answer.",
        ));
    OpenApiBuilder::new().info(info).build()
}

/// The routes, and one more that describes them.
pub(crate) fn describe(routes: OpenApiRouter<Api>) -> Router<Api> {
    let (router, mut api) = routes.split_for_parts();
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete(method, path, operation);
        }
    }
    let components = api.components.get_or_insert_default();
    let problem = ("Problem".to_owned(), ProblemDocument::schema());
    // Those of query fields are not found by themselves.
    let number = ("U64".to_owned(), U64::schema());
    components.schemas.extend([problem, number]);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let text = api.to_json().expect("it has only texts and numbers");
    let kind = HeaderValue::from_static("application/json");
    let answer = move || async move { ([(header::CONTENT_TYPE, kind)], text).into_response() };
    router.route("/openapi.json", get(answer))
}

/// Headers that any request may carry, and their form.
const NAMES: [(&str, &str); 2] = [
    ("x-request-id", "^[A-Za-z0-9._-]{1,64}$"),
    ("traceparent", "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
];

fn header(name: &str, pattern: &str) -> Parameter {
    let form = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("What the caller calls the request; answered"))
        .schema(Some(form.pattern(Some(pattern)).build()))
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [("get", &mut item.get), ("post", &mut item.post)];
    let found = methods.into_iter();
    found.filter_map(|(method, operation)| operation.as_mut().map(|found| (method, found)))
}

/// A name of its own, and the answer that any operation can give. No GET needs a body, and
/// that of a POST for a transaction is optional.
fn complete(method: &str, path: &str, operation: &mut Operation) {
    operation.request_body = operation.request_body.take().filter(|_| method == "post");
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && path.ends_with("/{id}")
    {
        body.required = Some(Required::False);
    }
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && word.len() != 40);
    let name: Vec<_> = std::iter::once(method).chain(words).collect();
    operation.operation_id = Some(name.join("_"));
    let names = NAMES.map(|(name, pattern)| RefOr::T(header(name, pattern)));
    operation.parameters.get_or_insert_default().extend(names);
    operation.summary = operation.summary.as_deref().and_then(without_path);
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let response = ResponseBuilder::new()
        .description("A problem: its code is stable, its detail says what happened")
        .content("application/problem+json", problem.build());
    let responses = &mut operation.responses.responses;
    responses.insert("default".to_owned(), response.build().into());
}

/// The first line of a handler's comment, without the path that it may start with.
fn without_path(summary: &str) -> Option<String> {
    let rest = summary.strip_prefix('`');
    let rest = rest.map_or(Some(summary), |rest| Some(rest.split_once('`')?.1))?;
    let mut letters = rest.trim_start_matches([':', ';', '.', ' ']).chars();
    let first = letters.next()?.to_uppercase();
    Some(first.chain(letters).collect())
}
