"""How values are sealed: upstream's providers, with its prefixes, so that either side reads what the other wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pybernetes.kits import chance as chances

SEALED = b"k8s:enc:"
BLOCK = 16


class Unreadable(Exception):
    """Why a value cannot be opened."""


class Provider(Protocol):
    """One key of one kind. Values it has sealed start with `prefix`."""

    prefix: bytes

    def seal(self, data: bytes, key: bytes) -> bytes:
        """`key` is where the value is kept: a value moved elsewhere cannot be opened there, where that can be told."""
        ...

    def open(self, data: bytes, key: bytes) -> bytes:
        """`data` comes without its prefix. Raises Unreadable."""
        ...


class Identity:
    """Values as they are."""

    prefix = b""

    def seal(self, data: bytes, key: bytes) -> bytes:
        return data

    def open(self, data: bytes, key: bytes) -> bytes:
        if data.startswith(SEALED):
            raise Unreadable("identity transformer tried to read encrypted data")
        return data


class AesGcm:
    """AES in Galois counter mode, a random nonce in front; the place is authenticated."""

    nonce = 12

    def __init__(self, name: str, secret: bytes, chance: chances.Chance) -> None:
        self.prefix = b"k8s:enc:aesgcm:v1:%b:" % name.encode()
        self._cipher = AESGCM(secret)
        self._chance = chance

    def seal(self, data: bytes, key: bytes) -> bytes:
        nonce = self._chance.token(self.nonce)
        return self.prefix + nonce + self._cipher.encrypt(nonce, data, key)

    def open(self, data: bytes, key: bytes) -> bytes:
        try:
            return self._cipher.decrypt(data[: self.nonce], data[self.nonce :], key)
        except (InvalidTag, ValueError):
            raise Unreadable("cipher: message authentication failed") from None


class AesCbc:
    """AES in cipher block chaining mode, the first block in front. It proves nothing; there for what is sealed so."""

    def __init__(self, name: str, secret: bytes, chance: chances.Chance) -> None:
        self.prefix = b"k8s:enc:aescbc:v1:%b:" % name.encode()
        self._algorithm = algorithms.AES(secret)
        self._chance = chance

    def seal(self, data: bytes, key: bytes) -> bytes:
        first = self._chance.token(BLOCK)
        padder = padding.PKCS7(BLOCK * 8).padder()
        cipher = Cipher(self._algorithm, modes.CBC(first)).encryptor()
        padded = padder.update(data) + padder.finalize()
        return self.prefix + first + cipher.update(padded) + cipher.finalize()

    def open(self, data: bytes, key: bytes) -> bytes:
        if len(data) < BLOCK or len(data) % BLOCK:
            raise Unreadable("the stored data is not a multiple of the block size")
        cipher = Cipher(self._algorithm, modes.CBC(data[:BLOCK])).decryptor()
        padded = cipher.update(data[BLOCK:]) + cipher.finalize()
        unpadder = padding.PKCS7(BLOCK * 8).unpadder()
        try:
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise Unreadable("invalid PKCS7 data (empty or not padded)") from None


class Secretbox:
    """XSalsa20 and Poly1305 (NaCl), a random nonce in front."""

    def __init__(self, name: str, secret: bytes, chance: chances.Chance) -> None:
        # Only where it is configured.
        from nacl import secret as boxes

        self.prefix = b"k8s:enc:secretbox:v1:%b:" % name.encode()
        self._box = boxes.SecretBox(secret)
        self._chance = chance

    def seal(self, data: bytes, key: bytes) -> bytes:
        nonce = self._chance.token(self._box.NONCE_SIZE)
        return self.prefix + bytes(self._box.encrypt(data, nonce))

    def open(self, data: bytes, key: bytes) -> bytes:
        from nacl import exceptions

        try:
            return self._box.decrypt(data)
        except (exceptions.CryptoError, ValueError):
            raise Unreadable("output array was not large enough for encryption") from None


class Providers:
    """Of one list of resources: the first seals, all open."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers

    def seal(self, data: bytes, key: str) -> bytes:
        return self._providers[0].seal(data, key.encode())

    def open(self, data: bytes, key: str) -> tuple[bytes, bool]:
        """The value, and whether it would be sealed in another way now. Raises Unreadable."""
        problem = "no matching prefix found"
        for index, provider in enumerate(self._providers):
            if data.startswith(provider.prefix):
                try:
                    return provider.open(data[len(provider.prefix) :], key.encode()), index > 0
                except Unreadable as error:
                    problem = str(error)
        raise Unreadable(problem)
