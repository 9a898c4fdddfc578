//! `--url https://...`: a node behind a reverse proxy that holds the certificate, below a path.

use crate::support::{Devnet, Place, genesis, wait_for};
use serde_json::json;
use std::{
    fs,
    process::{Child, Command, Stdio},
};

/// A proxy with a certificate for localhost; killed when dropped.
struct Proxy {
    process: Child,
    port: String,
}

/// Serves `/ledger/...` from the node, and sends all other paths there.
const PROXY: &str = r#"
import http.server, ssl, sys, urllib.error, urllib.request

class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) if length else None
        if not self.path.startswith("/ledger/"):
            self.send_response(301)
            self.send_header("Location", "/ledger" + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        to = sys.argv[1] + self.path[len("/ledger"):]
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(to, body, headers))
        except urllib.error.HTTPError as error:
            answer = error
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = forward

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open("port.new", "w") as file:
    file.write(str(server.server_address[1]))
import os
os.rename("port.new", "port")
server.serve_forever()
"#;

impl Proxy {
    fn start(place: &Place, node: &str) -> Self {
        let dir = place.path("");
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let process = Command::new("python3")
            .args(["-c", PROXY, node])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait_for("the proxy", || fs::read_to_string(dir.join("port")).ok());
        Self { process, port }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_node_behind_a_reverse_proxy_is_reached_over_tls_and_a_stranger_is_not_trusted() {
    let place = Place::new(&genesis(&json!({}), 500, &[]));
    let options = ["devnet", "--json", "--validators", "1", "--basics", "0"];
    let devnet = Devnet::start(&mut place.command("ccoin", &options));
    let proxy = Proxy::start(&place, devnet.report["explorer"].as_str().unwrap());
    let ccoin = |host: &str, path: &str, trusted: bool, words: &[&str]| {
        let url = format!("https://{host}:{}{path}", proxy.port);
        let mut command = place.command("ccoin", &["--url", &url]);
        if trusted {
            command.env("SSL_CERT_FILE", place.path("cert.pem"));
        }
        let output = command.args(words).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    };
    let (code, said) = ccoin("localhost", "/ledger", true, &["status"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&format!("at https://localhost:{}/ledger,", proxy.port)),
        "{said}"
    );

    // Signed here, published through the proxy.
    let signed = place.ok("ccoin", &["sign", "alice", "bob", "5", "--number", "1"]);
    fs::write(place.path("signed"), signed).unwrap();
    let (code, said) = ccoin(
        "localhost",
        "/ledger/",
        true,
        &["publish", "signed", "--wait"],
    );
    assert_eq!(code, 0, "{said}");
    let (code, said) = ccoin("localhost", "/ledger", true, &["block", "99999"]);
    assert_eq!(
        (code, said.contains("there is no block 99999")),
        (4, true),
        "{said}"
    );

    let (code, said) = ccoin("localhost", "", true, &["status"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("elsewhere: /ledger/v1/status"), "{said}");
    let (code, said) = ccoin("localhost", "/ledger", false, &["status"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("SSL_CERT_FILE"), "{said}");
    let (code, said) = ccoin("127.0.0.1", "/ledger", true, &["status"]);
    assert_eq!(code, 5, "another name than the certificate's: {said}");
}
