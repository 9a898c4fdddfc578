//! The fuzz target of JSON in requests. `crates/http/tests/it/` replays seeds.

/// The JSON of a request: no key twice, bounded depth.
pub fn http_body(bytes: &[u8]) {
    let any = ccoin_http::json::parse::<serde_json::Value>(bytes);
    let object = ccoin_http::json::parse_object::<serde_json::Value>(bytes);
    if let Ok(object) = object {
        assert_eq!(any.ok(), Some(object));
    }
}
