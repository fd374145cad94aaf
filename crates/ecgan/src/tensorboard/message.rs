//! The protobuf messages of an event file, as far as they are written here. Field numbers are those of TensorBoard's
//! `event.proto` and `summary.proto`.

use crate::protobuf::{bytes, double, float, number};
use image::ImageFormat;
use std::io::Cursor;

/// An `Event` without its contents.
pub struct Event {
    /// Seconds since 1970.
    pub wall_time: f64,
    /// The iteration.
    pub step: u64,
}

impl Event {
    /// The first event of every file.
    pub fn file_version(&self) -> Vec<u8> {
        self.with(3, b"brain.Event:2")
    }

    /// Tells a reader that what it knows from this step on holds no longer.
    pub fn session_start(&self) -> Vec<u8> {
        let mut session_log = Vec::new();
        number(&mut session_log, 1, 1); // status: START
        self.with(7, &session_log)
    }

    /// Values of this step.
    pub fn summary(&self, values: &[Value]) -> Vec<u8> {
        let mut summary = Vec::new();
        values.iter().for_each(|value| bytes(&mut summary, 1, &value.0));
        self.with(5, &summary)
    }

    fn with(&self, field: u32, contents: &[u8]) -> Vec<u8> {
        let mut event = Vec::new();
        double(&mut event, 1, self.wall_time);
        number(&mut event, 2, self.step);
        bytes(&mut event, field, contents);
        event
    }
}

/// A `Summary.Value`.
pub struct Value(Vec<u8>);

impl Value {
    /// A number.
    pub fn scalar(tag: &str, value: f32) -> Self {
        let mut message = Vec::new();
        bytes(&mut message, 1, tag.as_bytes());
        float(&mut message, 2, value);
        Self(message)
    }

    /// A picture; `None` where `png` is none.
    pub fn png(tag: &str, png: &[u8]) -> Option<Self> {
        let reader = image::ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
        let (width, height) = reader.into_dimensions().ok()?;
        let mut picture = Vec::new();
        number(&mut picture, 1, height.into());
        number(&mut picture, 2, width.into());
        number(&mut picture, 3, 3); // colorspace: RGB
        bytes(&mut picture, 4, png);
        let mut message = Vec::new();
        bytes(&mut message, 1, tag.as_bytes());
        bytes(&mut message, 4, &picture);
        Some(Self(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_bytes_of_the_wire_format() {
        let event = Event { wall_time: 1.0, step: 300 };
        let wall_time = [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        let step = [0x10, 0xac, 0x02];
        let value = [0x0a, 1, b'x', 0x15, 0, 0, 0, 0x3f];
        let summary = [&[0x2a, 10, 0x0a, 8][..], &value].concat();
        assert_eq!(event.summary(&[Value::scalar("x", 0.5)]), [&wall_time[..], &step, &summary].concat());
        assert_eq!(event.session_start()[12..], [0x3a, 2, 0x08, 1]);
    }

    #[test]
    fn a_picture_knows_its_size() {
        let mut png = Vec::new();
        image::RgbImage::new(200, 3).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        let Value(message) = Value::png("p", &png).unwrap();
        assert_eq!(message[..3], [0x0a, 1, b'p']);
        let picture = message.windows(7).position(|w| *w == [0x08, 3, 0x10, 0xc8, 0x01, 0x18, 3]);
        assert!(picture.is_some(), "height 3, width 200, RGB in {message:?}");
        assert!(message.ends_with(&png));
        assert!(Value::png("p", b"no picture").is_none());
    }
}
