//! Links of a [`World`], and connections over them: what is said on one arrives in
//! its order, later; on a cut one it waits, and after a long silence both ends hang up.

use crate::{
    node::Process,
    world::{Event, World},
};
use ccoin_core::machine::PeerId;

/// A connection without a word for so long is given up.
pub(crate) const SILENCE: u64 = 30_000;

/// A wire between two nodes.
pub(crate) struct Link {
    pub(crate) ends: [usize; 2],
    pub(crate) delay: u64,
    pub(crate) cut_since: Option<u64>,
    pub(crate) banned: bool,
    pub(crate) conn: Option<PeerId>,
}

/// A connection over a link; what is on its way keeps its order in each direction.
pub(crate) struct Conn {
    pub(crate) link: usize,
    pub(crate) last: [u64; 2],
    /// Words on a cut wire: to which end, what.
    pub(crate) held: Vec<(usize, Event)>,
    pub(crate) open: bool,
}

impl World {
    pub fn link(&mut self, a: usize, b: usize, delay: u64) {
        self.links.push(Link {
            ends: [a, b],
            delay,
            cut_since: None,
            banned: false,
            conn: None,
        });
    }

    pub(crate) fn conns_of(&self, index: usize) -> Vec<PeerId> {
        let links = self.links.iter().filter(|link| link.ends.contains(&index));
        links.filter_map(|link| link.conn).collect()
    }

    /// Cuts all links between two sides: nothing is heard, nothing is told.
    pub fn part(&mut self, side: impl Fn(usize) -> bool) {
        for index in 0..self.links.len() {
            let [a, b] = self.links[index].ends;
            if side(a) != side(b) && self.links[index].cut_since.is_none() {
                let since = self.now;
                self.links[index].cut_since = Some(since);
                if let Some(conn) = self.links[index].conn {
                    self.schedule(since + SILENCE, Event::Silence { conn, since });
                }
            }
        }
    }

    /// Mends all links; what was on the wire of a live connection arrives.
    pub fn heal(&mut self) {
        for index in 0..self.links.len() {
            if self.links[index].cut_since.take().is_none() {
                continue;
            }
            let Some(id) = self.links[index].conn else {
                continue;
            };
            let held = self
                .conns
                .get_mut(&id)
                .map(|conn| core::mem::take(&mut conn.held));
            for (to, event) in held.into_iter().flatten() {
                self.travel(id, to, event);
            }
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

    /// Ends a connection: both sides hear of it, in the order of what was said.
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
        let at = (now + link.delay + random).max(conn.last[side]);
        conn.last[side] = at;
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
