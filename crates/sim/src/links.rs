//! Links of a [`World`], and connections over them. Each direction of a connection is a
//! queue with delay and bandwidth: frames arrive in the order in which they were sent. A cut
//! link holds frames back; after [`SILENCE`] both ends close the connection.

use crate::{
    delivery::Frame,
    node::Process,
    timeline::What,
    world::{Event, World},
};
use ccoin_core::machine::PeerId;

/// A connection without a frame for so long is closed, in ms.
pub(crate) const SILENCE: u64 = 30_000;

/// While an answer arrives, its receiver hears of it so often, in ms.
const RECEIVING: u64 = 1_000;

/// A vote or status that has waited so long behind other frames is not sent any more, in ms.
const STALE_VOTE: u64 = 4_000;

/// A link between two nodes.
pub(crate) struct Link {
    pub(crate) ends: [usize; 2],
    /// One way, in ms.
    pub(crate) delay: u64,
    /// Of each direction; `None`: frames take no time besides the delay.
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) cut_since: Option<u64>,
    pub(crate) banned: bool,
    pub(crate) conn: Option<PeerId>,
}

/// A connection over a link.
pub(crate) struct Conn {
    pub(crate) link: usize,
    /// When the last frame of each direction has left its sender, and when it arrives.
    pub(crate) sent: [u64; 2],
    pub(crate) last: [u64; 2],
    /// Frames on a cut link, with their receivers.
    pub(crate) held: Vec<(usize, Event)>,
    pub(crate) open: bool,
}

impl World {
    /// Links two nodes; `delay` is one way, in ms.
    pub fn link(&mut self, a: usize, b: usize, delay: u64) {
        self.links.push(Link {
            ends: [a, b],
            delay,
            bytes_per_s: None,
            cut_since: None,
            banned: false,
            conn: None,
        });
    }

    /// Limits the bandwidth of the links between two nodes, in each direction.
    pub fn limit(&mut self, a: usize, b: usize, bytes_per_s: u64) {
        for link in &mut self.links {
            if link.ends.contains(&a) && link.ends.contains(&b) {
                link.bytes_per_s = Some(bytes_per_s);
            }
        }
    }

    pub(crate) fn conns_of(&self, index: usize) -> Vec<PeerId> {
        let links = self.links.iter().filter(|link| link.ends.contains(&index));
        links.filter_map(|link| link.conn).collect()
    }

    /// Cuts all links between two sides.
    pub fn part(&mut self, side: impl Fn(usize) -> bool) {
        self.set_cuts(|link| {
            let [a, b] = link.ends;
            link.cut_since.is_some() || side(a) != side(b)
        });
    }

    /// Mends all links.
    pub fn heal(&mut self) {
        self.set_cuts(|_| false);
    }

    /// Cuts the links between these pairs of nodes, and mends all others.
    pub fn cut_only(&mut self, is_cut: impl Fn(usize, usize) -> bool) {
        self.set_cuts(|link| is_cut(link.ends[0], link.ends[1]));
    }

    /// Frames that were held back on an open connection arrive when its link is mended.
    fn set_cuts(&mut self, is_cut: impl Fn(&Link) -> bool) {
        let mut changes = false;
        for index in 0..self.links.len() {
            let link = &mut self.links[index];
            let cut = is_cut(link);
            if cut == link.cut_since.is_some() {
                continue;
            }
            changes = true;
            let since = self.now;
            link.cut_since = cut.then_some(since);
            let Some(conn) = link.conn else {
                continue;
            };
            if cut {
                self.schedule(since + SILENCE, Event::Silence { conn, since });
                continue;
            }
            let open = self.conns.get_mut(&conn);
            let held = open.map(|open| core::mem::take(&mut open.held));
            for (to, event) in held.into_iter().flatten() {
                self.travel(conn, to, event);
            }
        }
        if changes {
            let cut = self.links.iter().filter(|link| link.cut_since.is_some());
            let (cut, all) = (cut.count(), self.links.len());
            self.note(None, What::Links { cut, all });
        }
    }

    pub(crate) fn reconnect(&mut self) {
        for index in 0..self.links.len() {
            let link = &self.links[index];
            let up = link
                .ends
                .iter()
                .all(|end| self.nodes[*end].process == Process::Up);
            if !up || link.conn.is_some() || link.banned || link.cut_since.is_some() {
                continue;
            }
            let ends = link.ends;
            self.counted += 1;
            let id = self.counted;
            self.links[index].conn = Some(id);
            let conn = Conn {
                link: index,
                sent: [0; 2],
                last: [0; 2],
                held: Vec::new(),
                open: true,
            };
            self.conns.insert(id, conn);
            for to in ends {
                self.travel(id, to, Event::Joined { to, conn: id });
            }
        }
    }

    /// Ends a connection: both sides hear of it behind the frames that were sent before.
    pub(crate) fn close(&mut self, id: PeerId) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.open) else {
            return;
        };
        let link = conn.link;
        conn.held.clear();
        for to in self.links[link].ends {
            self.travel(id, to, Event::Left { to, conn: id });
        }
        self.links[link].conn = None;
        self.conns.get_mut(&id).expect("just seen").open = false;
    }

    pub(crate) fn travel(&mut self, id: PeerId, to: usize, event: Event) {
        let now = self.now;
        let random = self.random.below(self.jitter + 1);
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.open) else {
            return;
        };
        let link = &self.links[conn.link];
        let gone = matches!(event, Event::Left { .. });
        if link.cut_since.is_some() && !gone {
            conn.held.push((to, event));
            return;
        }
        let side = usize::from(link.ends[1] == to);
        let first = now.max(conn.sent[side]);
        let is_vote = matches!(
            &event,
            Event::Frame {
                frame: Frame::Consensus(_),
                ..
            }
        );
        if is_vote && first > now + STALE_VOTE {
            return;
        }
        let takes = match (link.bytes_per_s, &event) {
            (Some(bytes_per_s), Event::Frame { frame, .. }) => frame.bytes() * 1_000 / bytes_per_s,
            _ => 0,
        };
        conn.sent[side] = first + takes;
        let at = (conn.sent[side] + link.delay + random).max(conn.last[side]);
        conn.last[side] = at;
        let delay = link.delay;
        if let Event::Frame {
            frame: Frame::Answer { .. },
            ..
        } = event
        {
            for part in 1..takes / RECEIVING {
                let at = first + delay + part * RECEIVING;
                self.schedule(at, Event::Receiving { to, conn: id });
            }
        }
        self.schedule(at, event);
    }

    /// The node at the other end.
    pub(crate) fn other(&self, id: PeerId, index: usize) -> usize {
        let [a, b] = self.links[self.conns[&id].link].ends;
        if a == index { b } else { a }
    }

    pub(crate) fn silence(&mut self, id: PeerId, since: u64) {
        let Some(conn) = self.conns.get(&id).filter(|conn| conn.open) else {
            return;
        };
        let link = &self.links[conn.link];
        let hung = link
            .ends
            .iter()
            .any(|end| self.nodes[*end].process == Process::Hung);
        if hung || link.cut_since == Some(since) {
            self.close(id);
        }
    }
}
