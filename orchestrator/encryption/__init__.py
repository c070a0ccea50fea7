"""Encryption of what leaves a process: payloads that Temporal keeps, and blobs."""

from dataclasses import replace

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from orchestrator.encryption.codec import EncryptingCodec
from orchestrator.encryption.keys import Keys, key_for, keys_of, new_key
from orchestrator.settings import Settings

__all__ = ["EncryptingCodec", "Keys", "data_converter", "key_for", "keys_of", "new_key"]


def data_converter(settings: Settings) -> DataConverter:
    """What every client of ours converts payloads with: encrypted, failures included, if the settings give keys.

    Raises:
        SettingsError: A key is wrong.
    """
    keys = keys_of(settings)
    converter = replace(pydantic_data_converter, payload_codec=EncryptingCodec(keys))
    if keys is None:
        return converter
    return replace(converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)
