//! The peer protocol's bytes: every kind has one spelling, a limit that is exact, and
//! refuses what it must not say. No test here has a socket.

mod golden;
mod random;
mod samples;
mod values;

use ccoin_core::{
    encoding::DecodeError,
    message::{KINDS, Kind, MAX_FRAME, Message, MessageError, check_announced},
};
use ccoin_crypto::sha256;
use samples::messages;

fn body(message: &Message) -> Vec<u8> {
    message.frame().split_off(7)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Short frames whole, long ones by their beginning, length and SHA-256.
#[test]
fn every_kind_has_its_golden_frame() {
    let golden: [&str; 18] = GOLDEN;
    for ((message, kind), golden) in messages().iter().zip(KINDS).zip(golden) {
        let frame = message.frame();
        let shown = if frame.len() <= 64 {
            hex(&frame)
        } else {
            let digest = sha256(&[&frame]);
            format!(
                "{}.. {} {}",
                hex(&frame[..16]),
                frame.len(),
                &digest.to_string()[..32]
            )
        };
        assert_eq!(message.header(), kind.header);
        assert_eq!(shown, golden, "{}", kind.header.escape_ascii());
        assert_eq!(
            u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize,
            frame.len() - 4
        );
        assert_eq!(
            Message::decode(kind.header, &frame[7..]).as_ref(),
            Ok(message)
        );
    }
}

/// No kind reads another spelling of what it says, a part of it, or more than it.
#[test]
fn second_spellings_of_every_kind_are_refused() {
    for message in messages() {
        let (header, bytes) = (message.header(), body(&message));
        let refused = |bytes: &[u8], what: &str| {
            let error = Message::decode(header, bytes).unwrap_err();
            let name = header.escape_ascii();
            assert!(
                matches!(error, MessageError::Body { .. } | MessageError::Size { .. }),
                "{name} {what}: {error}"
            );
        };
        refused(&[&bytes[..], &[0xc0]].concat(), "and more");
        refused(&bytes[..bytes.len() - 1], "cut");
        refused(&[], "empty");
        let long = match bytes[0] {
            array @ 0x90..=0x9f => [&[0xdc, 0, array & 0x0f], &bytes[1..]].concat(),
            other => panic!("{other:02x} is no short array"),
        };
        refused(&long, "with a longer header");
        let map = [&[bytes[0] & 0x0f | 0x80], &bytes[1..]].concat();
        refused(&map, "as a map");
    }
}

#[test]
fn a_question_for_heights_has_one_body() {
    assert_eq!(body(&Message::AskHeights), [0x90]);
    for wrong in [
        &[][..],
        &[0xc0],
        &[0x91, 0],
        &[0x80],
        &[0xdc, 0, 0],
        &[0x90, 0x90],
    ] {
        assert!(Message::decode(*b"RBH", wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn limits_are_exact_at_the_byte() {
    for kind in KINDS {
        let longest = kind.header.len() + kind.limit;
        assert_eq!(check_announced(kind.header, longest), Ok(kind));
        let (header, max) = (kind.header, kind.limit);
        let got = max + 1;
        let refused = MessageError::Size { header, got, max };
        assert_eq!(check_announced(header, longest + 1), Err(refused.clone()));
        assert_eq!(Message::decode(header, &vec![0xc0; got]), Err(refused));
        let fits = Message::decode(header, &vec![0xc0; max]).unwrap_err();
        assert!(matches!(fits, MessageError::Body { .. }), "{fits}");
        assert!(longest <= MAX_FRAME);
        assert_eq!(Kind::of(header), Some(kind));
    }
}

#[test]
fn an_unknown_header_may_be_skipped_if_it_is_short_enough() {
    let header = *b"ZZZ";
    let unknown = MessageError::Unknown { header };
    assert_eq!(check_announced(header, MAX_FRAME), Err(unknown.clone()));
    assert_eq!(check_announced(header, 3), Err(unknown.clone()));
    assert_eq!(Message::decode(header, &[0x90]), Err(unknown));
    let (got, max) = (MAX_FRAME - 2, MAX_FRAME - 3);
    assert_eq!(
        check_announced(header, MAX_FRAME + 1),
        Err(MessageError::Size { header, got, max })
    );
    for length in 0..3 {
        assert!(matches!(
            check_announced(header, length),
            Err(MessageError::Size { .. })
        ));
        assert!(matches!(
            check_announced(*b"PNG", length),
            Err(MessageError::Size { .. })
        ));
    }
    assert!(matches!(
        check_announced(header, usize::MAX),
        Err(MessageError::Size { .. })
    ));
}

#[test]
fn only_messages_of_the_handshake_are_early() {
    let early: Vec<_> = KINDS
        .iter()
        .filter(|kind| kind.early)
        .map(|kind| kind.header)
        .collect();
    assert_eq!(early, [*b"HEY", *b"ACK", *b"OKY", *b"BYE"]);
}

/// Nesting and announced lengths cost no stack and no memory.
#[test]
fn depth_and_length_bombs_end_in_errors() {
    for kind in KINDS {
        let size = kind.limit.min(200_000);
        for bomb in [
            vec![0x91; size],
            vec![0x81; size],
            [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0x90; 20]].concat(),
            [&[0x9c][..], &[0xc6, 0xff, 0xff, 0xff, 0xff]].concat(),
            vec![0xdb, 0xff, 0xff, 0xff, 0xff],
        ] {
            let error = Message::decode(kind.header, &bomb).unwrap_err();
            assert!(matches!(error, MessageError::Body { .. }), "{error}");
        }
    }
}

#[test]
fn a_block_is_not_read_beyond_what_a_block_may_be() {
    let error = Message::decode(*b"BLK", &[0x92, 0xc0, 0x90]).unwrap_err();
    let MessageError::Body { header, source } = error else {
        panic!("{error}")
    };
    assert_eq!(header, *b"BLK");
    assert!(matches!(source, DecodeError::Malformed { .. }), "{source}");
}

/// The frames of [`messages`], in the order of the table.
const GOLDEN: [&str; 18] = [
    "b80100004845599d02ab63636f696e2f.. 444 e7133afab8c1d180615f88d190540148",
    "bc02000041434b929d02ab63636f696e.. 704 91ae14126320ccf17fe9c8774ef469ea",
    "070100004f4b5991c50100ababababab.. 267 7460b8e44affaf62c368fa725ea89203",
    "0d0000004259459207a76e6f20726f6f6d",
    "2d0100004b455991c501263082012230.. 305 40b6b2264cbe777d0c9e997fdc30987d",
    "0400000052424890",
    "08000000424c4892cd012c01",
    "2e00000052424c929192cd012cc4206666666666666666666666666666666666666666666666666666666666666666cd0100",
    "5007000041424c9491c503e2929c0102.. 1876 77ece90b000d381562414e25671d2230",
    "5402000054584e919701c50126308201.. 600 aa8bddb7b03b17ecc52243818019e8c3",
    "e5030000424c4b929c0102c420333333.. 1001 5fb1dbcb9b335c427e24087aa1cc2c02",
    "370100004144529601cf000001000000.. 315 758e3a0cf6814df054b6e8e2dcea0148",
    "730300004c4452929601cf0000010000.. 887 05eff1ad5d995ae9fc93574beb877a19",
    "6a070000535441969502cf0000010000.. 1902 e16a5837b1d3968c055500b25940cc8b",
    "6e02000045564492929601cf00000100.. 626 2ae61e1810a94a4dc46f9cfddb48c2ee",
    "290000005045589193c4140000000000000000000000000000000000000000ac6e6f64652e6578616d706c6501",
    "05000000504e479101",
    "0d000000504f4791cf0000010000000000",
];
