//! A parser that shows the known words in help and completions, and lets every word pass.
//!
//! Whether a word is right is for `config` to say, along with everything else that is wrong.

use std::ffi::{OsStr, OsString};

use clap::builder::{PossibleValue, TypedValueParser};

/// The known words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) &'static [&'static str]);

impl TypedValueParser for Words {
    type Value = OsString;

    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
