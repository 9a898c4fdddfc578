//! Names of what a node has written and published, for tests of their order.

use ccoin_core::machine::{Publish, Write};

pub(crate) fn of_write(write: &Write) -> &'static str {
    match write {
        Write::Transactions { .. } => "write transactions",
        Write::Dropped(_) => "write dropped",
        Write::SealMark(_) => "write seal mark",
        Write::Block { .. } => "write block",
        Write::Certificate(_) => "write certificate",
        Write::VoterRecord(_) => "write voter record",
        Write::Evidence(_) => "write evidence",
    }
}

pub(crate) fn of_publish(publish: &Publish) -> &'static str {
    match publish {
        Publish::Reply { .. } => "reply",
        Publish::Queued { .. } => "queued",
        Publish::GossipTransactions(_) => "gossip",
        Publish::AnnounceBlock { .. } => "announce",
        Publish::SendHeights { .. } => "send heights",
        Publish::Mine { .. } => "mine",
        Publish::CancelMining(_) => "cancel",
        Publish::Sign { .. } => "sign",
        Publish::Dropped(_) => "dropped",
        Publish::Head { .. } => "head",
        Publish::State { .. } => "state",
        Publish::SignVote { .. } => "sign vote",
        Publish::SendStatus { .. } => "send status",
        Publish::Final(_) => "final",
        Publish::Evidence(_) => "evidence",
        Publish::SafetyAlarm { .. } => "alarm",
        Publish::RecordLost => "record lost",
    }
}
