//! `/openapi.json`: it names every path, and all of it can be resolved.

use crate::fixtures::{QUEUEING, Signed, TestNode};
use axum::{body::Body, http::Method};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every `$ref` below a value.
fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("$ref") {
                found.insert(name.clone());
            }
            fields.values().for_each(|value| refs(value, found));
        }
        Value::Array(rows) => rows.iter().for_each(|value| refs(value, found)),
        _ => {}
    }
}

/// Whether a path fits a pattern with `{names}`.
fn fits(path: &str, pattern: &str) -> bool {
    let (path, pattern) = (path.split('/'), pattern.split('/'));
    path.clone().count() == pattern.clone().count()
        && path
            .zip(pattern)
            .all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
}

#[tokio::test]
async fn every_path_is_described_and_every_name_resolves() {
    let node = TestNode::start(&QUEUEING);
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    let api = node.get("/openapi.json").await.ok();
    assert!(
        api["openapi"]
            .as_str()
            .is_some_and(|text| text.starts_with("3.1"))
    );
    let paths = api["paths"].as_object().expect("paths");
    let mut readable = node.readable_paths(&txn);
    readable.push("/v1/events".into());
    for path in &readable {
        let described = paths.iter().any(|(pattern, item)| {
            let pattern = pattern.trim_end_matches('/');
            fits(path, pattern) && item["get"].is_object()
        });
        assert!(described, "{path}");
    }
    let mut names = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(id.to_owned()), "{id} twice");
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path}"
            );
            let told = operation["summary"]
                .as_str()
                .or(operation["description"].as_str());
            let answer = &operation["responses"]["200"]["description"];
            assert!(told.is_some() || answer.is_string(), "{method} {path}");
        }
    }
    let mut named = BTreeSet::new();
    refs(&api, &mut named);
    for name in named {
        let pointer = name.strip_prefix('#').expect("inside the document");
        assert!(api.pointer(pointer).is_some(), "{name}");
    }
}

#[tokio::test]
async fn what_a_caller_calls_a_request_is_answered() {
    let node = TestNode::start(&QUEUEING);
    let ask = async |id: &str, trace: &str| {
        let mut request = crate::fixtures::request(Method::GET, "/v1/status", Body::empty());
        for (name, value) in [("x-request-id", id), ("traceparent", trace)] {
            let value = value.parse().expect("a header");
            request.headers_mut().insert(name, value);
        }
        let answer = node.send(request).await;
        ["x-request-id", "traceparent"].map(|name| answer.header(name).to_owned())
    };
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(ask("a-1.b_2", trace).await, ["a-1.b_2", trace]);
    assert_eq!(ask("no spaces", "00-x").await, ["", ""]);
    let api = node.get("/openapi.json").await.ok();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            let named = operation["parameters"].as_array().expect("parameters");
            let id = named.iter().find(|named| named["name"] == "x-request-id");
            assert!(id.is_some_and(|id| id["in"] == "header"), "{path}");
        }
    }
}
