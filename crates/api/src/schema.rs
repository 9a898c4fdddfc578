//! The JSON of single values, for `/openapi.json`.

use ccoin_core::MAX_INTEGER;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type},
    },
};

macro_rules! value {
    ($(#[doc = $doc:literal] $name:ident, $shown:literal: $schema:expr;)*) => {$(
        #[doc = $doc]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: ObjectBuilder = $schema;
                let schema: Object = schema.description(Some($doc.trim())).build();
                schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                $shown.into()
            }
        }
    )*};
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
}

value! {
    /// 64 lower-case hex digits.
    Id, "Id": text("^[0-9a-f]{64}$");
    /// 40 lower-case hex digits.
    AddressText, "Address": text("^[0-9a-f]{40}$");
    /// Base64 with padding; empty in block 1.
    Base64, "Base64": text("^[A-Za-z0-9+/]*={0,2}$");
    /// RFC 3339, UTC, three decimals.
    Rfc3339, "Rfc3339": text("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    /// A whole number from 0 to 2^64 - 1.
    U64, "U64": ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(u64::MAX));
    /// A whole number from 0 to 2^53 - 1.
    Whole, "Whole": ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(MAX_INTEGER));
}

/// RFC 3339 under /v1; seconds since 1970 on the paths of 2018.
#[derive(ToSchema)]
#[schema(as = Time)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the two forms of `json::Time`")]
pub(crate) enum TimeText {
    Rfc3339(Rfc3339),
    Seconds(f64),
}

/// RFC 9457; `code` is stable.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(
    dead_code,
    reason = "describes `ccoin_http::Problem`, which knows no OpenAPI"
)]
pub(crate) struct ProblemDocument {
    r#type: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    hint: Option<String>,
    got: Option<String>,
    expected: Option<String>,
}
