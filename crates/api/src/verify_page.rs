//! The page that verifies receipts in a browser: it needs nothing of this node but itself.

use axum::{
    http::{HeaderName, header},
    response::{Html, IntoResponse},
};

/// The same file works from disk.
const PAGE: &str = include_str!("../../client/verify/verify.html");

/// Where the page states its own policy.
const POLICY: (&str, &str) = ("http-equiv=\"Content-Security-Policy\" content=\"", "\">");

/// `GET /verify`.
pub(crate) async fn page() -> impl IntoResponse {
    (headers(), Html(PAGE))
}

/// The policy of the page, which names the hash of its one script, and no frames.
fn headers() -> [(HeaderName, String); 3] {
    let policy = PAGE
        .split_once(POLICY.0)
        .and_then(|(_, rest)| rest.split_once(POLICY.1));
    let policy = policy.map_or("default-src 'none'", |(policy, _)| policy);
    [
        (
            header::CONTENT_SECURITY_POLICY,
            format!("{policy}; frame-ancestors 'none'"),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ccoin_crypto::sha256;

    #[test]
    fn the_policy_allows_the_script_and_the_style_of_the_page_alone() {
        let [(_, policy), ..] = headers();
        for (name, start, end) in [
            ("script", "<script>", "</script>"),
            ("style", "<style>", "</style>"),
        ] {
            let (_, rest) = PAGE.split_once(start).unwrap();
            let (text, _) = rest.split_once(end).unwrap();
            let hash = STANDARD.encode(sha256(&[text.as_bytes()]).as_bytes());
            let expected = format!("{name}-src 'sha256-{hash}'");
            assert!(policy.contains(&expected), "write {expected} into the page");
        }
        assert!(policy.starts_with("default-src 'none';"));
        assert!(policy.ends_with("; frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
    }
}
