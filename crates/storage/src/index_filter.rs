//! The filter policy of the index: none.

use rusty_leveldb::FilterPolicy;

/// No look-up goes through filters, so none are kept.
pub(crate) struct NoFilter;

impl FilterPolicy for NoFilter {
    fn name(&self) -> &'static str {
        "none"
    }

    fn create_filter(&self, _: &[u8], _: &[usize]) -> Vec<u8> {
        Vec::new()
    }

    fn key_may_match(&self, _: &[u8], _: &[u8]) -> bool {
        true
    }
}
