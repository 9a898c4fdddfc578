//! What a payment may say.

use super::*;

/// In the toy negative, fractional and string amounts were accepted, and one request
/// with `"amount": "5"` stopped mining for good.
#[tokio::test]
async fn an_amount_that_is_no_whole_number_is_refused_and_mining_goes_on() {
    let node = TestNode::start(&MINING);
    let to = numbered(9).to_string();
    for (amount, code) in [
        (r#""5""#, "bad-field"),
        (r#""""#, "bad-field"),
        ("null", "bad-field"),
        ("[]", "bad-field"),
        ("[5]", "bad-field"),
        ("{}", "bad-field"),
        ("true", "bad-field"),
        ("-1", "amount-range"),
        ("-9007199254740993", "amount-range"),
        ("-0", "amount-range"),
        ("1.5", "amount-range"),
        ("5.0", "amount-range"),
        ("1e3", "amount-range"),
        ("1E0", "amount-range"),
        ("9007199254740992", "amount-range"),
        ("18446744073709551615", "amount-range"),
        ("18446744073709551616", "amount-range"),
        (
            "99999999999999999999999999999999999999999999",
            "amount-range",
        ),
        ("NaN", "bad-json"),
        ("Infinity", "bad-json"),
        ("05", "bad-json"),
        ("+5", "bad-json"),
        ("0x5", "bad-json"),
        ("", "bad-json"),
    ] {
        node.pay(body(&to, amount)).await.is(400, code);
    }
    let height = node.get(&node.own("/blk/cnt")).await.body;
    assert_eq!(height, "1", "nothing of this is in a block");
    // Nothing of it used up a number, and blocks are still made.
    let paid = node.pay(body(&to, "0")).await.ok();
    assert_eq!(paid["number"], 1);
    node.until(&node.own("/blk/cnt"), |answer| answer.body == "2")
        .await;
}

#[tokio::test]
async fn a_body_that_is_not_one_payment_is_refused() {
    let node = TestNode::start(&QUEUEING);
    let to = numbered(9);
    let deep = "[".repeat(100_000);
    for (body, code) in [
        (String::new(), "bad-json"),
        ("null".into(), "bad-field"),
        ("5".into(), "bad-field"),
        (format!(r#"["{to}", 5, "text"]"#), "bad-field"),
        (format!(r"[{}]", good()), "bad-field"),
        (format!("{}{}", good(), good()), "bad-json"),
        (format!("{} x", good()), "bad-json"),
        (format!("\u{feff}{}", good()), "bad-json"),
        (deep.clone(), "bad-json"),
        (body(&to.to_string(), &deep), "bad-json"),
        (
            body(&to.to_string(), &format!("{deep}{}", "]".repeat(100_000))),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "amount": 1}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "sendto_address": "{to}", "amount": 1}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "data": "a", "data": "b"}}"#),
            "bad-json",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "Data": "a"}}"#),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "fee": 1}}"#),
            "bad-field",
        ),
        (
            format!(r#"{{"sendto_address": "{to}", "amount": 1, "data": 5}}"#),
            "bad-field",
        ),
        (format!(r#"{{"sendto_address": "{to}"}}"#), "bad-field"),
        (r#"{"amount": 1}"#.into(), "bad-field"),
        (
            r#"{"sendto_address": null, "amount": 1}"#.into(),
            "bad-field",
        ),
        (r#"{"sendto_address": 5, "amount": 1}"#.into(), "bad-field"),
        (
            r#"{"sendto_address": "\ud800", "amount": 1}"#.into(),
            "bad-json",
        ),
    ] {
        let answer = node.pay(&body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{body:.80} {answer}"
        );
    }
    let mut raw = good().into_bytes();
    raw[20] = 0xff;
    let answer = node
        .send(node.payment().body(Body::from(raw)).expect("valid headers"))
        .await;
    answer.is(400, "bad-json");
    node.pay(" ".repeat((1 << 20) + 1))
        .await
        .is(413, "body-too-large");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
}

#[tokio::test]
async fn a_recipient_is_an_address_or_a_key_in_any_form() {
    let node = TestNode::start(&QUEUEING);
    let address = key(1).public_key().address().to_string();
    let mut forms = pem_forms(1);
    forms.push(address.clone());
    for text in forms {
        let payment = json!({"sendto_address": text, "amount": 1});
        assert_eq!(node.pay(payment).await.ok()["to"], json!(address), "{text}");
    }
    let pem = key(1).public_key().to_pem();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let der = key(1).public_key().as_der();
    for text in [
        String::new(),
        "x".into(),
        address[1..].into(),
        format!("{address}0"),
        format!(" {address}"),
        format!("0x{address}"),
        address.to_uppercase(),
        "g".repeat(40),
        "é".repeat(20),
        pem.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        pem.replace('M', "N"),
        pem[..pem.len() / 2].into(),
        hex(&der[1..]),
        hex(&[der, &[0]].concat()),
        key(1).to_pem(None).to_string(),
        "A".repeat(4_097),
        "A".repeat(1_000_000),
    ] {
        let answer = node.pay(json!({"sendto_address": text, "amount": 1})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "bad-address"),
            "{text:.60}"
        );
        assert!(
            answer.body.len() < 2_000,
            "it does not repeat what it was sent"
        );
    }
}

#[tokio::test]
async fn data_is_limited_and_a_refused_payment_burns_no_number() {
    let node = TestNode::start(&QUEUEING);
    let to = numbered(9);
    let with =
        |amount: u64, data: Value| json!({"sendto_address": to, "amount": amount, "data": data});
    node.pay(with(1, "x".repeat(4_097).into()))
        .await
        .is(413, "data-too-large");
    node.pay(with(1, "é".repeat(2_049).into()))
        .await
        .is(413, "data-too-large");
    node.pay(with(COINS + 1, "".into()))
        .await
        .is(422, "insufficient-funds");
    let paid = node
        .pay(with(COINS - 5, "é".repeat(2_048).into()))
        .await
        .ok();
    assert_eq!(
        (&paid["number"], &paid["data"]),
        (&json!(1), &json!("é".repeat(2_048)))
    );
    // What waits is spent already.
    node.pay(with(6, "".into()))
        .await
        .is(422, "insufficient-funds");
    assert_eq!(node.pay(with(5, Value::Null)).await.ok()["number"], 2);
    node.pay(with(1, "".into()))
        .await
        .is(422, "insufficient-funds");
    assert_eq!(node.pay(with(0, "".into())).await.ok()["number"], 3);
}
