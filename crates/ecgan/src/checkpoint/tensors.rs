//! The tensors of a safetensors file: what its header says of each at once, their elements when asked for.

use super::OURS;
use super::bare::not_safetensors;
use crate::Error;
use crate::floats::{EXPECTED, floats};
use crate::regular_file;
use nn::{StateDict, StateTensor};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The bytes before a header: its length.
const LENGTH: u64 = 8;

/// An open file whose header fits it. What takes its name meanwhile, as a run's next checkpoint, is another file.
pub(super) struct Tensors {
    file: RefCell<File>,
    /// Where the elements begin.
    start: u64,
    /// By name.
    tensors: Vec<(String, TensorInfo)>,
}

impl Tensors {
    /// Opens a file; its header comes with it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] where it is no safetensors file.
    pub(super) fn open(path: &Path) -> Result<(Self, Metadata), Error> {
        let read = || {
            let (mut file, length) = regular_file::open(path)?;
            let bytes = read_header(&mut file, length)?;
            Ok((file, length, bytes))
        };
        let (file, length, bytes) = read().map_err(Error::io(path, "read"))?;
        let header = parse_header(&bytes, length).map_err(|error| Error::BadFile {
            path: path.to_path_buf(),
            problem: format!("{} ({error}); {OURS}", not_safetensors(&bytes)),
        })?;
        let mut tensors: Vec<_> = header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        tensors.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok((Self { file: RefCell::new(file), start: bytes.len() as u64, tensors }, header))
    }

    /// Puts a prefix and a dot before each name.
    pub(super) fn prefix(&mut self, prefix: &str) {
        self.tensors.iter_mut().for_each(|(name, _)| *name = format!("{prefix}.{name}"));
    }

    /// Refuses types that are not read.
    pub(super) fn check_types(&self) -> Result<(), String> {
        for (name, TensorInfo { dtype, shape, .. }) in &self.tensors {
            let known = match dtype {
                Dtype::F32 | Dtype::F16 | Dtype::BF16 => true,
                Dtype::F64 => name.starts_with("state."),
                Dtype::I64 => shape.is_empty(),
                _ => false,
            };
            if !known {
                return Err(format!(
                    "`{name}`: expected {EXPECTED}, or I64 of shape [], got {dtype:?} of shape {shape:?}"
                ));
            }
        }
        Ok(())
    }

    /// How many numbers there are under names that begin with `prefix`, counts aside.
    pub(super) fn numbers(&self, prefix: &str) -> usize {
        let real = self.tensors.iter().filter(|(name, info)| name.starts_with(prefix) && info.dtype != Dtype::I64);
        real.map(|(_, info)| info.shape.iter().product::<usize>()).sum()
    }

    /// Whether some name begins with `prefix`.
    pub(super) fn has(&self, prefix: &str) -> bool {
        self.tensors.iter().any(|(name, _)| name.starts_with(prefix))
    }

    /// Reads the tensors whose names begin with `prefix` and a dot, without these.
    pub(super) fn part(&self, prefix: &str) -> io::Result<StateDict> {
        let of_part = |name: &str| name.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned);
        let named = self.tensors.iter().filter_map(|(name, info)| Some((of_part(name)?, info)));
        named.map(|(name, info)| Ok((name, self.read(info)?))).collect()
    }

    /// Reads the tensor of this name, where there is one.
    pub(super) fn tensor(&self, name: &str) -> io::Result<Option<StateTensor>> {
        let found = self.tensors.iter().find(|(known, _)| known == name);
        found.map(|(_, info)| self.read(info)).transpose()
    }

    fn read(&self, info: &TensorInfo) -> io::Result<StateTensor> {
        let (from, to) = info.data_offsets;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(to - from)?;
        bytes.resize(to - from, 0);
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(self.start + from as u64))?;
        file.read_exact(&mut bytes)?;
        let (shape, elements) = (info.shape.clone(), bytes.as_chunks().0);
        Ok(match info.dtype {
            Dtype::I64 => StateTensor::Count(i64::from_le_bytes(elements[0])),
            Dtype::F64 => StateTensor::Real(shape, elements.iter().map(|&b| f64::from_le_bytes(b)).collect()),
            dtype => {
                let view = TensorView::new(dtype, shape.clone(), &bytes).expect("the header's shapes fit");
                let values = floats(&view).expect("types were checked");
                StateTensor::Real(shape, values.into_iter().map(f64::from).collect())
            }
        })
    }
}

/// The bytes up to where the elements begin, or only the first eight where these, the length of a header, are more than
/// the file has: that is no checkpoint, however large it is.
fn read_header(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LENGTH).read_to_end(&mut bytes)?;
    let header = bytes.first_chunk().map_or(0, |&length| u64::from_le_bytes(length));
    if (1..length).contains(&header) {
        bytes.try_reserve_exact(header as usize)?;
        file.take(header).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What a header says, where it is one of a file of this length.
fn parse_header(bytes: &[u8], length: u64) -> Result<Metadata, SafeTensorError> {
    match SafeTensors::read_metadata(bytes) {
        // That the elements are missing is all that is wrong: they were not read.
        Err(SafeTensorError::MetadataIncompleteBuffer) | Ok(_) => {}
        Err(error) => return Err(error),
    }
    let header: Metadata = serde_json::from_slice(&bytes[LENGTH as usize..])?;
    if bytes.len() as u64 + header.data_len() as u64 == length {
        Ok(header)
    } else {
        Err(SafeTensorError::MetadataIncompleteBuffer)
    }
}
