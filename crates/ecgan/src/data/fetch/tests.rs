use super::published::File;
use super::server::{Behaviour, Server};
use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use std::fs;
use tempfile::TempDir;

fn file(name: &str, bytes: &[u8]) -> File {
    let md5 = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    File { name: name.into(), bytes: bytes.len() as u64, md5, archive: None }
}

/// MNIST's four files, with two images each.
fn contents() -> Vec<(String, Vec<u8>)> {
    let images = [0u8, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
    let images: Vec<u8> = images.into_iter().chain((0..2 * 28 * 28u32).map(|i| (i * i % 251) as u8)).collect();
    let labels = vec![0, 0, 8, 1, 0, 0, 0, 2, 9, 3];
    let kinds = [("images-idx3", images), ("labels-idx1", labels)];
    let files =
        ["train", "t10k"].map(|part| kinds.clone().map(|(kind, bytes)| (format!("/{part}-{kind}-ubyte"), bytes)));
    files.concat()
}

fn published() -> Published {
    let files = contents().iter().map(|(path, bytes)| file(&path[1..], bytes)).collect();
    Published { base: "http://127.0.0.1:1".into(), files }
}

const QUICK: Patience = Patience { attempts: 3, pause: Duration::from_millis(1), silence: Duration::from_secs(5) };

/// The result, and how often it was tried again.
fn fetched(folder: &TempDir, server: &Server) -> (Result<Fetched, DataError>, usize) {
    let mut again = 0;
    let mut event = |event: Event| again += usize::from(matches!(event, Event::Again { .. }));
    let result = fetch_published(&published(), folder.path(), Some(&server.base), QUICK, &mut event);
    (result, again)
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn check_whole(folder: &TempDir) {
    for (path, bytes) in contents() {
        assert!(fs::read(folder.path().join(&path[1..])).unwrap() == bytes, "{path}");
    }
    assert_eq!(names(folder).len(), 4, "{:?}", names(folder));
}

/// The message of a failure, after which no file has its final name.
fn refusal(folder: &TempDir, server: &Server) -> String {
    let message = fetched(folder, server).0.unwrap_err().to_string();
    assert!(names(folder).iter().all(|name| name.contains(".part")), "{:?}", names(folder));
    message
}

const IMAGES: &str = "/train-images-idx3-ubyte";

#[test]
fn all_files_arrive_and_once_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    let (fetched_set, again) = fetched(&folder, &server);
    let set = fetched_set.unwrap();
    assert_eq!((set.train, set.test, set.classes, again), (2, 2, 10, 0));
    check_whole(&folder);
    assert_eq!(server.requests().len(), 4);
    fetched(&folder, &server).0.unwrap();
    assert!(server.requests().is_empty(), "nothing is downloaded twice");
    fs::write(folder.path().join(&IMAGES[1..]), "mine").unwrap();
    let message = fetched(&folder, &server).0.unwrap_err().to_string();
    assert!(message.contains("is there with MD5 ") && message.contains("remove it"), "{message}");
    assert_eq!(fs::read(folder.path().join(&IMAGES[1..])).unwrap(), b"mine");
}

/// Neither a word for something else nor text, where it is only a folder's name.
#[test]
fn the_folder_may_have_any_name() {
    let here = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    #[cfg(unix)]
    let no_text: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"d\xFF".into());
    #[cfg(not(unix))]
    let no_text = std::ffi::OsString::from("d");
    let folder = here.path().join(no_text);
    let fetched = fetch_published(&published(), &folder, Some(&server.base), QUICK, &mut |_| {}).unwrap();
    assert_eq!((fetched.train, fetched.data), (2, folder));
}

#[test]
fn a_dropped_connection_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { drop_after: Some(500), ..Behaviour::of(contents()) });
    let (result, again) = fetched(&folder, &server);
    result.unwrap();
    check_whole(&folder);
    assert_eq!(again, 6, "1,584 bytes are four times 500, twice");
    let ranges: Vec<_> =
        server.requests().into_iter().filter(|(path, _)| path == IMAGES).map(|(_, range)| range).collect();
    let from = |first: usize| Some(format!("bytes={first}-"));
    assert_eq!(ranges, [None, from(500), from(1000), from(1500)]);
}

