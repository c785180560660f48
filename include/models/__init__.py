"""What users write: one spec, one query and one suite file per model."""
