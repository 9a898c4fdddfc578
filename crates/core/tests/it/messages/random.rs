//! Random messages and random damage: what is said is heard, and what is heard has one
//! spelling.

use super::{
    body,
    samples::{certificate, hello, public_key, signature, transaction},
};
use crate::cases::cases;
use ccoin_core::{
    BlockId, Height, Timestamp,
    message::{BlockAnswer, BlockRequest, Bye, Heights, Hello, KINDS, MAX_LOCATOR, Message, frame},
    transaction::Transaction,
};
use proptest::prelude::*;

fn any_message() -> impl Strategy<Value = Message> {
    let height = (0u64..1 << 53).prop_map(|n| Height::new(n).unwrap_or(Height::ZERO));
    let clock = (0u64..1 << 53).prop_map(|n| Timestamp::new(n).unwrap_or(Timestamp::ZERO));
    let id = any::<[u8; 32]>().prop_map(BlockId::new);
    let key = any::<u8>().prop_map(public_key);
    let pairs = prop::collection::vec((height.clone(), id), 0..=MAX_LOCATOR);
    let blobs = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5);
    let keys = prop::collection::vec(key, 0..4);
    let txn =
        (0u64..1 << 40, ".{0,40}", 0usize..512).prop_map(|(number, data, length)| Transaction {
            number: ccoin_core::AccountNonce::new(number).expect("within the range"),
            data,
            signature: signature(length),
            ..transaction()
        });
    let hello = (
        any::<u8>(),
        any::<u32>(),
        any::<u16>(),
        height.clone(),
        clock.clone(),
    )
        .prop_map(|(version, network_id, listen_port, height, clock)| Hello {
            version,
            network_id,
            listen_port,
            place: format!("h:{listen_port}"),
            height,
            clock,
            ..hello()
        });
    prop_oneof![
        hello.prop_map(Message::Hey),
        (any::<u8>(), ".{0,500}")
            .prop_map(|(code, text)| Message::Bye(Bye::new(code.into(), &text))),
        keys.clone().prop_map(Message::Keys),
        (height.clone(), height).prop_map(|(height, final_number)| Message::Heights(Heights {
            height,
            final_number
        })),
        (pairs, 1u16..=256)
            .prop_map(|(locator, most)| Message::AskBlocks(BlockRequest { locator, most })),
        (blobs, keys, 0u8..2).prop_map(|(blobs, keys, more)| Message::Blocks(BlockAnswer {
            blocks: blobs.into_iter().map(serde_bytes::ByteBuf::from).collect(),
            keys,
            last_final: certificate(),
            more
        })),
        prop::collection::vec(txn, 0..5).prop_map(Message::Transactions),
        clock.prop_map(Message::Ping),
    ]
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_message_is_decoded_as_it_was_encoded(message in any_message()) {
        let bytes = body(&message);
        prop_assert_eq!(frame(message.header(), &bytes), message.frame());
        prop_assert_eq!(Message::decode(message.header(), &bytes), Ok(message));
    }

    /// P4: whatever is read is written as it was read.
    #[test]
    fn bytes_that_are_read_are_the_one_spelling(
        message in any_message(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        swap in any::<prop::sample::Index>(),
    ) {
        let mut bytes = body(&message);
        let place = place.index(bytes.len());
        if byte % 3 == 0 {
            bytes.swap_remove(place);
        } else {
            bytes[place] = byte;
        }
        let header = KINDS[swap.index(KINDS.len() * 3) % KINDS.len()].header;
        for header in [message.header(), header] {
            if let Ok(read) = Message::decode(header, &bytes) {
                prop_assert_eq!(body(&read), bytes.clone());
            }
        }
    }
}
