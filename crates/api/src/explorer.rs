//! The explorer and the page of the API, with their scripts, served from the program itself.
//! They read the same API as everybody; a strict policy keeps them from any other origin.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Scripts and styles from here alone, nothing inline, no frames, no forms to anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Path, media type and content.
const FILES: [(&str, &str, &str); 13] = [
    ("/", HTML, include_str!("../explorer/index.html")),
    ("/docs", HTML, include_str!("../explorer/docs.html")),
    (
        "/explorer/docs.js",
        SCRIPT,
        include_str!("../explorer/docs.js"),
    ),
    (
        "/explorer/explorer.css",
        "text/css; charset=utf-8",
        include_str!("../explorer/explorer.css"),
    ),
    (
        "/explorer/icon.svg",
        "image/svg+xml",
        include_str!("../explorer/icon.svg"),
    ),
    (
        "/explorer/app.js",
        SCRIPT,
        include_str!("../explorer/app.js"),
    ),
    (
        "/explorer/chain.js",
        SCRIPT,
        include_str!("../explorer/chain.js"),
    ),
    (
        "/explorer/chain_view.js",
        SCRIPT,
        include_str!("../explorer/chain_view.js"),
    ),
    (
        "/explorer/charts.js",
        SCRIPT,
        include_str!("../explorer/charts.js"),
    ),
    (
        "/explorer/details.js",
        SCRIPT,
        include_str!("../explorer/details.js"),
    ),
    (
        "/explorer/dom.js",
        SCRIPT,
        include_str!("../explorer/dom.js"),
    ),
    (
        "/explorer/network_view.js",
        SCRIPT,
        include_str!("../explorer/network_view.js"),
    ),
    (
        "/explorer/notary.js",
        SCRIPT,
        include_str!("../explorer/notary.js"),
    ),
];

/// The routes of the page, with a chain or without.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files = FILES.into_iter();
    files.fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(move || async move { file(kind, content) }))
    })
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let mut response = content.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the node may answer at the same address tomorrow.
        (header::CACHE_CONTROL, "no-cache"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}