#[test]
fn a_later_run_resumes_the_same_version_only() {
    for (etag, second) in [("\"v1\"", Some("bytes=500-")), ("\"v2\"", Some("bytes=500-"))] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(Behaviour { drop_after: Some(500), ..Behaviour::of(contents()) });
        server.change(|behaviour| behaviour.first = vec![]);
        // The first run ends with its third failure, having got no further than the first 500 bytes.
        server.change(|behaviour| behaviour.ranges = false);
        refusal(&folder, &server);
        assert_eq!(names(&folder), ["train-images-idx3-ubyte.part", "train-images-idx3-ubyte.part.from"]);
        assert_eq!(fs::metadata(folder.path().join("train-images-idx3-ubyte.part")).unwrap().len(), 500);
        server.requests();
        server.change(|behaviour| {
            (behaviour.drop_after, behaviour.ranges, behaviour.etag) = (None, true, Some(etag));
        });
        fetched(&folder, &server).0.unwrap();
        check_whole(&folder);
        let requests = server.requests();
        assert_eq!(requests[0], (IMAGES.to_owned(), second.map(ToOwned::to_owned)));
    }
}

/// What is there under another address, or without a name for its version, is not joined to.
#[test]
fn parts_of_unknown_origin_are_not_resumed() {
    for from in ["http://elsewhere/x\n\"v1\"\n", "", "only one line"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train-images-idx3-ubyte.part"), [1; 700]).unwrap();
        fs::write(folder.path().join("train-images-idx3-ubyte.part.from"), from).unwrap();
        let server = Server::start(Behaviour::of(contents()));
        fetched(&folder, &server).0.unwrap();
        check_whole(&folder);
        assert_eq!(server.requests()[0].1, None);
    }
    // A part that is not what its origin says is found by the checksum, and downloaded anew.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    fs::write(folder.path().join("train-images-idx3-ubyte.part"), [1; 700]).unwrap();
    let from = format!("{}{IMAGES}\n\"v1\"\n", server.base);
    fs::write(folder.path().join("train-images-idx3-ubyte.part.from"), from).unwrap();
    let (result, again) = fetched(&folder, &server);
    result.unwrap();
    check_whole(&folder);
    assert_eq!(again, 1);
}

#[test]
fn a_server_without_ranges_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { ranges: false, drop_after: Some(700), ..Behaviour::of(contents()) });
    let message = refusal(&folder, &server);
    assert!(message.contains("3 times in a row") && message.contains("it goes on where it stopped"), "{message}");
    server.change(|behaviour| (behaviour.drop_after, behaviour.etag) = (None, None));
    fetched(&folder, &server).0.unwrap();
    check_whole(&folder);
}

#[test]
fn passing_failures_are_tried_again_and_others_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    server.change(|behaviour| behaviour.first = vec!["503 Service Unavailable", "429 Too Many Requests"]);
    let (result, again) = fetched(&folder, &server);
    result.unwrap();
    assert_eq!(again, 2);
    let empty = tempfile::tempdir().unwrap();
    server.requests();
    server.change(|behaviour| behaviour.files.clear());
    let message = refusal(&empty, &server);
    assert!(message.contains(IMAGES) && message.contains("404 Not Found"), "{message}");
    assert_eq!(server.requests().len(), 1);
    let mut event = |_: Event| {};
    let nobody = fetch_published(&published(), empty.path(), None, QUICK, &mut event).unwrap_err().to_string();
    assert!(nobody.contains("127.0.0.1:1/train-images-idx3-ubyte: ") && nobody.contains("3 times"), "{nobody}");
    let wrong = fetch_published(&published(), empty.path(), Some("nonsense"), QUICK, &mut event).unwrap_err();
    assert!(wrong.to_string().contains("nonsense/train-images"), "{wrong}");
}

#[test]
fn a_wrong_length_or_checksum_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { content_length: Some(99), ..Behaviour::of(contents()) });
    let message = refusal(&folder, &server);
    assert!(message.contains("has 99 bytes; expected 1584"), "{message}");
    server.change(|behaviour| {
        behaviour.content_length = None;
        behaviour.files[0].1[300] ^= 1;
    });
    let message = refusal(&folder, &server);
    assert!(message.contains("its MD5 is ") && message.contains("try again, or another --url"), "{message}");
    assert!(names(&folder).is_empty(), "nothing of it is of use: {:?}", names(&folder));
}

