//! Reading `virTypedParameter` arrays without copying more than is wanted.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use virt_sys as sys;

/// Value of one parameter; borrowed from libvirt's array.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `INT` and `LLONG`.
    Signed(i64),
    /// `UINT` and `ULLONG`.
    Unsigned(u64),
    /// `DOUBLE`.
    Double(f64),
    /// `BOOLEAN`.
    Boolean(bool),
    /// `STRING`; bytes that are no UTF-8 are replaced.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The value as a count, if it is a number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Signed(number) => u64::try_from(*number).ok(),
            Self::Unsigned(number) => Some(*number),
            Self::Double(_) | Self::Boolean(_) | Self::Text(_) => None,
        }
    }
}

/// The parameters of one record. Types this version does not know are skipped.
#[derive(Clone)]
pub struct Parameters<'a>(std::slice::Iter<'a, sys::virTypedParameter>);

impl<'a> Parameters<'a> {
    /// Parameters of an array libvirt handed out.
    ///
    /// # Safety
    /// `first` must be NULL, or point to `count` initialised parameters that live for `'a`.
    pub(super) unsafe fn new(first: *const sys::virTypedParameter, count: i32) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        if first.is_null() || count == 0 {
            return Self([].iter());
        }
        // SAFETY: promised by the caller.
        Self(unsafe { std::slice::from_raw_parts(first, count) }.iter())
    }
}

impl std::fmt::Debug for Parameters<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (Cow<'a, str>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.by_ref().find_map(|parameter| Some((field_name(&parameter.field), value(parameter)?)))
    }
}

/// A fixed-size C string field; it may lack its NUL.
pub(super) fn field_name(field: &[c_char]) -> Cow<'_, str> {
    // SAFETY: c_char and u8 have the same size and alignment, and every bit pattern is a valid u8.
    let bytes = unsafe { std::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}

/// A C string that may be absent.
///
/// # Safety
/// `text` must be NULL or a NUL-terminated string that lives for `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Cow<'a, str> {
    if text.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

fn value(parameter: &sys::virTypedParameter) -> Option<Value<'_>> {
    // SAFETY: libvirt sets `type_` to say which member of the union it has written; a string is
    // NUL-terminated and lives as long as the array.
    unsafe {
        Some(match u32::try_from(parameter.type_).ok()? {
            sys::VIR_TYPED_PARAM_INT => Value::Signed(i64::from(parameter.value.i)),
            sys::VIR_TYPED_PARAM_UINT => Value::Unsigned(u64::from(parameter.value.ui)),
            sys::VIR_TYPED_PARAM_LLONG => Value::Signed(parameter.value.l),
            sys::VIR_TYPED_PARAM_ULLONG => Value::Unsigned(parameter.value.ul),
            sys::VIR_TYPED_PARAM_DOUBLE => Value::Double(parameter.value.d),
            sys::VIR_TYPED_PARAM_BOOLEAN => Value::Boolean(parameter.value.b != 0),
            sys::VIR_TYPED_PARAM_STRING if !parameter.value.s.is_null() => Value::Text(text(parameter.value.s)),
            _ => return None,
        })
    }
}
