#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ccoin_fuzz::targets::signatures(bytes));
