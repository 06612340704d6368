"""Public keys as DKIM records hold them: the base64 of a SubjectPublicKeyInfo (RFC 6376 section 3.6.1)."""

from __future__ import annotations

__all__ = ["RSA_1024", "RSA_2048"]

RSA_1024 = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDi2YbR+XCk76KHMyAwG1PlYz1TuUGJNVnEyEDx2AfaPqEAKUcXk2pL5Kjk7Yeb"
    "iUo0MYbvW4V1O+Mn88iNVa9poVPzOwB08Tg4qDTC++5ki9pLUitTx/B6kr7zM9lex8Chhms6irdESLZAqWMqVQW/UEh1vbV1KUSy"
    "n/YUu+5NuwIDAQAB"
)
RSA_2048 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1PthKitOmUQ7/iCpy7SA2mEhLliCZO0WOXk+gqmZ0k+zPG3mk2gFNJEj0+B1gvsB"
    "Pqt43dIPMc/Msbkd9ofL+anztduy2r0jc4kPTVt8XV7J5onuIOT4+QKicic2v7/RxVcStVFqO6RZfqrzLTNIWCq7MtrJzJTH49yQvaMWEpk/"
    "bjUhXlCEGtbUcaO2VdrK0Kytfc8dwWabO1x7PMD8bCKfbEpJeenfq9424RQWPTn/KRsPt56iO3aeExEHgO0Ll8bNVFYO5zgd2azaVX8iW/ua"
    "l0mLE/92RxkhgKpOamZOqXpWsaEY3UAAvRypIOezLt8twHws2zow66DkQ1AdCwIDAQAB"
)
