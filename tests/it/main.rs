//! One integration binary: linking is what takes the time.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod channels;
#[cfg(test)]
mod courses;
#[cfg(test)]
mod custom_namespace;
#[cfg(test)]
mod denials;
#[cfg(test)]
mod destinations;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod evidence_faults;
#[cfg(test)]
mod incident_run;
#[cfg(test)]
mod insights;
#[cfg(test)]
mod lambda_binary;
#[cfg(test)]
mod model_errors;
#[cfg(test)]
mod model_faults;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod other_providers;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod question;
#[cfg(test)]
mod script;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tries;
#[cfg(test)]
mod untrusted;
