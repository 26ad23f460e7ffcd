"""Texts of strangers, made fit to be stored and shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text in one line, without control, format and half characters: nothing of it may steer a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
