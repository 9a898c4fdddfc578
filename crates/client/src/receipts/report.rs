//! A page for people: what a receipt proves, with the receipt inside and the verifier that
//! checks it again when the page is opened.

use ccoin_core::receipt::{Receipt, Verified};

use super::words;

/// The verifier in one page, which works from disk and without a network.
pub const VERIFY_PAGE: &str = include_str!("../../verify/verify.html");

/// Where the page holds a receipt, a genesis id, and words.
const RECEIPT: &str = "<script type=\"application/json\" id=\"inside\"></script>";
const WORDS: &str = "<pre id=\"words\"></pre>";

/// The page of a verified receipt.
pub(super) fn page(receipt: &Receipt, verified: &Verified) -> String {
    let inside = serde_json::json!({"genesis": verified.genesis, "receipt": receipt.to_json()});
    // No text inside can end the element.
    let inside = inside.to_string().replace('<', "\\u003c");
    let inside = RECEIPT.replace("></", &format!(">{inside}</"));
    let said = escaped(&words::lines(verified).join("\n"));
    let said = WORDS.replace("></", &format!(">{said}</"));
    VERIFY_PAGE
        .replacen(RECEIPT, &inside, 1)
        .replacen(WORDS, &said, 1)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_place_for_a_receipt_and_for_words() {
        assert_eq!(VERIFY_PAGE.matches(RECEIPT).count(), 1);
        assert_eq!(VERIFY_PAGE.matches(WORDS).count(), 1);
        assert_eq!(escaped("</script>&"), "&lt;/script&gt;&amp;");
    }
}
