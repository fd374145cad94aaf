//! One file over HTTP: resumed, tried again, checked, and only then under its name.

use super::part_file::PartFile;
use super::published::File as Published;
use super::{DataError, Event, Patience};
use md5::{Digest, Md5};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Response, StatusCode};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How files are downloaded.
pub struct Download {
    agent: Agent,
    patience: Patience,
}

/// How an attempt ended, if not well.
enum Failure {
    /// It may help to try again.
    Passing(String),
    /// It will not.
    Final(DataError),
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Final(error)
    }
}

impl Download {
    pub fn new(patience: Patience) -> Self {
        let silence = Some(patience.silence);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            .user_agent(concat!("ecgan/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: Agent::new_with_config(config), patience }
    }

    /// Downloads `file` from `url` to `target`, unless it is there.
    pub fn file(
        &self,
        url: &str,
        file: &Published,
        target: &Path,
        event: &mut dyn FnMut(Event),
    ) -> Result<(), DataError> {
        if target.exists() {
            return already(file, target, event);
        }
        let mut part = PartFile::open(target)?;
        // Another process may have finished it in between.
        if target.exists() {
            part.discard();
            return already(file, target, event);
        }
        let mut resumed = part.begin(url)? > 0;
        loop {
            resumed |= self.attempts(url, file, &mut part, event)?;
            let found = md5_of(&part.path)?;
            if found == file.md5 {
                return part.finish(target);
            }
            part.restart()?;
            if !resumed {
                part.discard();
                return Err(failed(
                    url,
                    format!("its MD5 is {found}; expected {}", file.md5),
                    "the file is not the one published, or was changed on the way: try again, or another --url",
                ));
            }
            resumed = false;
            event(Event::Again { reason: "the parts do not belong together".into(), pause: Duration::ZERO });
        }
    }

    /// Attempts until the file has its length; whether it was put together from several.
    fn attempts(
        &self,
        url: &str,
        file: &Published,
        part: &mut PartFile,
        event: &mut dyn FnMut(Event),
    ) -> Result<bool, DataError> {
        let (mut most, mut failures, mut resumed) = (part.length, 0, false);
        while part.length < file.bytes {
            resumed |= part.length > 0;
            let reason = match self.attempt(url, file, part, event) {
                Ok(()) => continue,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(reason)) => reason,
            };
            // Only what was never there before is progress: a server that cannot resume may repeat itself for ever.
            failures = if part.length > most { 1 } else { failures + 1 };
            most = most.max(part.length);
            if failures >= self.patience.attempts {
                let advice = "check the connection, then repeat the command: it goes on where it stopped; or try --url";
                return Err(failed(url, format!("{reason}, {failures} times in a row"), advice));
            }
            let pause = self.patience.pause.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_PAUSE);
            event(Event::Again { reason, pause });
            sleep(pause);
        }
        Ok(resumed)
    }

    /// One request, from where the part ends.
    fn attempt(
        &self,
        url: &str,
        file: &Published,
        part: &mut PartFile,
        event: &mut dyn FnMut(Event),
    ) -> Result<(), Failure> {
        let mut request = self.agent.get(url).header("Accept-Encoding", "identity");
        match &part.validator {
            Some(validator) if part.length > 0 => {
                request = request.header("Range", format!("bytes={}-", part.length)).header("If-Range", validator);
            }
            _ => part.restart()?,
        }
        let response = request.call().map_err(|error| self.failure(url, &error))?;
        self.place(url, &response, file, part)?;
        event(Event::Begun { url, done: part.length, total: file.bytes });
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        while part.length < file.bytes {
            // An end before its time is an error of the next attempt's making: it asks for the rest.
            let n = match body.read(&mut buffer) {
                Ok(0) => return Err(Failure::Passing(format!("ends after {} of {} bytes", part.length, file.bytes))),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Passing(format!("after {} bytes: {error}", part.length))),
            };
            let room = (file.bytes - part.length).min(n as u64) as usize;
            part.write(&buffer[..room])?;
            event(Event::Arrived(part.length));
        }
        Ok(())
    }

    fn failure(&self, url: &str, error: &ureq::Error) -> Failure {
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                Failure::Final(failed(url, error.to_string(), "give an address that begins with http:// or https://"))
            }
            _ => Failure::Passing(error.to_string()),
        }
    }

    /// What the answer says, before any of its body: the part ends where it begins, or is emptied.
    fn place<B>(
        &self,
        url: &str,
        response: &Response<B>,
        file: &Published,
        part: &mut PartFile,
    ) -> Result<(), Failure> {
        let (status, headers) = (response.status(), response.headers());
        let (first, total) = match status {
            StatusCode::OK => (0, number(headers, "content-length")),
            StatusCode::PARTIAL_CONTENT => match content_range(headers) {
                Some((first, total)) if first == part.length => (first, total),
                _ => {
                    part.restart()?;
                    return Err(Failure::Passing("answers with another part than was asked for".into()));
                }
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                part.restart()?;
                return Err(Failure::Passing("has nothing beyond what is there".into()));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Passing(status.to_string()));
            }
            _ if status.is_server_error() => return Err(Failure::Passing(status.to_string())),
            _ => {
                let advice = "is this still where it is published? --url takes another address";
                return Err(Failure::Final(failed(url, status.to_string(), advice)));
            }
        };
        if let Some(total) = total
            && total != file.bytes
        {
            let wrong = format!("has {total} bytes; expected {}", file.bytes);
            return Err(Failure::Final(failed(url, wrong, "this is not the published file: try another --url")));
        }
        if first == 0 {
            part.restart()?;
        }
        Ok(part.remember(url, validator(headers))?)
    }
}

/// A file that is there, which must be the one published.
fn already(file: &Published, target: &Path, event: &mut dyn FnMut(Event)) -> Result<(), DataError> {
    let found = md5_of(target)?;
    if found != file.md5 {
        let wrong = format!("is there with MD5 {found}");
        let expected = format!("{}; remove it, or give another --dir", file.md5);
        return Err(DataError::unfit(target, wrong, expected));
    }
    event(Event::Already(target));
    Ok(())
}

/// What a later request may name, so that it gets the rest of this very file: an ETag that means equal bytes, or a date.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok().map(ToOwned::to_owned);
    text("etag").filter(|etag| etag.starts_with('"')).or_else(|| text("last-modified"))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The first byte and, where it is known, the whole length of `bytes FIRST-LAST/LENGTH`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = headers.get("content-range")?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn failed(url: &str, wrong: impl Into<String>, advice: &'static str) -> DataError {
    DataError::Download { url: url.into(), wrong: wrong.into(), advice }
}

fn md5_of(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|e| DataError::io(path, e))? {
            0 => return Ok(md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => md5.update(&buffer[..n]),
        }
    }
}
