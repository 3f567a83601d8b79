"""Audit logs of a clinic, a shop and an office, made from seeds, with twelve stories in each."""
