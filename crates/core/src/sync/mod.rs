//! The life of a node as a table, and how it gets the blocks that others have.
//!
//! [`next`] is the whole table: (state, event) gives (state, action). What an action
//! means is up to the machine; [`plan`] decides which peer is asked for what, and [`request`]
//! what an answer must look like.

pub mod block_fetcher;
mod locator;
pub mod orphans;
mod peer_progress;
pub mod plan;
pub mod request;
mod stuck_timer;

pub use peer_progress::AnswerOutcome;

/// Number of a connection; never used twice by a process.
pub type PeerId = u64;

/// The life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It has no genesis block.
    Genesis,
    /// It does not know yet whether others are ahead: it makes no blocks.
    Boot,
    /// It works.
    Ready,
    /// It is ending.
    Stopping,
    /// It has ended.
    Dead,
}

impl NodeState {
    /// The letter in logs and in the API.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Genesis => 'g',
            Self::Boot => 'b',
            Self::Ready => 'r',
            Self::Stopping => 's',
            Self::Dead => 'd',
        }
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Genesis => "waiting for a genesis block",
            Self::Boot => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Dead => "stopped",
        }
    }
}

/// What can change a node's state, or what it does in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a genesis block: its own, or a peer's.
    Founded,
    /// A peer has finished its handshake, or something came from one, or time has passed.
    Stirred,
    /// No validator is ahead any more, or none shows that it is.
    CaughtUp,
    /// The process has slept longer than a turn: others may have gone on.
    Overslept,
    /// The node shall end.
    Stop,
    /// Everything has ended.
    Ended,
}

/// What a node does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Rest,
    /// Ask peers for block 1.
    AskGenesis,
    /// Ask the peers that are ahead for blocks.
    Fetch,
    /// The same, and make a block if it is due.
    FetchAndSeal,
    /// Ask everybody again where they stand.
    AskAgain,
    /// Let the open block go.
    Close,
}

/// The table.
#[must_use]
pub fn next(state: NodeState, event: Event) -> (NodeState, Action) {
    use Action::{AskAgain, AskGenesis, Close, Fetch, FetchAndSeal, Rest};
    use Event::{CaughtUp, Ended, Founded, Overslept, Stirred, Stop};
    use NodeState::{Boot, Dead, Genesis, Ready, Stopping};
    match (state, event) {
        (Genesis, Founded) => (Boot, Fetch),
        (Genesis, Stirred) => (Genesis, AskGenesis),
        (Genesis | Boot | Ready, Stop) => (Stopping, Close),
        (Boot, Stirred) => (Boot, Fetch),
        (Boot, CaughtUp) => (Ready, FetchAndSeal),
        (Boot | Ready, Overslept) => (Boot, AskAgain),
        (Ready, Stirred) => (Ready, FetchAndSeal),
        (Genesis, CaughtUp | Overslept | Ended)
        | (Boot, Founded | Ended)
        | (Ready, Founded | CaughtUp | Ended)
        | (Stopping, Founded | Stirred | CaughtUp | Overslept | Stop) => (state, Rest),
        (Stopping, Ended) | (Dead, _) => (Dead, Rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The diagram of `crates/README.md`, cell by cell.
    #[test]
    fn every_cell_of_the_table() {
        use Action::{AskAgain, AskGenesis, Close, Fetch, FetchAndSeal, Rest};
        use NodeState::{Boot, Dead, Genesis, Ready, Stopping};
        let events = [
            Event::Founded,
            Event::Stirred,
            Event::CaughtUp,
            Event::Overslept,
            Event::Stop,
            Event::Ended,
        ];
        let rows: [(NodeState, [(NodeState, Action); 6]); 5] = [
            (
                Genesis,
                [
                    (Boot, Fetch),
                    (Genesis, AskGenesis),
                    (Genesis, Rest),
                    (Genesis, Rest),
                    (Stopping, Close),
                    (Genesis, Rest),
                ],
            ),
            (
                Boot,
                [
                    (Boot, Rest),
                    (Boot, Fetch),
                    (Ready, FetchAndSeal),
                    (Boot, AskAgain),
                    (Stopping, Close),
                    (Boot, Rest),
                ],
            ),
            (
                Ready,
                [
                    (Ready, Rest),
                    (Ready, FetchAndSeal),
                    (Ready, Rest),
                    (Boot, AskAgain),
                    (Stopping, Close),
                    (Ready, Rest),
                ],
            ),
            (
                Stopping,
                [
                    (Stopping, Rest),
                    (Stopping, Rest),
                    (Stopping, Rest),
                    (Stopping, Rest),
                    (Stopping, Rest),
                    (Dead, Rest),
                ],
            ),
            (Dead, [(Dead, Rest); 6]),
        ];
        for (state, cells) in rows {
            for (event, expected) in events.into_iter().zip(cells) {
                assert_eq!(next(state, event), expected, "{state:?} {event:?}");
            }
        }
    }
}
