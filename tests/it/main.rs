//! One integration binary: linking is what takes the time.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod aws;
