//! The list of nodes for people: one HTML page without scripts. Every text of a node is
//! escaped.

use crate::{LIFE_MS, Listed};
use ccoin_core::{BlockId, Timestamp};
use std::fmt::{Display, Write as _};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="10">
<title>Discovery Service</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
code { font-size: .9em; }
</style>
</head>
<body>
<h1>Discovery Service</h1>
"#;

const TABLE: &str = "<div><table>\n<tr><th>node</th><th>address</th><th>network</th>\
    <th>block 1</th><th>last heard of</th></tr>\n";

/// The page as of `now`.
pub(super) fn render(listed: &[Listed], now: Timestamp) -> String {
    let mut page = HEAD.to_owned();
    let nodes = if listed.len() == 1 { "node" } else { "nodes" };
    let life = LIFE_MS / 1000;
    let mut line = |text: String| page.push_str(&text);
    line(format!(
        "<p>{} {nodes}. A node leaves this list {life} s after its last record. \
         As JSON: <a href=\"/members\">/members</a>.</p>\n",
        listed.len()
    ));
    if !listed.is_empty() {
        line(TABLE.to_owned());
        listed.iter().for_each(|one| line(row(one, now)));
        line("</table></div>\n".to_owned());
    }
    line("</body>\n</html>\n".to_owned());
    page
}

fn row(listed: &Listed, now: Timestamp) -> String {
    let place = format!("{}:{}", listed.member.ip, listed.member.port);
    let network = match listed.network_id {
        0 => "none yet".to_owned(),
        id => id.to_string(),
    };
    let genesis = match listed.genesis_id {
        BlockId::ZERO => "none yet".to_owned(),
        // Ids start with zeros.
        id => format!("…{}", &id.to_string()[56..]),
    };
    let silent = now.get().saturating_sub(listed.seen.get()) / 1000;
    let mut row = "<tr>".to_owned();
    write!(row, "<td><code>{}</code></td>", escaped(&listed.member.id))
        .expect("writing to a string cannot fail");
    for cell in [place, network, genesis, format!("{silent} s ago")] {
        write!(row, "<td>{}</td>", escaped(&cell)).expect("writing to a string cannot fail");
    }
    row + "</tr>\n"
}

/// Escaped for HTML elements and quoted attributes.
fn escaped(text: &impl Display) -> String {
    let mut safe = String::new();
    for c in text.to_string().chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Host, Member};
    use ccoin_crypto::Address;

    #[test]
    fn hostile_text_stays_text() {
        let mut listed = Listed {
            // The parser refuses such a name; the page does not rely on that.
            member: Member {
                id: Address::new([0xab; 20]),
                ip: Host::Name("<img src=x onerror=\"alert('&')\">".to_owned()),
                port: 4001,
            },
            network_id: 7,
            genesis_id: BlockId::new([0xcd; 32]),
            since: Timestamp::ZERO,
            seen: Timestamp::new(1_000).unwrap(),
            proven: None,
        };
        let now = Timestamp::new(13_500).unwrap();
        let page = render(std::slice::from_ref(&listed), now);
        let cells = "<td>&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;:4001</td>\
            <td>7</td><td>…cdcdcdcd</td><td>12 s ago</td></tr>";
        assert!(page.contains(cells), "{page}");
        assert!(page.contains("<p>1 node. "), "{page}");
        listed.network_id = 0;
        listed.genesis_id = BlockId::ZERO;
        let page = render(&[listed.clone(), listed], Timestamp::ZERO);
        let cells = "<td>none yet</td><td>none yet</td><td>0 s ago</td>";
        assert_eq!(page.matches(cells).count(), 2, "{page}");
        assert!(!render(&[], now).contains("<table>"));
    }
}
