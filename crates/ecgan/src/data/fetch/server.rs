//! A small HTTP server on loopback that fails as servers do.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does.
#[derive(Clone)]
pub struct Behaviour {
    /// The path and the bytes of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// Its ETag header, if it sends one.
    pub etag: Option<&'static str>,
    /// Whether it answers a Range.
    pub ranges: bool,
    /// Bytes of a body after which it hangs up.
    pub drop_after: Option<usize>,
    /// What it says of the length, where that is a lie.
    pub content_length: Option<usize>,
    /// The status of the first answers.
    pub first: Vec<&'static str>,
}

impl Behaviour {
    pub fn of(files: Vec<(String, Vec<u8>)>) -> Self {
        let etag = Some("\"v1\"");
        Self { files, etag, ranges: true, drop_after: None, content_length: None, first: Vec::new() }
    }
}

/// The path and the Range of a request.
pub type Request = (String, Option<String>);

/// A server; its thread ends with the process.
pub struct Server {
    pub base: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(behaviour));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (shared, seen) = (behaviour.clone(), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever hangs up has the answer it wanted, or a failure that the test expects.
                let _ = answer(stream, &shared, &seen);
            }
        });
        Self { base, behaviour, requests }
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, behaviour: &Mutex<Behaviour>, requests: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        headers.push(line);
    }
    let header = |name: &str| {
        let of = |line: &&String| line.to_lowercase().starts_with(&format!("{name}: "));
        headers.iter().find(of).map(|line| line[name.len() + 2..].to_owned())
    };
    let range = header("range");
    requests.lock().unwrap().push((path.clone(), range.clone()));
    let mut behaviour = behaviour.lock().unwrap();
    let status = if behaviour.first.is_empty() { None } else { Some(behaviour.first.remove(0)) };
    let behaviour = behaviour.clone();
    let file = behaviour.files.iter().find(|(name, _)| *name == path);
    let (None, Some((_, bytes))) = (status, file) else {
        let status = status.unwrap_or("404 Not Found");
        return write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    };
    let first = range.filter(|_| behaviour.ranges && header("if-range").as_deref() == behaviour.etag);
    let first = first.map(|range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let body = &bytes[first.unwrap_or(0)..];
    let total = behaviour.content_length.unwrap_or(bytes.len());
    match first {
        Some(first) => {
            write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{}/{total}\r\n", total - 1)?;
            write!(stream, "Content-Length: {}\r\n", body.len())?;
        }
        None => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n")?,
    }
    if let Some(etag) = behaviour.etag {
        write!(stream, "ETag: {etag}\r\n")?;
    }
    write!(stream, "Connection: close\r\n\r\n")?;
    stream.write_all(&body[..behaviour.drop_after.unwrap_or(body.len()).min(body.len())])
}
