//! One array: flags, dimensions, name, values.

use super::element::{Input, Number};
use super::{Array, DataError, Wanted};
use std::io::Read;

const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
/// Set in the flags of an array with an imaginary part.
const COMPLEX: u32 = 0x0800;
/// Array classes that hold numbers: double (6) to uint64 (15).
const NUMERIC_CLASSES: std::ops::RangeInclusive<u32> = 6..=15;

/// Reads a matrix element's contents if its name is wanted: its index in `wanted`, and the array. Otherwise nothing
/// beyond the name is read.
pub fn read(input: &mut Input<impl Read>, wanted: &[Wanted]) -> Result<Option<(usize, Array)>, DataError> {
    if input.left == 0 {
        return Ok(None); // an empty element is an empty array without a name
    }
    let flags = fixed(input, "flags", UINT32, 8..=8)?;
    let flags = input.u32(&flags);
    let dims = fixed(input, "dimensions", INT32, 8..=128)?;
    let name = fixed(input, "name", INT8, 0..=1024)?;
    let Some(index) = wanted.iter().position(|w| w.name.as_bytes() == name) else { return Ok(None) };
    let (name, expected) = (wanted[index].name, wanted[index].expected);

    let class = flags & 0xFF;
    if !NUMERIC_CLASSES.contains(&class) {
        return Err(input.wrong(format!("`{name}` has array class {class}, which holds no plain numbers"), expected));
    }
    if flags & COMPLEX != 0 {
        return Err(input.wrong(format!("`{name}` is complex"), expected));
    }
    let dims: Vec<i32> = dims.chunks_exact(4).map(|d| input.u32(d) as i32).collect();
    let Ok(dims) = dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<usize>, _>>() else {
        return Err(input.wrong(format!("`{name}` has dimensions {dims:?}"), expected));
    };
    let mut number = None;
    let path = input.path;
    let values = input.element(|kind, bytes| {
        let wrong = |wrong: String| Err(DataError::unfit(path, wrong, expected));
        let Some(found) = Number::from_tag(kind) else {
            return wrong(format!("`{name}` has values of type {kind}"));
        };
        if !(wanted[index].accepts)(&dims, found) {
            return wrong(format!("`{name}` is {found:?} {dims:?}"));
        }
        let promised = dims.iter().try_fold(found.bytes() as u64, |product, &d| product.checked_mul(d as u64));
        if promised != Some(bytes) {
            return wrong(format!("`{name}` is {found:?} {dims:?} but has {bytes} bytes of values"));
        }
        number = Some(found);
        Ok(())
    })?;
    let number = number.expect("set by the check");
    Ok(Some((index, Array { dims, number, big_endian: input.big_endian, bytes: values })))
}

/// The data of the next element, which must have this type and size.
fn fixed(
    input: &mut Input<impl Read>,
    what: &str,
    kind: u32,
    size: std::ops::RangeInclusive<u64>,
) -> Result<Vec<u8>, DataError> {
    let path = input.path;
    input.element(|found, bytes| {
        if found == kind && size.contains(&bytes) {
            return Ok(());
        }
        let expected = format!("type {kind} and {} to {} bytes", size.start(), size.end());
        Err(DataError::unfit(path, format!("an array's {what} have type {found} and {bytes} bytes"), expected))
    })
}
