//! Checkpoints of any header, and weights of an Inception v3: the bytes before the first 0xFF, which no UTF-8 has, are the header, whose length is right,
//! the others are the tensors.

use ecgan::checkpoint::Checkpoint;
use ecgan::measure::inception::Inception;
use tensor::Device;

pub fn read(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == 0xFF).unwrap_or(data.len());
    let header = &data[..end];
    let tensors = data.get(end + 1..).unwrap_or_default();
    let file = [&(header.len() as u64).to_le_bytes()[..], header, tensors].concat();
    let file = crate::file("checkpoint", &file);
    // So few bytes are no network.
    assert!(Inception::read(&file, &Device::cpu()).is_err());
    let Ok(checkpoint) = Checkpoint::read(&file) else { return };
    assert!(checkpoint.classifier(&Device::cpu()).is_err());
    assert!(checkpoint.generator(&Device::cpu()).is_err());
}

pub fn seeds() -> Vec<Vec<u8>> {
    let meta = r#"{\"format\":1,\"width\":1,\"image_size\":32,\"channels\":3,\"classes\":[\"a\"],\"config\":\"\"}"#;
    let with = |tensors: &str, bytes: usize| {
        let header = format!(r#"{{"__metadata__":{{"ecgan":"{meta}"}}{tensors}}}"#);
        [header.as_bytes(), &[0xFF], &vec![0; bytes]].concat()
    };
    // A state dict without metadata, which says by its tensors what it is.
    let bare = r#"{"conv1.weight":{"dtype":"F32","shape":[1,3,3,3],"data_offsets":[0,108]},"linear.bias":{"dtype":"F32","shape":[1],"data_offsets":[108,112]}}"#;
    // The first of an Inception v3.
    let first = r#"{"Conv2d_1a_3x3.conv.weight":{"dtype":"F32","shape":[32,3,3,3],"data_offsets":[0,3456]}}"#;
    vec![
        [first.as_bytes(), &[0xFF], &[0; 3456]].concat(),
        [bare.as_bytes(), &[0xFF], &[0; 112]].concat(),
        with("", 0),
        with(r#","classifier.conv1.weight":{"dtype":"F32","shape":[1,3,3,3],"data_offsets":[0,108]}"#, 108),
        with(
            r#","generator.a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"state.step":{"dtype":"I64","shape":[],"data_offsets":[4,12]}"#,
            12,
        ),
    ]
}
