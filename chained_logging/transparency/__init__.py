"""Evidence outside the log: proofs, tiles, witnesses, timestamps."""
