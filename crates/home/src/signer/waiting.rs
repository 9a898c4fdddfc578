//! Signatures that wait for the program: blocks and votes first, but not for ever.

use std::collections::VecDeque;

use ccoin_crypto::Urgency;

use super::Request;

/// Urgent requests in a row while another one waits: a node that votes all the time still
/// greets its peers.
const IN_A_ROW: u32 = 4;

/// The queues. Each caller waits for its answer, so the number of callers bounds them.
#[derive(Default)]
pub(super) struct Waiting {
    urgent: VecDeque<Request>,
    others: VecDeque<Request>,
    in_a_row: u32,
}

impl Waiting {
    pub(super) fn push(&mut self, request: Request) {
        match request.urgency {
            Urgency::High => self.urgent.push_back(request),
            Urgency::Low => self.others.push_back(request),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Request> {
        if self.in_a_row < IN_A_ROW || self.others.is_empty() {
            self.in_a_row = self.in_a_row.saturating_add(1);
            if let Some(urgent) = self.urgent.pop_front() {
                return Some(urgent);
            }
        }
        self.in_a_row = 0;
        self.others.pop_front()
    }
}