#[test]
fn two_downloads_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    let other = fs::File::create(folder.path().join("train-images-idx3-ubyte.part")).unwrap();
    other.lock().unwrap();
    assert!(refusal(&folder, &server).contains("another download writes it"));
    drop(other);
    fetched(&folder, &server).0.unwrap();
}

/// However they meet, nobody empties what another has finished, and everybody has all of it in the end.
#[test]
fn several_at_once_come_to_the_same_files() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(Behaviour::of(contents()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Err(error) = fetched(&folder, &server).0 {
                        assert!(error.to_string().contains("another download writes it"), "{error}");
                    }
                });
            }
        });
        check_whole(&folder);
    }
}

#[test]
fn what_cannot_be_written_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour::of(contents()));
    fs::create_dir(folder.path().join("train-images-idx3-ubyte.part")).unwrap();
    let message = refusal(&folder, &server);
    assert!(message.contains("train-images-idx3-ubyte.part: cannot write: "), "{message}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = fetch_published(&published(), &file.join("data"), None, QUICK, &mut |_| {}).unwrap_err().to_string();
    assert!(below.contains("file/data: cannot write: "), "{below}");
}

#[test]
fn an_archive_is_unpacked_read_and_removed() {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, format!("cifar-100-binary/{name}"), bytes).unwrap();
    };
    let record = |fine: u8| [vec![0, fine], vec![9; 3072]].concat();
    add("train.bin", &[record(0), record(99)].concat());
    add("test.bin", &record(5));
    add("fine_label_names.txt", (0..100).map(|i| format!("c{i}\n")).collect::<String>().as_bytes());
    add("coarse_label_names.txt", b"nobody reads it\n");
    let bytes = builder.into_inner().unwrap().finish().unwrap();
    let mut set = PublishedSet::Cifar100.published();
    let archive = set.files.remove(0);
    set.files.push(File { archive: archive.archive, ..file(&archive.name, &bytes) });
    let server = Server::start(Behaviour::of(vec![(format!("/{}", archive.name), bytes.clone())]));
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join(".unpacking-cifar-100-binary-aB3xY9");
    fs::create_dir(&unfinished).unwrap();
    let fetch = || fetch_published(&set, folder.path(), Some(&server.base), QUICK, &mut |_| {});
    // What another process unpacks is left to it: it has downloaded the archive, and holds its lock.
    fs::write(folder.path().join(&set.files[0].name), &bytes).unwrap();
    let part = folder.path().join(format!("{}.part", set.files[0].name));
    let other = fs::File::create(&part).unwrap();
    other.lock().unwrap();
    let message = fetch().unwrap_err().to_string();
    assert!(message.contains("another download writes it") && unfinished.exists(), "{message}");
    drop(other);
    fs::remove_file(folder.path().join(&set.files[0].name)).unwrap();
    let fetched = fetch().unwrap();
    assert_eq!((fetched.train, fetched.test, fetched.classes), (2, 1, 100));
    assert_eq!(names(&folder), ["cifar-100-binary"]);
    assert_eq!(fs::read_dir(folder.path().join("cifar-100-binary")).unwrap().count(), 3);
    assert_eq!(server.requests().len(), 1);
    fetch().unwrap();
    assert!(server.requests().is_empty());
    fs::remove_file(folder.path().join("cifar-100-binary/test.bin")).unwrap();
    let message = fetch().unwrap_err().to_string();
    assert!(message.contains("is there, but has no test.bin"), "{message}");
}

/// The catalogue: addresses that can be asked, sums that can be sums.
#[test]
fn what_is_published_is_plausible() {
    for set in PublishedSet::ALL {
        let published = set.published();
        assert!(published.base.starts_with("http") && !published.base.ends_with('/'));
        for file in &published.files {
            assert!(file.md5.len() == 32 && file.md5.bytes().all(|b| b.is_ascii_hexdigit()), "{}", file.name);
            assert!(file.bytes > 1000);
        }
    }
}
