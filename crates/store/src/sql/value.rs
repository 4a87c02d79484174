//! Values of parameters.

use bytes::{Bytes, BytesMut};
use rusqlite::types::{ToSql as ToLite, ToSqlOutput, ValueRef};
use std::error::Error;
use tokio_postgres::types::{IsNull, ToSql as ToPostgres, Type, to_sql_checked};

/// What a parameter may be. Nothing has a kind as well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

/// What can be a parameter.
pub(crate) trait ToValue {
    fn value(&self) -> Value<'_>;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

macro_rules! to_value {
    ($($of:ty => |$it:ident| $value:expr;)*) => {
        $(impl ToValue for $of {
            fn value(&self) -> Value<'_> {
                let $it = self;
                $value
            }
        })*
    };
}

to_value! {
    i64 => |it| Value::Integer(Some(*it));
    u32 => |it| Value::Integer(Some(i64::from(*it)));
    bool => |it| Value::Integer(Some(i64::from(*it)));
    Option<i64> => |it| Value::Integer(*it);
    str => |it| Value::Text(Some(it));
    String => |it| Value::Text(Some(it));
    Option<&str> => |it| Value::Text(*it);
    Option<String> => |it| Value::Text(it.as_deref());
    [u8] => |it| Value::Bytes(Some(it));
    [u8; 32] => |it| Value::Bytes(Some(it));
    Vec<u8> => |it| Value::Bytes(Some(it));
    Bytes => |it| Value::Bytes(Some(it));
    Value<'_> => |it| *it;
}

impl ToLite for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match *self {
            Self::Integer(Some(number)) => ValueRef::Integer(number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Integer(None) | Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl ToPostgres for Value<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let is_right = match self {
            Self::Integer(_) => *of == Type::INT8,
            Self::Text(_) => *of == Type::TEXT,
            Self::Bytes(_) => *of == Type::BYTEA,
        };
        if !is_right {
            return Err(format!("{of} is asked for and {self:?} is given").into());
        }
        match self {
            Self::Integer(number) => ToPostgres::to_sql(number, of, out),
            Self::Text(text) => ToPostgres::to_sql(&text.map(storable), of, out),
            Self::Bytes(bytes) => ToPostgres::to_sql(bytes, of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// PostgreSQL has no texts with U+0000 in them. None of ours means anything by it: what is exact is in the log, as bytes.
pub(crate) fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
