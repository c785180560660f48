"""Everything that is imported: models that users write, and the product that keeps them fresh."""
