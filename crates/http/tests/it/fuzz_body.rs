//! The fuzz target of JSON bodies on the stable compiler.

#[path = "../../../../tests/fuzz/src/http_body.rs"]
#[allow(unreachable_pub, reason = "the fuzz crate uses it too")]
mod http_body;

#[test]
fn no_body_breaks_the_reader_of_json() {
    for seed in [
        r#"{"command":"add","peer":{"id":"x","port":1}}"#,
        r#"[{"number":1,"amount":5.0e1,"data":"\ud83d\ude00"}]"#,
        r#"{"a":1,"a":2}"#,
    ] {
        let mut bytes = seed.as_bytes().to_vec();
        for bit in 0..8 * bytes.len() {
            http_body::http_body(&bytes[..bit / 8]);
            bytes[bit / 8] ^= 1 << (bit % 8);
            http_body::http_body(&bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
    let deep = "[".repeat(100_000);
    http_body::http_body(deep.as_bytes());
}
