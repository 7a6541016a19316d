"""Formulas of tensors, one value an example; nothing is averaged here."""
